//! `fs/eventpoll.c`: the epoll instances. Names and flow are those of the kernel.
//!
//! `instance` is one epoll instance, and what its locks protect. `ctl` changes an instance, `wait` and `ep_poll` wait
//! for it, `send_events` delivers a `batch`, `deliver` one item of it, a wakeup calls `poll_callback`.
//! `epitem` is one registration, `item_tree` finds it, `ready_list` has the items that may be ready,
//! `wait_queue` the threads that wait. `item_poll` asks a file, `rearm` gives its device the answer.
//! `loop_check` and `max_user_watches` refuse additions. `items_of_file` takes a closed file out of every set.
//! `observed` follows a set that the kernel keeps, `followed` is what it keeps of it. `watcher` and `event_sink` are what a wait gets from its caller, `scratch` is room for a delivery.
//!
//! Locks: `mtx` (outer before nested), then a file's `WaitHead`, then `lock`. `lock` is never held
//! over a system call that can block.
//!
//! Keeps true: after `Device::detach` and `WaitHead::remove_item` return, no callback runs for that item.
//!
//! The parts import each other only where the kernel's structures point to each other: an instance has items, an
//! item has a file, and a file's wait queue has items of instances.

mod batch;
mod ctl;
pub(crate) mod deliver;
mod ep_poll;
pub mod epitem;
pub mod event_sink;
mod followed;
mod instance;
mod item_poll;
pub(crate) mod item_tree;
mod items_of_file;
mod loop_check;
pub(crate) mod max_user_watches;
pub mod observed;
mod poll_callback;
pub mod ready_list;
pub(crate) mod rearm;
mod rest;
pub(crate) mod scratch;
pub mod send_events;
pub mod timeout;
pub mod wait;
pub mod wait_queue;
pub mod watcher;

pub use instance::Eventpoll;
pub(crate) use instance::{Ready, Tree};
pub use items_of_file::release_file;
pub(crate) use items_of_file::{demote_file, finish_scans};
