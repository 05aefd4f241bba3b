//! This process's record of the event flow. The first epoll instance makes it, and each forked child makes its own. If
//! the `glasspoll` command started the program, the record is handed to it. Layout and writing: `glasspoll_record`.

mod blocked;
mod collect;
mod events;
mod memory;

pub use blocked::{time, time_if, Timed};
pub use events::{closed, closing, io, note, wait_failed};

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use glasspoll_reactor::sys::{self, Errno};
use glasspoll_record::stacks::STACKS;
use glasspoll_record::writer::{self, Owner, Shape};

use crate::fdtable;
use crate::process::options::{complain, Options};
use crate::process::stacks;

/// The memfd; -1: none.
static FILE: AtomicI32 = AtomicI32::new(-1);
/// Whether forked children get the record's memory.
static IS_INHERITED: AtomicBool = AtomicBool::new(false);
/// In a forked child that got it: the memory of its parent's record.
static PARENTS: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The size of this process's record, or of its parent's.
static SIZE: AtomicUsize = AtomicUsize::new(0);

/// The number of items, and of fds with facts, when memory is scarce.
const FEW: u32 = 1 << 12;

/// How a record begins.
#[derive(Clone, Copy)]
pub struct Begun {
    /// A thread watches all the time.
    pub exact: bool,
    /// The process has sets of its parent's.
    pub forked: bool,
    /// The kernel's epoll answers.
    pub observed: bool,
}

/// Makes the record, if it is wanted. If that fails, the program runs without a record.
pub fn start(options: &Options, how: Begun) {
    let Some(bytes) = options.ring else { return };
    if writer::is_on() {
        return;
    }
    let mut shape = Shape::new(bytes);
    if options.stacks {
        shape.stacks = STACKS;
    }
    let whole = memory::is_promised();
    if whole {
        (shape.capacity, shape.fds) = (FEW, FEW);
    }
    let made = sys::with_raised_limit(|| {
        // Map over the parent's record: otherwise a chain of forks would pile up records.
        let over = |shape: Shape| {
            let parents = PARENTS.load(Ordering::Relaxed);
            Some(parents).filter(|at| !at.is_null() && SIZE.load(Ordering::Relaxed) == shape.size())
        };
        let made = memory::make(shape.size(), over(shape), whole).or_else(|_| {
            // The address space or file size is limited.
            (shape.capacity, shape.fds) = (FEW, FEW);
            memory::make(shape.size(), over(shape), whole)
        });
        made.map(|made| memory::Made { fd: sys::move_high(made.fd), ..made })
    });
    match made {
        Ok(made) => {
            let (pid, ppid) = (sys::getpid() as u32, memory::parent() as u32);
            let Begun { exact, forked, observed } = how;
            let owner = Owner { pid, ppid, exact, forked, observed };
            if options.stacks {
                // Before the record is there: a capture needs it.
                stacks::begin();
            }
            // SAFETY: fresh memory of that size, which is never unmapped.
            unsafe { writer::start(made.at, shape, owner) };
            SIZE.store(shape.size(), Ordering::Relaxed);
            IS_INHERITED.store(made.is_inherited, Ordering::Relaxed);
            fdtable::protect(made.fd);
            FILE.store(made.fd, Ordering::Release);
            if let Some(path) = &options.collect {
                match collect::hand_over(path, made.fd) {
                    // The program that was run has ended, and this process is a descendant that lives on.
                    Ok(()) | Err(Errno::ENOENT | Errno::ECONNREFUSED) => {}
                    Err(errno) => complain(&format!(
                        "the record of process {} does not reach its collector ({errno})",
                        owner.pid
                    )),
                }
            }
        }
        Err(errno) if options.collect.is_some() => {
            complain(&format!("no record ({errno}); the program goes on without"));
        }
        Err(errno) => tracing::info!(target: "glasspoll", %errno, "no record"),
    }
}

/// In a forked child, whose record is still the parent's. Writes nothing until `start` has made the child's own.
pub fn forked() {
    stacks::forked();
    let parents = writer::stop();
    if !IS_INHERITED.load(Ordering::Relaxed) {
        // The program may have memory of its own there. So may a child of a process that has ended its record.
        PARENTS.store(ptr::null_mut(), Ordering::Relaxed);
    } else if !parents.is_null() {
        PARENTS.store(parents, Ordering::Relaxed);
    }
}

/// Whether there is a record.
pub fn is_on() -> bool {
    writer::is_on()
}

/// Ends recording: some thread must not read the clock any more.
pub fn end() {
    writer::end();
}

/// Ends the record for good. Its memory stays mapped: a thread may be writing to it, and the next record lies there.
pub fn leave() {
    let memory = writer::stop();
    if !memory.is_null() {
        PARENTS.store(memory, Ordering::Relaxed);
    }
    leave_parents();
}

/// The child unmaps its parent's record.
pub fn leave_parents() {
    let fd = FILE.swap(-1, Ordering::AcqRel);
    if fd >= 0 {
        fdtable::unprotect(fd);
        let _ = sys::close(fd);
    }
}

/// Another fd is the record's now.
pub fn moved(from: i32, to: i32) {
    let _ = FILE.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
}

/// The record's fd.
pub fn own_descriptor() -> Option<i32> {
    Some(FILE.load(Ordering::Acquire)).filter(|fd| *fd >= 0)
}
