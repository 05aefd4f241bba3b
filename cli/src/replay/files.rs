//! Which fds are the same open file, and which items watch it.

use std::collections::HashMap;

use super::Key;

/// The open files of a process, as far as the record tells.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The file behind each fd.
    fds: HashMap<i32, u64>,
    /// The live items of each file.
    items: HashMap<u64, Vec<Key>>,
    next: u64,
}

impl Files {
    /// The file behind an fd; a new one if none is known.
    fn file(&mut self, fd: i32) -> u64 {
        *self.fds.entry(fd).or_insert_with(|| {
            self.next += 1;
            self.next
        })
    }

    /// An item watches the file behind an fd.
    pub fn watch(&mut self, fd: i32, key: Key) {
        let file = self.file(fd);
        let items = self.items.entry(file).or_default();
        if !items.contains(&key) {
            items.push(key);
        }
    }

    /// The live items of the file behind an fd.
    pub fn items(&self, fd: i32) -> &[Key] {
        self.fds.get(&fd).and_then(|file| self.items.get(file)).map_or(&[], Vec::as_slice)
    }

    /// An item has ended. Its fd may have another file by now: then all files are searched for it.
    pub fn unwatch(&mut self, fd: i32, key: Key) {
        if self.drop_from(self.fds.get(&fd).copied(), key) {
            return;
        }
        let other = self.items.iter().find(|(_, items)| items.contains(&key)).map(|(file, _)| *file);
        self.drop_from(other, key);
    }

    fn drop_from(&mut self, file: Option<u64>, key: Key) -> bool {
        let Some(file) = file else { return false };
        let Some(items) = self.items.get_mut(&file) else { return false };
        let Some(at) = items.iter().position(|item| *item == key) else { return false };
        items.swap_remove(at);
        if items.is_empty() {
            self.items.remove(&file);
        }
        true
    }

    /// `new` is another fd of the file behind `old`.
    pub fn dup(&mut self, old: i32, new: i32) {
        if old != new {
            let file = self.file(old);
            self.fds.insert(new, file);
        }
    }

    /// An fd is closed. The file lives on as the fd `lives_as`, or ends; returns the items that end with it.
    pub fn close(&mut self, fd: i32, lives_as: i32) -> Vec<Key> {
        let Some(file) = self.fds.remove(&fd) else { return Vec::new() };
        if lives_as >= 0 {
            self.fds.insert(lives_as, file);
            return Vec::new();
        }
        self.items.remove(&file).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_follows_its_file_to_another_number() {
        let mut files = Files::default();
        files.watch(7, (1, 1));
        files.dup(7, 9);
        assert_eq!(files.items(9), [(1, 1)]);
        assert_eq!(files.close(7, 9), []);
        assert_eq!(files.items(7), []);
        files.watch(7, (1, 2));
        assert_eq!(files.close(9, -1), [(1, 1)]);
        assert_eq!(files.items(7), [(1, 2)]);
    }

    #[test]
    fn an_item_is_dropped_though_its_number_is_anothers() {
        let mut files = Files::default();
        files.watch(7, (1, 1));
        files.close(7, 9);
        files.watch(7, (1, 2));
        files.unwatch(7, (1, 1));
        assert_eq!((files.items(9), files.items(7)), (&[][..], &[(1, 2)][..]));
    }
}
