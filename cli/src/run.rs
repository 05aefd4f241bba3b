//! Not written yet.

use std::process::ExitCode;

use crate::args::Run;

pub fn main(_args: &Run) -> Result<ExitCode, String> {
    Err("not written yet".into())
}
