//! Which thread made an fd that is in no set. The record tells it with the close: it may be another thread's.

use std::sync::atomic::{AtomicU32, Ordering};

use glasspoll_record::writer;

use super::fd_ref::FdRef;
use super::flags::{INHERITED, KIND, SEEN};
use super::tables::NR_OPEN;

/// For each fd the thread that made it; 0 if that is not known. Written only while there is a record.
static MAKERS: [AtomicU32; NR_OPEN] = [const { AtomicU32::new(0) }; NR_OPEN];

fn word(fd: i32) -> Option<&'static AtomicU32> {
    MAKERS.get(usize::try_from(fd).ok()?)
}

/// The calling thread made the fd.
#[inline]
pub(super) fn note(fd: i32) {
    if !writer::is_on() {
        return;
    }
    if let Some(word) = word(fd) {
        word.store(writer::tid(), Ordering::Relaxed);
    }
}

/// The fd is about to be closed.
#[inline]
pub(super) fn forget(fd: i32) {
    if let Some(word) = word(fd).filter(|word| word.load(Ordering::Relaxed) != 0) {
        word.store(0, Ordering::Relaxed);
    }
}

/// The thread that made an fd; 0 if it is not known.
#[inline]
pub fn maker(fd: FdRef) -> u32 {
    // A fd without provenance was made unseen, after a close that may have been unseen too.
    if !fd.is(SEEN | KIND) || fd.is(INHERITED) {
        return 0;
    }
    word(fd.fd()).map_or(0, |word| word.load(Ordering::Relaxed))
}
