//! The process that we live in: its start, its watch, its forks, its options, and what it reports.
//!
//! `start` makes it, the first epoll instance makes its `watch`, `fork` makes it anew in a child. `state` is what it
//! is, `host` is the reactor's view of it. `options` reads the environment, `logs` and `log_file` write the log,
//! `record` makes the record of the event flow, `stacks` finds out which code adds a descriptor, `reserved_fds` manages our own descriptors.
//!
//! Keeps true: a program that never makes an epoll instance keeps its descriptors, threads and signal handlers
//! unchanged.

mod fork;
mod host;
pub mod log_file;
pub mod logs;
pub mod options;
pub mod record;
mod recording;
pub mod reserved_fds;
pub mod stacks;
mod start;
mod state;
mod watch;

pub use fork::*;
pub use recording::{begin_observing, end_observing, give_up, lacks_its_record};
pub use start::{sleep_again, start, start_late};
pub use state::{engine, is_inert, shared};
pub use watch::{descriptors, watch, WATCH};
