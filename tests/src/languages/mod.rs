//! Runtimes of languages, and a library for C.

pub mod cpython;
pub mod curl;
pub mod script;
