//! The record of the event flow: the ring that each process keeps in memory (`ring`), and the file made from
//! rings (`file`).
//!
//! # The ring
//! Each process that has an epoll instance keeps a memfd named `glasspoll`, of fixed size and sealed, so that
//! no other process can write to it. A process that may read `/proc/PID/fd` finds it there (`find`). Numbers
//! are little-endian.
//!
//! | at | what |
//! |---|---|
//! | 0 | the header, one page (`layout::header`) |
//! | 4096 | `blocks` blocks of 1024 bytes |
//! | after them | `capacity` entries of 20 bytes, the items (`items`) |
//! | after them, at a multiple of 64 | `fds` entries of 32 bytes, what is known of each descriptor (`facts`) |
//! | at a page of its own | the call stacks (`stacks`), if they are kept |
//!
//! A block belongs to one thread. It has a header of 32 bytes (`layout::block`), then up to 31 records of 32
//! bytes. When a thread has no block, or its block is full, it takes the next one (`next`, counted from 0), and
//! so overwrites the oldest. Block `n` lies at `n % blocks` and has the serial number `n + 1`.
//!
//! A record has four words. The first has the time since the block's, in ticks (40 bits), the kind (8 bits) and
//! a check of the whole record (16 bits); the meaning of the others depends on the kind (`event`). If the check
//! is wrong, the record was torn, or overwritten while it was read: a reader counts it, and does not show it.
//!
//! Time is in ticks of the processor's counter if that is steady, else in nanoseconds (`clock`). Every block
//! has one moment both in ticks and in CLOCK_MONOTONIC.
//!
//! # Versions
//! `layout::VERSION` changes if the meaning of anything above changes. A reader refuses versions that it does
//! not know, and skips records of a kind that it does not know.

#![allow(clippy::missing_errors_doc)]

pub mod accept_queue;
pub mod chaos;
pub mod clock;
pub mod event;
pub mod facts;
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
pub mod sample;
pub mod stacks;
pub mod stream;
mod sync;
pub mod writer;

pub use event::Event;
pub use file::Recording;
pub use process::{Entry, Process};
pub use sample::Sample;
