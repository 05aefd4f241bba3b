//! The command `glasspoll`, and the output of it and of the log.

pub mod attach;
pub mod chromium;
pub mod command;
pub mod findings;
pub mod flow;
pub mod screen;
pub mod synthetic;
