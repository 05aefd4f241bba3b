//! Not written yet.

use std::process::ExitCode;

use crate::args::Top;

pub fn main(_args: &Top) -> Result<ExitCode, String> {
    Err("not written yet".into())
}
