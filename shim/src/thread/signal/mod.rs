//! The program's signal handlers, and signals that come at the wrong time.
//!
//! `trampoline` stands before the handlers. `requeue` queues a signal to its thread anew, `held` keeps it on valgrind.
//!
//! `requeue` and `held` are used in signal handlers: they take no lock and no memory.

pub mod held;
pub mod requeue;
pub mod trampoline;
