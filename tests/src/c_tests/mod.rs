//! The C tests: programs of one behaviour each, in `c-tests`.

mod test;

pub use test::{CTest, Limit, LimitMode};
