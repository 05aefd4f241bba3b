//! A set of the kernel's, followed: the kernel answers the program's calls, and we keep the items and what the record
//! says of them.
//!
//! The files of such a set have the device `Unwatched`, so no item of it is ever on the ready list or hot. The kernel
//! tells of an event only the program's 64 bits: `followed` finds the item behind them.
//!
//! Locks: `mtx` is held while the kernel changes its set, so that an event that another thread gets finds the item.

mod ctl;
mod unwatched;
mod wait;

pub use unwatched::Unwatched;
pub use wait::{Items, KernelWait};

use crate::eventpoll::followed::Observed;
use crate::eventpoll::Eventpoll;
use crate::shared::Shared;
use crate::sync::Arc;

impl Eventpoll {
    /// A set that the kernel has made, with descriptor `fd`. `inherited`: another process has it, too.
    pub fn of_kernel(shared: &'static Shared, fd: i32, inherited: bool) -> Arc<Self> {
        Self::make(shared, fd, Some(Box::new(Observed::new())), inherited)
    }

    /// Whether the kernel answers the calls on this set.
    pub fn is_of_kernel(&self) -> bool {
        self.mtx.lock().observed.is_some()
    }
}
