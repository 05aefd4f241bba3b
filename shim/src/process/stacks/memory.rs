//! The words of the program's stack, which unwinding asks for by addresses that may be anything.

use std::ops::Range;

use glasspoll_reactor::sys;

use crate::thread::with_thread;

const PAGE: usize = 4096;
/// How far above the first frame a word may be on a stack that is not the thread's own: a coroutine's.
const MOST: usize = 1 << 16;

/// The program's stack, from one frame upwards.
pub struct Stack {
    low: usize,
    /// The thread's own stack, if the frame is on that.
    own: Range<usize>,
    /// Pages of another stack that we have found readable.
    known: [usize; 4],
    next: usize,
}

impl Stack {
    /// The stack from `low` upwards, which the calling frame is on.
    #[inline(always)]
    pub fn from(low: u64) -> Self {
        let own = with_thread(|thread| thread.stack.above());
        Self { low: low as usize, own, known: [0; 4], next: 0 }
    }

    /// The word at an address.
    pub fn read(&mut self, at: u64) -> Result<u64, ()> {
        let at = at as usize;
        if !at.is_multiple_of(8) || at < self.low {
            return Err(());
        }
        let can_read = self.own.contains(&at) && self.own.contains(&(at + 7)) || self.can_read_other(at);
        // SAFETY: it lies in the thread's own stack, or the kernel has just read the page.
        can_read.then(|| unsafe { std::ptr::with_exposed_provenance::<u64>(at).read_volatile() }).ok_or(())
    }

    fn can_read_other(&mut self, at: usize) -> bool {
        let page = at & !(PAGE - 1);
        if at - self.low > MOST {
            return false;
        }
        if self.known.contains(&page) {
            return true;
        }
        let is_readable = sys::can_read_8(at);
        if is_readable {
            self.known[self.next] = page;
            self.next = (self.next + 1) % self.known.len();
        }
        is_readable
    }
}
