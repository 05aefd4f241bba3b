//! The file for each `si_fd` of a signal. A look-up is an indexed load.
//!
//! An fd far above all others, such as an alias (`KernelFile::arm`), takes no room for the fds below it.
//!
//! Locks: `files`, held for a look-up only, at the end of the third level.

use std::collections::BTreeMap;

use crate::file::File;
use crate::mutation::is;
use crate::sync::{Arc, Count, Counted};

#[derive(Debug, Default)]
struct Files {
    near: Vec<Option<Arc<File>>>,
    far: BTreeMap<i32, Arc<File>>,
    /// How many there are.
    number: u32,
}

impl Count for Files {
    fn count(&self) -> u32 {
        self.number
    }
}

#[derive(Debug, Default)]
pub(crate) struct Armed {
    /// Counts the files.
    files: Counted<Files>,
}

fn index(fd: i32) -> usize {
    usize::try_from(fd).unwrap_or(usize::MAX)
}

impl Files {
    fn get(&self, fd: i32) -> Option<&Arc<File>> {
        match self.near.get(index(fd)) {
            Some(Some(file)) => Some(file),
            _ if self.far.is_empty() => None,
            _ => self.far.get(&fd),
        }
    }

    fn take(&mut self, fd: i32) -> Option<Arc<File>> {
        let near = self.near.get_mut(index(fd)).and_then(Option::take);
        let taken = near.or_else(|| self.far.remove(&fd));
        self.number -= u32::from(taken.is_some());
        taken
    }

    fn insert(&mut self, fd: i32, file: Arc<File>) {
        let at = index(fd);
        self.number += u32::from(self.get(fd).is_none());
        if at >= self.near.len() {
            if at > 4 * self.near.len() + 4096 {
                self.far.insert(fd, file);
                return;
            }
            self.near.resize(at + 1, None);
        }
        self.near[at] = Some(file);
    }
}

impl Armed {
    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        self.files.count() != 0
    }

    pub(crate) fn get(&self, fd: i32) -> Option<Arc<File>> {
        self.files.lock().get(fd).cloned()
    }

    /// Makes `file` the file of signals with this fd, unless another file is. Returns whether `file` is now.
    pub(crate) fn claim(&self, fd: i32, file: &Arc<File>) -> bool {
        let mut files = self.files.lock();
        match files.get(fd) {
            Some(other) if !is("a_claim_takes_from_another") => Arc::ptr_eq(other, file),
            _ => {
                files.insert(fd, file.clone());
                true
            }
        }
    }

    /// Removes the file of signals with this fd, if `is_it`.
    pub(crate) fn remove_if(&self, fd: i32, is_it: impl FnOnce(&File) -> bool) {
        let mut files = self.files.lock();
        let is_its = files.get(fd).is_some_and(|file| is_it(file));
        let was = if is_its { files.take(fd) } else { None };
        drop(files);
        drop(was);
    }

    pub(crate) fn all(&self) -> Vec<Arc<File>> {
        let files = self.files.lock();
        files.near.iter().flatten().chain(files.far.values()).cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.files.lock());
        drop(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{Backing, KernelFile, Ownership};

    #[test]
    fn an_fd_far_away_takes_no_room() {
        let armed = Armed::default();
        let files = [3, 900_000, 5].map(|fd| {
            let file = File::new(fd, Backing::Kernel(KernelFile::new(fd, Ownership::Alone)));
            assert!(armed.claim(fd, &file));
            file
        });
        assert!(armed.files.lock().near.len() < 10);
        for file in &files {
            assert!(armed.get(file.fd()).is_some_and(|found| Arc::ptr_eq(&found, file)));
        }
        assert_eq!(armed.all().len(), 3);
        armed.remove_if(900_000, |_| false);
        assert!(armed.get(900_000).is_some());
        armed.remove_if(900_000, |_| true);
        assert!(armed.any());
        armed.clear();
        assert!(!armed.any());
        assert!(armed.get(900_000).is_none() && armed.get(4).is_none() && armed.get(-1).is_none());
    }
}
