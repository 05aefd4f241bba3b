//! What a read or write of the program leaves in a watched file, derived from the call itself.
//!
//! If we poll the file after the call, it may have become ready anew in between. That is an edge; if we took it for
//! what the call left, the edge would be lost. So a poll's answer counts only if it says that nothing is left, or if
//! an amount tells what has come since.
//!
//! | file | call | what is left |
//! |---|---|---|
//! | any | refused | nothing |
//! | timerfd | read | nothing: the count is 0 then, and the timer runs again |
//! | eventfd | read | nothing; if only this process has it, polled: a semaphore keeps some, and we see all writes |
//! | stream, pipe, inotify | read | the amount before, less the amount read |
//! | listening TCP socket | accept | one connection less |
//! | message queue | a message received or sent | nothing: each of these is a wakeup of both sides |
//! | signalfd | read | if the pending signals are fewer by exactly those that were read: the rest; else nothing |
//! | any other: datagrams, packets, listening unix sockets, shared semaphores | read | unknown; taken as nothing, so what is left is reported once more |
//! | any | write that was cut short | no room |
//!
//! Linux: `fs/timerfd.c:timerfd_read`, `fs/eventfd.c:eventfd_read`, `fs/eventpoll.c:ep_poll_callback`.

use glasspoll_reactor::file::File;
use glasspoll_reactor::sys;
use glasspoll_reactor::sys::unread::Unit;
use glasspoll_reactor::uapi::{
    ENDS, EPOLLERR, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, READ_SIDE, WRITE_SIDE,
};
use glasspoll_reactor::watch::KernelFile;
use libc::{c_int, size_t, ssize_t};

use crate::fdtable::{FdKind, FdRef, EVENTFD};

/// Whether a call reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// A finished read or write of the program.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    pub way: Way,
    /// The return value.
    pub got: ssize_t,
    /// errno, if `got` is negative.
    pub errno: c_int,
    /// The flags of recv(2); 0 for other calls.
    pub how: c_int,
    /// How much the program wanted to write.
    pub wanted: size_t,
    /// For a signalfd: the signals that were pending before the read, if no other thread could poll meanwhile.
    pub pending: Option<u64>,
}

impl Transfer {
    fn is_refused(&self) -> bool {
        self.got < 0 && self.errno == libc::EAGAIN
    }

    /// Whether a write found less room than it wanted.
    fn is_short(&self) -> bool {
        self.way == Way::Out && self.got >= 0 && (self.got as size_t) < self.wanted
    }
}

/// Notes in a watched file what a read or write of the program has left.
pub fn note(fd: FdRef, file: &File, call: &Transfer) {
    let Some(device) = file.device_as::<KernelFile>() else { return };
    if call.how & libc::MSG_ERRQUEUE != 0 {
        if call.got >= 0 {
            device.drained(EPOLLERR);
        }
        return;
    }
    if call.how & libc::MSG_OOB != 0 {
        if call.got >= 0 {
            device.drained(EPOLLPRI | EPOLLRDBAND);
        }
        return;
    }
    if fd.is(EVENTFD) {
        eventfd(file, device, call);
    } else if call.way == Way::In && fd.kind() == FdKind::Timerfd {
        // ECANCELED means that the clock was set. The read reported that, and nothing is left.
        if call.got > 0 || call.is_refused() || call.errno == libc::ECANCELED {
            device.drained(READ_SIDE);
        }
    } else if device.is_message_queue() && call.got >= 0 {
        // Linux: `ipc/mqueue.c:do_mq_timedsend`, `do_mq_timedreceive` wake for both sides.
        device.drained(READ_SIDE | WRITE_SIDE);
    } else {
        other(file, device, call);
    }
}

fn eventfd(file: &File, device: &KernelFile, call: &Transfer) {
    let (bits, other) = match call.way {
        Way::In => (READ_SIDE, EPOLLOUT),
        Way::Out => (WRITE_SIDE, EPOLLIN),
    };
    let keeps_some = || device.is_own_counter() && device.look(EPOLLIN) & EPOLLIN != 0;
    if call.is_refused() || call.got > 0 && call.way == Way::In && !keeps_some() {
        device.drained(bits);
    }
    if call.got > 0 {
        device.tell(file, other);
    }
}

fn other(file: &File, device: &KernelFile, call: &Transfer) {
    let (bits, poll) = match call.way {
        Way::In => (READ_SIDE, EPOLLIN),
        Way::Out => (WRITE_SIDE, EPOLLOUT),
    };
    let peeked = call.how & libc::MSG_PEEK != 0;
    let now = device.look(bits);
    // A read consumes neither the end of file nor the readiness that it causes.
    let lasts = if now & EPOLLRDHUP != 0 { now } else { now & ENDS };
    if call.is_refused() || call.is_short() || now & poll == 0 {
        device.drained(bits & !lasts);
    } else if call.way == Way::In && call.got >= 0 && !peeked {
        took(device, call, bits & !lasts);
    }
    if call.way == Way::Out {
        device.written();
        if device.is_terminal() && call.got > 0 && now & poll != 0 {
            device.tell(file, EPOLLOUT);
        }
    }
}

/// A read succeeded, and the file is still ready, or ready again.
fn took(device: &KernelFile, call: &Transfer, bits: u32) {
    if device.is_signalfd() {
        let count = call.got as u32 / size_of::<libc::signalfd_siginfo>() as u32;
        let left = device.pending_signals();
        let is_rest = |before: u64| left & !before == 0 && (before & !left).count_ones() == count;
        if call.pending.is_some_and(is_rest) {
            device.left_signals(left);
        } else {
            device.drained(bits);
        }
        return;
    }
    match device.unit() {
        Unit::Bytes => device.took(call.got as u64),
        Unit::Connections => device.took(1),
        Unit::Unknown => device.drained(bits),
    }
}

/// The signals that are pending before a read of a signalfd.
pub fn pending_before(file: &File) -> Option<u64> {
    file.device_as::<KernelFile>().filter(|device| device.is_signalfd()).map(KernelFile::pending_signals)
}

/// Whether the eventfd has room for 1, so that a write of at most 1 does not sleep. A larger value may not fit where 1
/// does. A read may always sleep: another thread may take the value first.
pub fn has_room(fd: FdRef, way: Way) -> bool {
    let mut now = [libc::pollfd { fd: fd.fd(), events: libc::POLLOUT, revents: 0 }];
    fd.is(EVENTFD) && way == Way::Out && sys::ppoll(&mut now, Some(0), None) == Ok(1)
}
