//! What is kept of a file of the kernel's. `watch` has its behaviour: it implements `Device`.

use bitflags::bitflags;

use crate::file::{PollerId, NO_POLLER_ID};
use crate::sync::{AtomicI32, AtomicU16, AtomicU8, Mutex, Ordering};

/// Whether other processes have the open file description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This process alone: it may set the owner of its signals.
    Alone,
    /// Inherited or received: another process may use its signals, or would lose them if we set the owner.
    Shared,
}

/// The file is not armed.
pub(crate) const NOT_ARMED: i32 = -1;

/// No `FileKind`.
const UNKNOWN: u8 = u8::MAX;

/// By which fd the file is armed, and for how many items.
#[derive(Debug)]
pub(crate) struct Arming {
    /// The fd by which it was armed, which `si_fd` will have; `NOT_ARMED`: it is not armed.
    pub(crate) armed_as: i32,
    pub(crate) items: u32,
}

bitflags! {
    /// What is known of the file, and what the shim must report of it. A bit that is set stays set.
    ///
    /// | mark | set by | means |
    /// |---|---|---|
    /// | `SIGNALFD` | the first `attach` | it is a signalfd |
    /// | `REGULAR` | the first `attach` | it is a regular file, of /proc or the like |
    /// | `TERMINAL` | the shim, when it makes the file | a write is a wakeup for room |
    /// | `POLLED` | `share`, `forked`, `attach`, under the lock of `state` | its source is `Poll` |
    /// | `SIGNALS` | `attach`, under the lock of `state` | its source is or was `Signal` |
    /// | `WANTS_IO` | `attach`, `rearm` | the shim must report reads and writes of the program |
    /// | `WANTS_REFUSALS` | `attach`, `rearm` | the shim must report refused writes of the program |
    /// | `DRAIN_HINTS` | hot items, deliveries | reads and refused writes of the program leave hints |
    /// | `PIECES` | an announcement of urgent data, the shim, `is_emptied` | a read may come short and leave something |
    /// | `WHOLE` | `is_emptied` | it is plain TCP: only an empty file cuts a read short, unless `PIECES` |
    /// | `NEWS` | the first `attach` | a `News`: how it reports a change |
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Marks: u16 {
        const SIGNALFD = 1 << 0;
        const DRAIN_HINTS = 1 << 1;
        const POLLED = 1 << 2;
        const SIGNALS = 1 << 3;
        const WANTS_IO = 1 << 4;
        const TERMINAL = 1 << 5;
        const WANTS_REFUSALS = 1 << 6;
        const REGULAR = 1 << 7;
        const PIECES = 1 << 8;
        const WHOLE = 1 << 9;
        const NEWS = 0b11 << 10;
    }
}

/// The marks of a file, which any thread sets and reads.
#[derive(Debug)]
pub(crate) struct AtomicMarks(AtomicU16);

impl AtomicMarks {
    fn new(marks: Marks) -> Self {
        Self(AtomicU16::new(marks.bits()))
    }

    pub(crate) fn get(&self) -> Marks {
        Marks::from_bits_retain(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn has(&self, mark: Marks) -> bool {
        self.get().intersects(mark)
    }

    /// Sets a mark. Returns whether it was not set before.
    pub(crate) fn set(&self, mark: Marks) -> bool {
        let before = self.0.fetch_or(mark.bits(), Ordering::SeqCst);
        !Marks::from_bits_retain(before).intersects(mark)
    }
}

/// A file of the kernel's.
///
/// Locks: `state`, then the pump, then `first_poller_id`. A thread that drains wakeups may take
/// `first_poller_id`, never `state`.
#[derive(Debug)]
pub struct KernelFile {
    pub(crate) fd: AtomicI32,
    /// Of the bits that a poll takes (`News`): those that a poll has found and no delivery has seen yet.
    pub(crate) news: AtomicU8,
    pub(crate) marks: AtomicMarks,
    /// A `FileKind`; no valid one until the file is armed.
    pub(crate) kind: AtomicU8,
    pub(crate) state: Mutex<Arming>,
    /// The first of its entries with the poller. Locked while one of them is changed, so that the id cannot become
    /// another file's.
    pub(crate) first_poller_id: Mutex<PollerId>,
}

impl KernelFile {
    /// The device behind descriptor `fd`.
    pub fn new(fd: i32, ownership: Ownership) -> Self {
        let marks = match ownership {
            Ownership::Alone => Marks::empty(),
            Ownership::Shared => Marks::POLLED,
        };
        Self {
            fd: AtomicI32::new(fd),
            news: AtomicU8::new(0),
            marks: AtomicMarks::new(marks),
            kind: AtomicU8::new(UNKNOWN),
            state: Mutex::new(Arming { armed_as: NOT_ARMED, items: 0 }),
            first_poller_id: Mutex::new(NO_POLLER_ID),
        }
    }

    /// A descriptor of the file.
    pub(crate) fn fd(&self) -> i32 {
        self.fd.load(Ordering::Acquire)
    }
}
