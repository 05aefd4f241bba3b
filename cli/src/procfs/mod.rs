//! What /proc says of a process: its names, its files, its sockets, its epoll sets, its children; and
//! which processes have a file.
//!
//! What it says is a guess about another process, which may have ended or changed since.

pub mod asleep;
pub mod describe;
pub mod eventpoll;
pub mod family;
pub mod fdinfo;
pub mod holders;
pub mod names;
pub mod net;
pub mod queue;
