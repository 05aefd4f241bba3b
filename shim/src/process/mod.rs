//! The process that we live in: its start, its one watch, its forks, what it was asked for, and what it tells.
//!
//! `start` makes all of it, `fork` makes it anew in a child, `options` is the environment, `logs` and `log_file` are the log, `record` the record of the
//! event flow, `reserved_fds` our own descriptors.
//!
//! Keeps true: a program that never makes an epoll instance keeps its descriptors, threads and signal handlers as
//! they were.

mod fork;
pub mod log_file;
pub mod logs;
pub mod options;
pub mod record;
pub mod reserved_fds;
mod start;

pub use fork::*;
pub use start::*;
