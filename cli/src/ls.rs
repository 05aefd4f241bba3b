//! Not written yet.

use std::process::ExitCode;

use crate::args::Ls;

pub fn main(_args: &Ls) -> Result<ExitCode, String> {
    Err("not written yet".into())
}
