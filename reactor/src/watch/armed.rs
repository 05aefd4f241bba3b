//! The file that a signal's `si_fd` stands for, by number: a look-up is an indexed load.
//!
//! Locks: `files`, for a look-up alone, at the end of the third level.

use crate::file::File;
use crate::sync::{Arc, Mutex};

#[derive(Debug, Default)]
pub(super) struct Armed {
    files: Mutex<Vec<Option<Arc<File>>>>,
}

fn index(fd: i32) -> usize {
    usize::try_from(fd).unwrap_or(usize::MAX)
}

impl Armed {
    pub(super) fn get(&self, fd: i32) -> Option<Arc<File>> {
        self.files.lock().get(index(fd))?.clone()
    }

    /// The signals of a number are this file's from now on.
    pub(super) fn insert(&self, fd: i32, file: &Arc<File>) {
        let mut files = self.files.lock();
        let at = index(fd);
        if files.len() <= at {
            files.resize(at + 1, None);
        }
        let before = files[at].replace(file.clone());
        drop(files);
        drop(before);
    }

    /// They are no longer, if they still were.
    pub(super) fn remove_if(&self, fd: i32, is_it: impl FnOnce(&File) -> bool) {
        let mut files = self.files.lock();
        let Some(place) = files.get_mut(index(fd)) else { return };
        let was = if place.as_ref().is_some_and(|file| is_it(file)) { place.take() } else { None };
        drop(files);
        drop(was);
    }

    pub(super) fn all(&self) -> Vec<Arc<File>> {
        self.files.lock().iter().flatten().cloned().collect()
    }

    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.files.lock());
        drop(all);
    }
}
