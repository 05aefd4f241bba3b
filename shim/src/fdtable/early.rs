//! What an early child, which has not settled what it inherited, does with numbers.
//!
//! Most forked children close and redirect some numbers, and exec. Their sets and files are copies of their parent's:
//! to take a file out of its sets, or give it another number, may change signals that are the parent's. So a number
//! that goes is taken out of the table, and the use of its file is put by until the child is settled, or never is.

use std::sync::Arc;

use glasspoll_reactor::file::File;
use glasspoll_reactor::sync::Mutex;

use super::entries::Used;
use super::flags::{change, flags, CLOSING, INHERITED, KIND, OURS, SEEN, TRACKED};
use crate::process;
use crate::thread::context;

#[link_section = "glasspoll_fork"]
static PUT_BY: Mutex<Vec<(i32, Used)>> = Mutex::new(Vec::new());

/// Whether this process is an early child.
pub(super) fn is_early() -> bool {
    context::is_early_child()
}

/// Puts the use of a file by, which the number was.
pub(super) fn put_by(fd: i32, file: Used) {
    PUT_BY.lock().push((fd, file));
    if !is_early() {
        // Another thread has begun to settle this child, and may have passed this file.
        context::wait_for_adoption();
        let late = take_all();
        process::adopt_files(&late.files());
        late.end();
    }
}

/// Uses of files that were put by.
pub struct PutBy(Vec<(i32, Used)>);

/// All uses that were put by.
pub fn take_all() -> PutBy {
    PutBy(std::mem::take(&mut *PUT_BY.lock()))
}

impl PutBy {
    /// The files, by the numbers that they had.
    pub fn files(&self) -> Vec<(i32, Arc<File>)> {
        self.0.iter().map(|(fd, file)| (*fd, Arc::clone(file))).collect()
    }

    /// Ends the uses.
    ///
    /// Preconditions: the files are settled: nothing that is done to them concerns the parent's signals.
    pub fn end(self) {
        for (fd, file) in self.0 {
            super::end(fd, file, true);
        }
    }
}

/// `new` is a number for what `old` is. Where no more is known of that than that it is inherited, `new` is, too.
/// False: more is known.
pub(super) fn duplicated(old: i32, new: i32) -> bool {
    let known = flags(old);
    if !is_early() || known & (TRACKED | SEEN) != 0 {
        return false;
    }
    change(new, |now| Some(now & (OURS | CLOSING) | known & KIND | INHERITED));
    true
}
