//! The record of the event flow: what each process keeps in memory (`ring`), and the file that is made of it
//! (`file`).
//!
//! # The ring
//! Each process that has an epoll instance keeps a memfd named `glasspoll`, of fixed size and sealed: nobody else
//! can write to it. Whoever may read the process's `/proc/PID/fd` finds it there (`find`). Numbers are
//! little-endian.
//!
//! | at | what |
//! |---|---|
//! | 0 | the header, one page (`layout::header`) |
//! | 4096 | `blocks` blocks of 1024 bytes |
//! | after them | `capacity` entries of 20 bytes, the items (`items`) |
//!
//! A block belongs to one thread: 32 bytes of its own (`layout::block`), then up to 31 records of 32 bytes. A
//! thread takes the next block (`next`, counted from 0) where it has none or its own is full, and so overwrites the
//! oldest. Block `n` lies at `n % blocks` and has `n + 1` as its serial number.
//!
//! A record is four words. The first is the time since the block's, in ticks (40 bits), the kind (8 bits) and a check
//! of all of it (16 bits); the others are the kind's own (`event`). A record whose check is wrong was torn or
//! overwritten as it was read: it is counted, and not shown.
//!
//! Time is in ticks of the processor's counter where that is steady, else in nanoseconds (`clock`); every block has
//! one moment in both, the other one being CLOCK_MONOTONIC.
//!
//! # Versions
//! `layout::VERSION` changes with the meaning of anything above; a reader refuses what it does not know. A kind that
//! a reader does not know is skipped.

#![allow(clippy::missing_errors_doc)]

pub mod chaos;
pub mod clock;
pub mod event;
pub mod file;
pub mod find;
pub mod histogram;
pub mod items;
pub mod layout;
#[cfg(loom)]
pub mod memory;
#[doc(hidden)]
pub mod mutation;
pub mod process;
pub mod ring;
pub mod ring_size;
pub mod stream;
mod sync;
pub mod writer;

pub use event::Event;
pub use file::Recording;
pub use process::{Entry, Process};
