//! The program's signal handlers, and signals that come at the wrong time.
//!
//! `trampoline` stands before the handlers. `requeue` queues a signal to its thread anew, `held` keeps it on valgrind.
//!
//! Safe in a signal handler: no locks, no allocation.

pub mod held;
pub mod requeue;
pub mod trampoline;
