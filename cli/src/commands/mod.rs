//! The subcommands, each by its name: what it is asked for, and in which order things are done.
//!
//! `report` and `top` are folders of their own, for they are more than a command; `shell` is `completions` and `man`.

pub mod doctor;
pub mod dump;
pub mod ls;
pub mod record;
pub mod run;
pub mod shell;
