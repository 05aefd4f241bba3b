//! Our `struct file`, and what an eventpoll and a device know of each other.
//!
//! `open_file` is the file; `kernel_file` what is kept of a file of the kernel's; `wait_head` has the items and
//! threads that wait for it. `device` is what a file does when it is watched, which `watch` implements.
//! `poll_result` and `drain_hint` pass between the two sides.
//!
//! Keeps true: readiness enters in two ways only, by `Eventpoll::poll_callback` (a device reports it, through
//! `File::wake` or for one item) and by `Device::poll` (we ask).
//!
//! Locks: `WaitHead::entries` is the third level (`watch`), above `ep.lock` and below `ep.mtx`.

mod device;
mod drain_hint;
mod kernel_file;
mod open_file;
mod poll_result;
mod wait_head;

pub use device::{Device, ItemRef, WaitHead};
pub use drain_hint::DrainHint;
pub(crate) use kernel_file::{Arming, Marks, NOT_ARMED};
pub use kernel_file::{KernelFile, Ownership};
pub use open_file::{Backing, File};
pub use poll_result::{PollResult, PollerId, NO_POLLER_ID};
