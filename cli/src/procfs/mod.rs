//! What /proc says of a process: its names, its files, its sockets.
//!
//! Keeps true: whatever stands there is a guess about another process, which may have gone or changed since.

pub mod describe;
pub mod names;
pub mod net;
