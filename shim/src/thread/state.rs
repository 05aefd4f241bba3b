//! What we keep of each thread of the program.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use glasspoll_reactor::eventpoll::wait_queue::Waiter;
use glasspoll_reactor::file::File;

use super::escape::Place;
use super::fork_page;
use super::own_stack::OwnStack;

/// A thread's `inside`.
pub(super) const OUTSIDE: u32 = 0;
pub(super) const INSIDE: u32 = 1;
/// Inside, and alone there. In a forked child, the thread that forked still has this value, because the fork writes
/// nothing in the child. It means nothing until the child is in order.
pub(super) const FORKS: u32 = 2;

/// Our state of a thread. It lives in static thread-local storage: no allocation, no destructor.
pub struct Thread {
    pub(super) inside: AtomicU32,
    pub(super) registered: Cell<bool>,
    /// The waiter, while the thread sleeps or is about to.
    pub(super) waiting: AtomicPtr<Waiter>,
    /// How many frames must not be unwound by force.
    pub(super) covered: AtomicU32,
    /// The signal that is held back until the thread is no longer covered, and the thread's mask at that time.
    pub(super) held_back: AtomicI32,
    pub(super) outer_mask: AtomicU64,
    /// The mask of the thread's wait, and that of a wait that a signal has ended.
    pub(super) wait_mask: Mask,
    pub(super) ended_mask: Mask,
    /// The thread's own mask, while the wait's mask replaces it.
    pub(super) own_mask: Mask,
    /// Whether our signal ran its handler in this thread.
    pub(super) our_signal: AtomicBool,
    pub(super) waiter: AtomicPtr<Waiter>,
    pub(super) pthread: Cell<u64>,
    /// Whether pthread_cancel was called for the thread while it waited.
    pub(super) cancelled: AtomicBool,
    /// Whether the program believes that our signal is blocked in this thread.
    pub blocks_ours: Cell<bool>,
    /// 1 + the fd of the file that the thread emptied last, by a read; 0: none since the last delivery.
    pub emptied: Cell<i32>,
    /// The epoll instance that the thread used last, with a count of its `Arc`.
    pub set: Cell<*const File>,
    /// What we know of the thread's stack.
    pub stack: OwnStack,
    /// Where our frames begin, for a thread that is to end.
    pub(super) place: Place,
}

/// A mask of signals, or none, in one word.
pub(super) struct Mask(Cell<u64>);

impl Mask {
    /// No mask has this bit: SIGKILL cannot be blocked.
    const NONE: u64 = 1 << (libc::SIGKILL - 1);

    const fn none() -> Self {
        Self(Cell::new(Self::NONE))
    }

    pub(super) fn get(&self) -> Option<u64> {
        Some(self.0.get()).filter(|mask| *mask != Self::NONE)
    }

    pub(super) fn set(&self, mask: Option<u64>) {
        self.0.set(mask.map_or(Self::NONE, |mask| mask & !Self::NONE));
    }

    pub(super) fn take(&self) -> Option<u64> {
        let mask = self.get();
        self.set(None);
        mask
    }
}

// All thread-locals of the library together have at most 512 bytes. The loader keeps so much free, in the block that each
// thread has from its start, for libraries that come late. For a larger library it makes a thread's part at its first
// use, by malloc(3), and that use may be in a handler of the program which has interrupted malloc.
thread_local! {
    pub(super) static THREAD: Thread = const {
        Thread {
            inside: AtomicU32::new(OUTSIDE),
            registered: Cell::new(false),
            waiting: AtomicPtr::new(std::ptr::null_mut()),
            covered: AtomicU32::new(0),
            held_back: AtomicI32::new(0),
            outer_mask: AtomicU64::new(0),
            wait_mask: Mask::none(),
            ended_mask: Mask::none(),
            own_mask: Mask::none(),
            our_signal: AtomicBool::new(false),
            waiter: AtomicPtr::new(std::ptr::null_mut()),
            pthread: Cell::new(0),
            cancelled: AtomicBool::new(false),
            blocks_ours: Cell::new(false),
            emptied: Cell::new(0),
            set: Cell::new(std::ptr::null()),
            stack: OwnStack::unknown(),
            place: Place::nowhere(),
        }
    };
}

/// Whether the thread, which is the calling one, is inside.
#[inline]
pub(super) fn goes_on_inside(thread: &Thread) -> bool {
    match thread.inside.load(Ordering::SeqCst) {
        OUTSIDE => false,
        // Read again: another thread of a forked child may have put the child in order meanwhile.
        FORKS => !fork_page::was_forked() && thread.inside.load(Ordering::SeqCst) == FORKS,
        _ => true,
    }
}
