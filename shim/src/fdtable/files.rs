//! The fds of a file, and the files of all fds.

use std::sync::Arc;

use glasspoll_reactor::file::File;

use super::entries;
use super::fd_ref::get;
use super::flags::{all_fds, flags, highest, CLOSING, MANY, OURS, TRACKED};

/// The fds of a file; `fd` is or was one of them.
pub(super) fn fds_of(fd: i32, file: &Arc<File>) -> Vec<i32> {
    if flags(fd) & (TRACKED | MANY) == TRACKED {
        return vec![fd];
    }
    all_fds().filter(|fd| flags(*fd) & TRACKED != 0 && entries::is(*fd, file)).collect()
}

/// The fds from `first` to `last` of which we know something.
pub fn known(first: u32, last: u32) -> Vec<i32> {
    let inside = |fd: &i32| u32::try_from(*fd).is_ok_and(|fd| (first..=last).contains(&fd));
    let known = |fd: &i32| flags(*fd) & !CLOSING != 0 && flags(*fd) & OURS == 0;
    all_fds().filter(|fd| inside(fd) && known(fd)).collect()
}

/// The fds below `count` of which we may know something: few, however large `count` is.
pub fn known_below(count: i32) -> impl Iterator<Item = i32> {
    0..count.min(highest() + 1)
}

/// All tracked fds, with their files.
pub fn files() -> Vec<(i32, Arc<File>)> {
    all_fds().filter_map(|fd| get(fd).map(|file| (fd, file))).collect()
}
