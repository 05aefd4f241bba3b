//! The command `glasspoll`, and what it and the log show.

pub mod chromium;
pub mod command;
pub mod flow;
pub mod screen;
pub mod synthetic;
