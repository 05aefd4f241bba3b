//! `libglasspoll.so`: with LD_PRELOAD, every epoll call of an unmodified program is answered by
//! `glasspoll-reactor` in the program's own address space.
//!
//! # The flow
//! ```text
//! the program ──► interpose: libc's name ──► thread::context: inside ──► fdtable: which file ──► reactor
//!                                       └──► libc, where the call does not concern us
//! ```
//!
//! # The map
//! | folder | what it is |
//! |---|---|
//! | `interpose` | libc's names that we stand before, a file for each man page or family |
//! | `fdtable` | what is behind each number |
//! | `thread` | inside or outside: handlers, fork, cancellation |
//! | `process` | start-up, fork, options, logs, the record, our own descriptors |
//! | `memory` | a private heap, the program's memory, a lock |
//!
//! `arch` is what depends on the processor.
//!
//! Locks: those of the reactor (see there); the table's shards are taken for look-ups only, before any
//! of them. All are taken inside `thread::context` alone.

#![allow(clippy::missing_safety_doc)]

mod arch;
mod fdtable;
mod interpose;
mod memory;
mod process;
mod thread;
