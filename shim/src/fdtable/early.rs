//! How an early child, which has not adopted what it inherited, handles fds.
//!
//! Most forked children close and redirect some fds, and exec. Their sets and files are copies of their parent's: to
//! take a file out of its sets, or give it another fd, may change signals of the parent. So an fd that goes leaves
//! the table, and its reference to the file is kept aside until the child adopts, which may be never.

use std::sync::Arc;

use glasspoll_reactor::file::File;
use glasspoll_reactor::sync::Mutex;

use super::entries::FileRef;
use super::flags::{change, flags, CLOSING, INHERITED, KIND, OURS, SEEN, TRACKED};
use crate::process;
use crate::thread::context;

#[link_section = "glasspoll_fork"]
static PUT_BY: Mutex<Vec<(i32, FileRef)>> = Mutex::new(Vec::new());

/// Whether this process is an early child.
pub(super) fn is_early() -> bool {
    context::is_early_child()
}

/// Keeps a reference aside that `fd` held.
pub(super) fn put_by(fd: i32, file: FileRef) {
    PUT_BY.lock().push((fd, file));
    if !is_early() {
        // Another thread has begun to adopt, and may already have passed this file.
        context::wait_for_adoption();
        let late = take_all();
        process::adopt_files(&late.files());
        late.end();
    }
}

/// References that were kept aside.
pub struct PutBy(Vec<(i32, FileRef)>);

/// Takes all references that were kept aside.
pub fn take_all() -> PutBy {
    PutBy(std::mem::take(&mut *PUT_BY.lock()))
}

impl PutBy {
    /// The files, by the fds that they had.
    pub fn files(&self) -> Vec<(i32, Arc<File>)> {
        self.0.iter().map(|(fd, file)| (*fd, Arc::clone(file))).collect()
    }

    /// Drops the references.
    ///
    /// Preconditions: the child has adopted the files: no change to them concerns the parent's signals.
    pub fn end(self) {
        for (fd, file) in self.0 {
            super::end(fd, file, true);
        }
    }
}

/// `new` is a duplicate of `old`. If we know only that `old` is inherited, `new` becomes inherited, too.
/// False: we know more about `old`.
pub(super) fn duplicated(old: i32, new: i32) -> bool {
    let known = flags(old);
    if !is_early() || known & (TRACKED | SEEN) != 0 {
        return false;
    }
    change(new, |now| Some(now & (OURS | CLOSING) | known & KIND | INHERITED));
    true
}
