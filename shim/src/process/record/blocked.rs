//! Calls that put a thread to sleep which serves an event loop. Meanwhile it serves nothing else.
//!
//! Such a thread reads the counter before and after the call. A call that took long is one record; any other costs
//! these two looks. A thread that has never waited on a set costs a load.

use glasspoll_reactor::sys;
use glasspoll_record::event::{Call, Event};
use glasspoll_record::writer;
use libc::c_int;
use syscalls::Errno;

use crate::errno::{errno, set_errno};
use crate::process;
use crate::thread::fork_page;

/// A thread that is ready may wait so long for a processor. A call that takes longer than that has most likely slept.
const LONG_NS: u64 = 5_000_000;

/// The moment before a call, in ticks; 0: it is not timed.
#[derive(Clone, Copy)]
pub struct Timed(u64);

/// Called before a call that may sleep.
#[inline]
pub fn time() -> Timed {
    Timed(if writer::has_waited() { writer::ticks() } else { 0 })
}

/// The same, if `may_sleep`.
#[inline]
pub fn time_if(may_sleep: bool) -> Timed {
    if may_sleep {
        time()
    } else {
        Timed(0)
    }
}

impl Timed {
    /// Whether the call took so long that it may have slept.
    #[inline]
    pub fn was_long(self) -> bool {
        self.0 != 0 && writer::ticks().saturating_sub(self.0) >= writer::in_ticks(LONG_NS)
    }

    /// Called after the call. `fd` is -1 if it is about none. A `result` of -1 is a failure by errno; a smaller one is
    /// an errno itself, negated. Leaves errno alone.
    #[inline]
    pub fn end(self, call: Call, fd: c_int, result: i64) {
        if self.was_long() {
            slept(self.0, call, fd, result);
        }
    }
}

#[cold]
fn slept(began: u64, call: Call, fd: c_int, result: i64) {
    let now = writer::ticks();
    let errno = errno();
    // A vfork child shares this memory, but no loop.
    if !fork_page::was_forked() && !process::is_vfork_child() && may_sleep(call, fd) {
        let ns = writer::in_ns_exactly(now.saturating_sub(began));
        let errno = match result {
            // Their errors are their own.
            _ if call == Call::Lookup => 0,
            0.. => 0,
            -1 => errno as u16,
            errno => errno.unsigned_abs() as u16,
        };
        writer::record_at(now, Event::Blocked { fd, call, ns, result: result.max(-1), errno });
    }
    set_errno(Errno::new(errno));
}

/// With O_NONBLOCK nothing is waited for: the thread had no processor.
fn may_sleep(call: Call, fd: c_int) -> bool {
    match call {
        Call::Read | Call::Write | Call::Accept | Call::Connect => {
            sys::fcntl(fd, libc::F_GETFL, 0).is_ok_and(|flags| flags & libc::O_NONBLOCK == 0)
        }
        _ => true,
    }
}
