//! One heavy test at a time.
//!
//! A server and its load generator fill two cores. Tests that measure time or make load take a turn; light tests run in
//! parallel with them.

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other heavy test runs; the turn ends when the guard is dropped.
pub fn take() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
