//! The C tests: programs in `c-tests`, one for each behaviour. `tests/c_tests.rs` runs them.

mod build;
mod options;
mod runner;
mod test;

pub use build::{Built, Folders};
pub use options::Options;
pub use runner::{Runner, Verdict};
pub use test::{CTest, Limit, LimitMode};
