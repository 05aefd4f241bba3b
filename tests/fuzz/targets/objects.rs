//! See `cli/src/fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| glasspoll_cli::fuzz::objects(bytes));
