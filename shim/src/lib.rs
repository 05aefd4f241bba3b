//! `libglasspoll.so`: with LD_PRELOAD, `glasspoll-reactor` answers every epoll call of an unmodified program, in the
//! program's own address space.
//!
//! # The flow
//! ```text
//! the program ──► interpose: libc's name ──► engine ──► thread::context: inside ──► fdtable: which file ──► reactor
//!                                       │         └──► the kernel, and what it answers to the record
//!                                       └──► libc, where the call does not concern us
//! ```
//!
//! # The map
//! | folder | what it is |
//! |---|---|
//! | `interpose` | the libc functions that we interpose, a file for each man page or family |
//! | `engine` | who answers the epoll calls: we, or the kernel, whose answers we record |
//! | `fdtable` | which file is behind each fd |
//! | `thread` | inside or outside: handlers, fork, cancellation |
//! | `attach` | the library came late: how names lead to it, and cease to |
//! | `process` | start-up, fork, options, logs, the record, our own descriptors |
//! | `memory` | a private heap, the program's memory, a lock |
//!
//! `arch` depends on the processor. `errno` gives results in libc's form.
//!
//! Locks: those of the reactor (see there). The table's entries and shards are held only for look-ups, and before any
//! of the reactor's. All are taken only inside `thread::context`.

#![allow(clippy::missing_safety_doc)]

mod arch;
mod attach;
mod engine;
mod errno;
mod fdtable;
mod interpose;
mod memory;
mod process;
mod thread;
