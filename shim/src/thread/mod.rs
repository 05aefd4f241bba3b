//! A thread of the program: inside our critical sections or outside, its signal handlers, forks, and cancellation.
//!
//! `context` decides. `tls` finds our state of a thread, `own_stack` tells which pointers lie in its stack, `fork_page`
//! tells whether the process is a forked child, `signal` runs the program's handlers. `guarded` is the border to the
//! program.
//!
//! Keeps true: no handler of the program runs on top of our frames, and no lock of ours is held in a forked child.

pub mod context;
pub mod fork_page;
pub mod guarded;
pub mod own_stack;
pub mod signal;
mod tls;
