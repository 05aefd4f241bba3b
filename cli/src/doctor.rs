//! Not written yet.

use std::process::ExitCode;

use crate::args::Doctor;

pub fn main(_args: &Doctor) -> Result<ExitCode, String> {
    Err("not written yet".into())
}
