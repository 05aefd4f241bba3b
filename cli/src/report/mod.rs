//! Not written yet.

use std::process::ExitCode;

use crate::args::Report;

pub fn main(_args: &Report) -> Result<ExitCode, String> {
    Err("not written yet".into())
}
