//! A thread of the program: inside our critical sections or outside, its signal handlers, forks, and cancellation.
//!
//! `context` decides. `state` is what we keep of each thread, `tls` finds it, `own_stack` tells which pointers lie in
//! its stack, `fork_page` tells whether the process is a forked child, `signal` runs the program's handlers. `guarded`
//! is the border to the program.
//!
//! Keeps true: no handler of the program runs on top of our frames, and no lock of ours is held in a forked child.

pub mod context;
mod escape;
pub mod fork_page;
pub mod guarded;
mod own_stack;
pub mod signal;
mod state;
mod tls;

pub use state::Thread;
pub use tls::with_thread;
