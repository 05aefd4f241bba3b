//! What /proc says of a process: its names, its files, its sockets, its epoll sets.
//!
//! What it says is a guess about another process, which may have ended or changed since.

pub mod describe;
pub mod eventpoll;
pub mod fdinfo;
pub mod names;
pub mod net;
pub mod queue;
