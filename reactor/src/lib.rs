//! Linux `fs/eventpoll.c` in userspace.
//!
//! # The flow
//! ```text
//! epoll_ctl ADD ──► Eventpoll::ctl ──► Epitem in the item tree (rbr)
//!                                  └─► Device::attach, Device::poll      (asked)
//! device ready ──► File::wake ──► Eventpoll::poll_callback ──► rdllist / ovflist   (told)
//!                                                          └─► one Waiter woken
//! epoll_wait ──► Eventpoll::wait ──► Watcher::pump ──► send_events: ask again, deliver
//!                              └──► Watcher::sleep
//! ```
//! One way only: application → eventpoll → watch. What comes back is the wakeup callback.
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
//! # Modules
//! `uapi` the constants; `eventpoll`, `epitem`, `ready_list`, `poll_callback`, `poll`, `ctl`, `send`, `item_poll`, `settle`, `wait_queue`,
//! `loop_check`, `watches` the parts of `fs/eventpoll.c`; `hot`, `slot`, `heat`, `item_heat`, `pace`, `send_hot` the items that a wait asks itself;
//! `chaos` what waits must put up with; `timeout` how long it may take, `spin` looking before a sleep; `file` the wait queue heads; `watch` the
//! devices; `trace` the stations of the flow, `looked` since when what is found may be ready; `sys` the system calls (`sys::numbers`: descriptors out of the way), `past_limit` one of them; `sync` the
//! locks; `slab` and `rbr` hold the items.

use glasspoll_record::mutation;

pub mod chaos;
mod ctl;
pub mod epitem;
pub mod eventpoll;
pub mod file;
mod heat;
pub mod hot;
mod item_heat;
mod item_poll;
pub mod looked;
mod loop_check;
#[cfg(loom)]
mod model;
mod pace;
mod past_limit;
pub mod poll;
mod poll_callback;
mod rbr;
pub mod ready_list;
pub mod send;
mod send_hot;
mod settle;
pub mod slab;
pub mod slot;
pub mod spin;
pub mod sync;
pub mod sys;
pub mod timeout;
pub mod trace;
pub mod uapi;
pub mod wait_queue;
pub mod watch;
pub mod watches;
