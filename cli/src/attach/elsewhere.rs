//! A machine for which the code is not written.

use super::{Attached, Options, Refusal};

/// Refuses.
pub fn attach(_pid: u32, _options: &Options) -> Result<Attached, Refusal> {
    Err(Refusal::NotHere)
}

/// Refuses.
pub fn end_look(_pid: u32, _options: &Options, _leave: impl FnOnce()) -> Result<u32, Refusal> {
    Err(Refusal::NotHere)
}

/// Refuses.
pub fn detach(_pid: u32, _options: &Options) -> Result<u32, Refusal> {
    Err(Refusal::NotHere)
}
