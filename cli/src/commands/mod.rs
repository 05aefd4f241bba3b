//! The subcommands, each in a file of its name: its options, and the order of its steps.
//!
//! `report` and `top` are folders of their own, because they are more than a command; `shell` is `completions` and
//! `man`.

pub mod attach;
pub mod doctor;
pub mod dump;
pub mod ls;
pub mod record;
pub mod run;
pub mod shell;
