//! Mutation testing: does a test notice a change of the reactor's code?
//!
//! | file | holds |
//! |---|---|
//! | `options` | which mutations are tried, and for how long |
//! | `mutant` | one change, as cargo-mutants lists it |
//! | `tree` | a copy of the workspace, changed and built |
//! | `jury` | the tests that should notice |

mod jury;
mod mutant;
mod options;
mod tree;

pub use jury::Jury;
pub use mutant::Mutant;
pub use options::Options;
pub use tree::Tree;
