//! Which file is behind each fd, and which items watch it.

use std::collections::HashMap;

use super::fd::{Closed, FdState, Open};

/// The most fds that are followed: as many as Linux lets a process have by default.
const FDS: usize = 1 << 20;

/// The files of a process, as far as the record tells.
#[derive(Clone, Debug, Default)]
pub struct Files {
    fds: HashMap<i32, FdState>,
    /// The live items of each file, by their serial numbers.
    items: HashMap<u64, Vec<u32>>,
    /// How many files were counted.
    count: u64,
}

/// What is behind an fd that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// What was there before, if that was known.
    Same,
    /// A file that was just made.
    New,
}

impl Files {
    /// What is known of an fd.
    pub fn state(&self, fd: i32) -> Option<&FdState> {
        self.fds.get(&fd)
    }

    /// The live items of the file behind an fd.
    pub fn items(&self, fd: i32) -> &[u32] {
        let file = self.fds.get(&fd).map_or(0, |state| state.file);
        self.items.get(&file).map_or(&[], Vec::as_slice)
    }

    fn state_mut(&mut self, fd: i32) -> Option<&mut FdState> {
        if fd < 0 || self.fds.len() >= FDS && !self.fds.contains_key(&fd) {
            return None;
        }
        Some(self.fds.entry(fd).or_default())
    }

    /// A thread uses an fd, so it is open. Returns the file behind it; 0 if the fd is not followed.
    pub fn open(&mut self, fd: i32, tid: u32, behind: Behind) -> u64 {
        let next = self.count + 1;
        let Some(state) = self.state_mut(fd) else { return 0 };
        let is_new = behind == Behind::New || state.file == 0 || state.open == Open::No;
        if is_new {
            (state.file, state.owner, state.released) = (next, tid, false);
        }
        state.open = Open::Yes;
        if state.owner == 0 {
            state.owner = tid;
        }
        let file = state.file;
        self.count += u64::from(is_new);
        file
    }

    /// An item watches a file.
    pub fn watch(&mut self, file: u64, item: u32) {
        if file != 0 {
            self.items.entry(file).or_default().push(item);
        }
    }

    /// An item of a file has ended.
    pub fn unwatch(&mut self, file: u64, item: u32) {
        let Some(items) = self.items.get_mut(&file) else { return };
        items.retain(|other| *other != item);
        if items.is_empty() {
            self.items.remove(&file);
        }
    }

    /// `new` is another fd of the file behind `old`.
    pub fn dup(&mut self, old: i32, new: i32, tid: u32) {
        let file = self.open(old, 0, Behind::Same);
        if old != new {
            if let Some(state) = self.state_mut(new) {
                (state.file, state.open, state.owner) = (file, Open::Yes, tid);
            }
        }
    }

    /// An fd is closed, and its file lives on if `lives_as` is another fd. Returns the items of that fd whose file
    /// turns out to be this one.
    pub fn close(&mut self, fd: i32, lives_as: i32, closed: Closed) -> Vec<u32> {
        let Some(state) = self.state_mut(fd) else { return Vec::new() };
        let file = std::mem::take(&mut state.file);
        let was_item = std::mem::take(&mut state.released) || closed.was_item;
        (state.closed, state.open) = (Some(Closed { was_item, ..closed }), Open::No);
        if lives_as == fd {
            return Vec::new();
        }
        let Some(other) = self.state_mut(lives_as) else { return Vec::new() };
        let before = std::mem::replace(&mut other.file, file);
        other.open = Open::Yes;
        if before == file {
            return Vec::new();
        }
        let moved = self.items.remove(&before).unwrap_or_default();
        moved.iter().for_each(|item| self.watch(file, *item));
        moved
    }

    /// The file behind an fd is gone. Returns the items that end with it.
    pub fn end(&mut self, fd: i32) -> Vec<u32> {
        let file = self.fds.get(&fd).map_or(0, |state| state.file);
        self.items.remove(&file).unwrap_or_default()
    }

    /// The items of an fd ended just now. The record of its close may follow.
    pub fn release(&mut self, fd: i32) {
        if let Some(state) = self.fds.get_mut(&fd) {
            state.released = true;
        }
    }

    /// An fd turned out not to be open.
    pub fn bad(&mut self, fd: i32) {
        if let Some(state) = self.fds.get_mut(&fd) {
            state.open = Open::No;
        }
    }

    /// Events were lost: which fds are open, and by whom, is no longer known. An item says which file it is of.
    pub fn gap(&mut self) {
        for state in self.fds.values_mut() {
            *state = FdState { file: state.file, ..FdState::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: Closed = Closed { ns: 0, tid: 1, was_item: false, was_watched: true };

    fn watched(files: &mut Files, fd: i32, item: u32) {
        let file = files.open(fd, 1, Behind::Same);
        files.watch(file, item);
    }

    #[test]
    fn an_item_follows_its_file_to_another_number() {
        let mut files = Files::default();
        watched(&mut files, 7, 1);
        files.dup(7, 9, 1);
        assert_eq!(files.items(9), [1]);
        assert!(files.close(7, 9, CLOSED).is_empty());
        assert!(files.items(7).is_empty());
        watched(&mut files, 7, 2);
        assert_eq!(files.end(9), [1]);
        assert_eq!(files.items(7), [2]);
    }

    #[test]
    fn a_file_that_turns_out_to_be_another_has_the_items_of_both() {
        let mut files = Files::default();
        watched(&mut files, 7, 1);
        watched(&mut files, 9, 2);
        assert_eq!(files.close(7, 9, CLOSED), [2]);
        assert_eq!(files.items(9), [1, 2]);
    }

    #[test]
    fn a_gap_leaves_each_item_its_file() {
        let mut files = Files::default();
        watched(&mut files, 7, 1);
        files.gap();
        assert_eq!(files.items(7), [1]);
        assert_eq!(files.state(7).map(|state| (state.open, state.owner)), Some((Open::Unknown, 0)));
    }
}
