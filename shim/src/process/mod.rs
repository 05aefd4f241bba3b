//! The process that we live in: its start, its watch, its forks, its options, and what it reports.
//!
//! `start` makes all of it, `fork` makes it anew in a child. `options` reads the environment, `logs` and `log_file`
//! write the log, `record` makes the record of the event flow, `reserved_fds` manages our own descriptors.
//!
//! Keeps true: a program that never makes an epoll instance keeps its descriptors, threads and signal handlers
//! unchanged.

mod fork;
pub mod log_file;
pub mod logs;
pub mod options;
pub mod record;
pub mod reserved_fds;
mod start;

pub use fork::*;
pub use start::*;
