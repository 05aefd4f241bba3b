//! Every raw system call of the reactor and the shim, with a typed `Errno`.
//!
//! The calls go to the kernel directly and not through libc: the shim interposes libc's names, and our own
//! calls must never come back to it. All calls go through `enter`, which a model replaces by a kernel of its
//! own.
//!
//! Each file has a family of calls. `fd_numbers` keeps our descriptors out of the program's way, `over_limit`
//! replaces ppoll(2) if the kernel refuses it, `unread` finds out how much there is to read from a file.
//!
//! No call here takes a lock of the reactor. `fd_numbers` has a lock for the limit that it raises.

pub use syscalls::Errno;
use syscalls::Sysno;

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;

/// A system call of up to six arguments, as the kernel takes them.
///
/// # Safety
/// The arguments must be right for that call.
#[inline]
pub unsafe fn syscall(nr: usize, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    unsafe { enter::syscall(nr, args) }
}

macro_rules! call {
    ($nr:ident $(, $arg:expr)*) => {{
        let args = args_of(&[$( $arg as usize ),*]);
        // SAFETY: each wrapper below passes only live references or plain numbers.
        unsafe { syscall(Sysno::$nr as usize, args) }
    }};
}

/// The arguments of a system call; those that are not given are 0.
pub fn args_of(given: &[usize]) -> [usize; 6] {
    let mut args = [0; 6];
    args[..given.len()].copy_from_slice(given);
    args
}

mod descriptor;
#[cfg(not(any(loom, miri)))]
mod enter;
#[cfg(miri)]
#[path = "interpreted.rs"]
mod enter;
mod fd_numbers;
mod file_io;
#[cfg(not(loom))]
mod futex;
pub mod magic;
mod memory;
mod over_limit;
mod poll;
mod process;
mod signal;
mod socket;
mod stat;
mod time;
pub mod unread;
mod valgrind;

#[cfg(loom)]
use crate::model::kernel as enter;
#[cfg(loom)]
pub use crate::model::kernel::futex::{futex_wait, futex_wake, relax};
#[cfg(not(loom))]
pub use futex::{futex_wait, futex_wake, relax};

pub use descriptor::*;
pub(crate) use fd_numbers::alias;
pub use fd_numbers::{
    descriptor_limits, duplicate_high, move_high, stay_above, with_raised_limit, GAP, LIMIT,
};
pub use file_io::*;
pub use memory::*;
pub use poll::*;
pub use process::*;
pub use signal::*;
pub use socket::*;
pub use stat::*;
pub use time::*;
pub use valgrind::on_valgrind;
