//! The program's signal handlers, and signals that come at the wrong time.
//!
//! `ours` is the library's own signal. `trampoline` runs before the handlers. `requeue` queues a signal to its thread
//! again, `held` keeps it on valgrind.
//!
//! `requeue` and `held` are used in signal handlers: they take no lock and allocate nothing.

pub mod held;
pub mod ours;
pub mod requeue;
pub mod trampoline;
