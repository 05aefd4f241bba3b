//! Runs the unit tests of `fdtable::pollable`, which knows nothing of the rest of the library: a test binary of the
//! library would interpose itself.

#[path = "../src/fdtable/pollable/mod.rs"]
#[allow(dead_code)]
mod pollable;
