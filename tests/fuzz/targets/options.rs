//! The values of `GLASSPOLL_*`, as the library reads them.
#![no_main]

#[path = "options_body.rs"]
mod body;
#[path = "../../../shim/src/process/options/parse.rs"]
mod parse;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::options(bytes));
