//! A thread of the program: inside our critical sections or outside, its signal handlers, fork, and cancellation.
//!
//! `context` decides, `tls` is where a thread finds what it keeps for us, `own_stack` which pointers lie in its stack,
//! `fork_page` whether the process is a forked child, `signal` how the program's handlers run.
//!
//! Keeps true: no handler of the program runs on top of our frames, and no lock of ours is held in a forked child.

pub mod context;
pub mod fork_page;
pub mod own_stack;
pub mod signal;
mod tls;
