//! Linux `fs/eventpoll.c` in userspace.
//!
//! # The flow
//! ```text
//! epoll_ctl ADD ──► eventpoll::ctl ──► Epitem in the item tree
//!                                  └─► Device::attach, Device::poll                (asked)
//!
//! device ready ──► watch::drain ──► File::wake ──► poll_callback ──► rdllist / ovflist   (woken)
//!                                                              └───► one Waiter woken
//!
//! epoll_wait ──► eventpoll::wait ──► Watcher::look ──► send_events: ask again, deliver
//!                               └──► Watcher::sleep ──► watch::holder
//! ```
//! Calls go one way: application → eventpoll → watch. Only the wakeup callback goes back. Of the modules,
//! `eventpoll` knows the traits `Device` and `Watcher`, and `watch` implements them. The modules that import each
//! other in a ring are those of the structures that point to each other: `Eventpoll` and its `Scratch`, `Epitem`,
//! `File` and `Device`.
//!
//! # Locks, in the order they are taken
//! 1. `loop_check::EPMUTEX`: insertions that can form a loop.
//! 2. `Eventpoll::mtx`, the outer instance before the nested one: the item tree; held while events
//!    are delivered and while files are asked.
//! 3. `watch`: the pump, then a file's `WaitHead` (inner before outer, the direction of a wakeup),
//!    then the poller's entries.
//! 4. `Eventpoll::lock`: the ready list, the overflow list, the wait queue. Short; never held over a
//!    system call that can block; waiters are woken after it is dropped.
//!
//! The wakeup path takes 3 and 4, never 2. After `Device::detach` and `WaitHead::remove_item` return,
//! no callback runs for that item.
//!
//! # The map
//! | folder | what it is |
//! |---|---|
//! | `eventpoll` | `fs/eventpoll.c`: an instance, its items, its ready list, its waiters |
//! | `hot` | busy items, whose files the waiting thread asks itself |
//! | `file` | our `struct file`: its wait queue head, its device, what is kept of a file of the kernel's |
//! | `watch` | how we learn that the kernel's files are ready: by signals, by poll |
//! | `trace` | records and logs the stations of the flow, and when files became ready |
//! | `sys` | the system calls |
//! | `sync` | locks and atomics |
//! | `chaos` | injects what programs must tolerate |
//! | `model` | the reactor under a model checker |
//!
//! `uapi` has the constants and `epoll_event`; `shared` is what the sets of a process share, with the process's
//! settings (`Config`); `slab` holds items and the poller's entries; `hash` has maps of numbers.

use glasspoll_record::mutation;

pub(crate) mod chaos;
pub mod eventpoll;
pub mod file;
pub mod hash;
pub mod hot;
#[cfg(loom)]
mod model;
pub mod shared;
pub mod slab;
pub mod sync;
pub mod sys;
pub mod trace;
pub mod uapi;
pub mod watch;
