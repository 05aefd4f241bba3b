//! Not written yet.

use std::process::ExitCode;

use crate::args::{Dump, Record};

pub fn record(_args: &Record) -> Result<ExitCode, String> {
    Err("not written yet".into())
}

pub fn dump(_args: &Dump) -> Result<ExitCode, String> {
    Err("not written yet".into())
}
