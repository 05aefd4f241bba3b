//! Language runtimes, and a C library.

pub mod cpython;
pub mod curl;
pub mod script;
