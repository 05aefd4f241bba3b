//! Memory: a heap of our own, the program's memory, and a lock that needs neither.
//!
//! Locks: `RawLock`, of the heap and of `context`, which can be held over fork.

pub mod alloc;
pub mod lock;
pub mod user_memory;
