//! Memory: our own heap, access to the program's memory, and a lock that needs neither.
//!
//! Locks: `RawLock`, in the heap and in `context`. It can be held across a fork.

pub mod alloc;
pub mod lock;
pub mod user_memory;
pub mod writable;
