//! pthread_cancel(3) of the thread that runs our code. libc keeps in one word whether a thread may be cancelled, and
//! whether it is. While our code runs the thread may not be: what it calls has cancellation points, and the frames
//! below cannot be unwound. A cancel that comes meanwhile acts where the thread was.
//!
//! Up to glibc 2.40 a thread that waits is cancelled by a signal, at once, and not marked as cancelled before the
//! signal has come. Later ones mark it and send the signal, whatever the thread is doing.
//!
//! glibc: `nptl/pthread_cancel.c`, `nptl/descr.h:cancelhandling`, `nptl_db/structs.def`.

use super::memory::Memory;
use super::target::Target;
use crate::program::elf::Version;

/// The thread may not be cancelled.
pub const DISABLED: u32 = 1;
/// It is cancelled at once, not at the next cancellation point.
pub const AT_ONCE: u32 = 2;
pub const CANCELLED: u32 = 8;
pub const SIGCANCEL: i32 = 32;
/// The first glibc that always sends the signal.
const SENDS_ALWAYS: Version = (2, 41);

/// What a thread debugger is told about the word: its size in bits, how many there are, and its place.
const DESCRIPTION: &str = "_thread_db_pthread_cancelhandling";

/// The word of the thread with its data there; None: this libc does not tell.
pub fn word(target: &Target, thread: u64) -> Option<u64> {
    let description = target.libc.data(DESCRIPTION)?;
    let bytes = target.memory.bytes(description.start, 12)?;
    let number = |at: usize| bytes[at..].first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    (number(0) == Some(32) && thread != 0).then_some(())?;
    thread.checked_add(number(8)?.into())
}

/// The bits for which a signal is to be sent.
pub fn cancelled(target: &Target) -> u64 {
    let sends_always = target.version.is_none_or(|version| version >= SENDS_ALWAYS);
    u64::from(if sends_always { 0 } else { CANCELLED | AT_ONCE })
}

/// Lets a stopped thread be cancelled again.
pub fn put_back(target: &Target, word: u64) {
    let mut bytes = [0; 4];
    if word != 0 && target.memory.read(word, &mut bytes) {
        let value = u32::from_ne_bytes(bytes) & !DISABLED;
        target.memory.write(word, &value.to_ne_bytes());
    }
}
