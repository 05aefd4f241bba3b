//! A seeded random walk over the epoll API, run on the kernel and preloaded: both logs must be equal.
//!
//! A walk is a list of steps over numbered places: `f3` is the fourth descriptor that was made, `e0` the first epoll.
//! One thread runs it, so everything that a step causes has happened before the next one.

mod c_program;
mod canon;
mod files;
mod generate;
mod polled;
mod run;
mod shrink;
mod step;
mod terms;
mod unasked;
mod world;

pub use c_program::c_program;
pub use canon::canon;
pub use generate::generate;
pub use run::run;
pub use shrink::shrink;
pub use step::{Kind, Step, Work};
pub use terms::Terms;
