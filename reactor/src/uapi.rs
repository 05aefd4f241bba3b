//! The userspace API of epoll: event masks, limits and the event structure, as the kernel has them.
//!
//! Linux: `include/uapi/linux/eventpoll.h`, `fs/eventpoll.c`.

use std::fmt;

/// The file can be read. Linux: `EPOLLIN`.
pub const EPOLLIN: u32 = 0x001;
/// Urgent data or an exceptional state. Linux: `EPOLLPRI`.
pub const EPOLLPRI: u32 = 0x002;
/// The file can be written. Linux: `EPOLLOUT`.
pub const EPOLLOUT: u32 = 0x004;
/// An error; always reported. Linux: `EPOLLERR`.
pub const EPOLLERR: u32 = 0x008;
/// A hang-up; always reported. Linux: `EPOLLHUP`.
pub const EPOLLHUP: u32 = 0x010;
/// Not an open file; poll(2) only. Linux: `EPOLLNVAL`.
pub const EPOLLNVAL: u32 = 0x020;
/// Linux: `EPOLLRDNORM`.
pub const EPOLLRDNORM: u32 = 0x040;
/// Linux: `EPOLLRDBAND`.
pub const EPOLLRDBAND: u32 = 0x080;
/// Linux: `EPOLLWRNORM`.
pub const EPOLLWRNORM: u32 = 0x100;
/// Linux: `EPOLLWRBAND`.
pub const EPOLLWRBAND: u32 = 0x200;
/// Linux: `EPOLLMSG`.
pub const EPOLLMSG: u32 = 0x400;
/// The peer shut down its writing half. Linux: `EPOLLRDHUP`.
pub const EPOLLRDHUP: u32 = 0x2000;
/// A wakeup wakes at least one waiter, not all. Linux: `EPOLLEXCLUSIVE`.
pub const EPOLLEXCLUSIVE: u32 = 1 << 28;
/// Keeps the system awake; dropped without CAP_BLOCK_SUSPEND. Linux: `EPOLLWAKEUP`.
pub const EPOLLWAKEUP: u32 = 1 << 29;
/// Disarm after one report. Linux: `EPOLLONESHOT`.
pub const EPOLLONESHOT: u32 = 1 << 30;
/// Report edges. Linux: `EPOLLET`.
pub const EPOLLET: u32 = 1 << 31;

/// Bits that are no poll events but change how the item works. Linux: `fs/eventpoll.c:EP_PRIVATE_BITS`.
pub const EP_PRIVATE_BITS: u32 = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
/// Linux: `fs/eventpoll.c:EPOLLINOUT_BITS`.
pub const EPOLLINOUT_BITS: u32 = EPOLLIN | EPOLLOUT;
/// Bits that are permitted together with EPOLLEXCLUSIVE. Linux: `fs/eventpoll.c:EPOLLEXCLUSIVE_OK_BITS`.
pub const EPOLLEXCLUSIVE_OK_BITS: u32 =
    EPOLLINOUT_BITS | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
/// Deepest nesting of epolls. Linux: `fs/eventpoll.c:EP_MAX_NESTS`.
pub const EP_MAX_NESTS: i32 = 4;
/// Most events one wait may ask for. Linux: `fs/eventpoll.c:EP_MAX_EVENTS`.
pub const EP_MAX_EVENTS: i32 = i32::MAX / std::mem::size_of::<EpollEvent>() as i32;

/// Every bit that poll(2) may report.
pub const POLL_BITS: u32 = 0xffff & !EPOLLNVAL;
/// What "readable" can mean: data, a hang-up or an error. `si_band` is not more exact.
pub const READ_SIDE: u32 = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/// The ends of a file.
pub const ENDS: u32 = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/// The bits of a signal for urgent data.
pub const URGENT: u32 = EPOLLPRI | EPOLLRDBAND;
/// What "writable" can mean: room, or that a pipe has lost its last reader.
pub const WRITE_SIDE: u32 = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR;

/// Add an item. Linux: `EPOLL_CTL_ADD`.
pub const EPOLL_CTL_ADD: i32 = 1;
/// Remove an item. Linux: `EPOLL_CTL_DEL`.
pub const EPOLL_CTL_DEL: i32 = 2;
/// Change an item. Linux: `EPOLL_CTL_MOD`.
pub const EPOLL_CTL_MOD: i32 = 3;

/// Linux: `struct epoll_event`, packed on x86_64 alone.
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
#[derive(Clone, Copy, Debug, Default)]
pub struct EpollEvent {
    /// The event mask.
    pub events: u32,
    /// The caller's 64 bits, which we pass on unchanged.
    pub data: u64,
}

/// An event mask that prints as `IN|RDHUP|ET`.
#[derive(Clone, Copy)]
pub struct Mask(pub u32);

const NAMES: [(u32, &str); 16] = [
    (EPOLLIN, "IN"),
    (EPOLLPRI, "PRI"),
    (EPOLLOUT, "OUT"),
    (EPOLLERR, "ERR"),
    (EPOLLHUP, "HUP"),
    (EPOLLNVAL, "NVAL"),
    (EPOLLRDNORM, "RDNORM"),
    (EPOLLRDBAND, "RDBAND"),
    (EPOLLWRNORM, "WRNORM"),
    (EPOLLWRBAND, "WRBAND"),
    (EPOLLMSG, "MSG"),
    (EPOLLRDHUP, "RDHUP"),
    (EPOLLEXCLUSIVE, "EXCLUSIVE"),
    (EPOLLWAKEUP, "WAKEUP"),
    (EPOLLONESHOT, "ONESHOT"),
    (EPOLLET, "ET"),
];

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut first = true;
        for (bit, name) in NAMES {
            if rest & bit != 0 {
                rest &= !bit;
                f.write_str(if first { "" } else { "|" })?;
                f.write_str(name)?;
                first = false;
            }
        }
        match (rest, first) {
            (0, false) => Ok(()),
            (0, true) => f.write_str("0"),
            (_, true) => write!(f, "{rest:#x}"),
            (_, false) => write!(f, "|{rest:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_print_by_name_and_unknown_bits_as_a_number() {
        assert_eq!(Mask(0).to_string(), "0");
        assert_eq!(Mask(EPOLLIN | EPOLLRDHUP | EPOLLET).to_string(), "IN|RDHUP|ET");
        assert_eq!(Mask(EPOLLIN | 0x10000).to_string(), "IN|0x10000");
        assert_eq!(Mask(0x10000).to_string(), "0x10000");
    }

    #[test]
    fn the_event_has_the_size_of_the_kernels() {
        assert_eq!(std::mem::size_of::<EpollEvent>(), std::mem::size_of::<libc::epoll_event>());
    }
}
