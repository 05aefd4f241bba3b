//! `libglasspoll.so`: with LD_PRELOAD, every epoll call of an unmodified program is answered by
//! `glasspoll-reactor` in the program's own address space.
//!
//! # Modules
//! - what the program calls: `epoll` (epoll_*), `poll_calls` and `polling` (poll, select on epoll
//!   descriptors), `births` (socket, pipe, …), `descriptors` (close, dup, fcntl, ioctl), `io` (read, write, …), `signals` (masks),
//!   `handlers` and `handler_calls` (sigaction), `process` (exec, spawn), `limits` (setrlimit, setuid),
//!   `cancel` (pthread_cancel), `raw` (syscall), `io_uring` (epoll_ctl by io_uring)
//! - what we keep: `table` (descriptor → file), `ring` (the record of the event flow), `runtime` (start-up, the watch, fork), `context` (inside
//!   or outside: signal handlers, fork), `fork_page` (forks past libc), `options` and `logs`
//! - how we live here: `real` (libc's own functions), `alloc` (a private heap), `lock`, `user_memory` and
//!   `own_stack` (pointers from the program), `pollable` (what a set takes), `moving` (our descriptors step aside),
//!   `busy_poll` (ioctl on an epoll descriptor), `arch`
//!
//! Locks: those of the reactor (see there); the table's shards are taken for look-ups only, before any
//! of them. All are taken inside `context` alone.

#![allow(clippy::missing_safety_doc)]

mod alloc;
mod arch;
mod births;
mod busy_poll;
mod cancel;
mod context;
mod counters;
mod descriptors;
mod epoll;
mod fork_page;
mod handler_calls;
mod handlers;
mod hints;
mod io;
mod io_uring;
mod kicks;
mod left;
mod limits;
mod lock;
mod log_file;
mod logs;
mod messages;
mod moving;
mod mqueue;
mod options;
mod own_stack;
mod poll_calls;
mod pollable;
mod polling;
mod process;
mod raw;
mod real;
mod requeue;
mod ring;
mod runtime;
mod signals;
mod splice;
mod table;
mod user_memory;
