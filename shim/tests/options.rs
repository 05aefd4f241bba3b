//! The values of `GLASSPOLL_*`, and what a fuzzer found of them (`tests/fuzz/regressions/options`).

#[path = "../../tests/fuzz/targets/options_body.rs"]
mod body;
#[path = "../src/process/options/parse.rs"]
#[allow(dead_code, missing_docs)]
mod parse;

use std::fs;
use std::path::Path;

#[test]
fn sizes_numbers_and_words_are_what_they_say() {
    assert_eq!(parse::ring("4M"), Ok(Some(4 << 20)));
    assert_eq!(parse::ring("16384"), Ok(Some(16384)));
    assert_eq!(parse::ring("off"), Ok(None));
    for bad in ["", "K", "15K", "2G", "4T", "-1M", "99999999999999999999G", "4é", "18014398509481984K"] {
        assert!(parse::ring(bad).is_err(), "{bad}");
    }
    assert_eq!((parse::spin("1000000"), parse::spin("auto")), (Ok(Some(1_000_000_000)), Ok(None)));
    assert!(parse::spin("1000001").is_err() && parse::spin("-1").is_err());
    assert_eq!((parse::hot("0"), parse::hot("auto")), (Ok(Some(0)), Ok(None)));
    assert_eq!(parse::engine("emulate"), Ok(parse::Engine::Emulate));
    assert_eq!(parse::engine("observe"), Ok(parse::Engine::Observe));
    assert!(parse::engine("").is_err() && parse::engine("kernel").is_err());
    assert!(parse::log("glasspoll=loud").is_err());
    assert!(parse::log("glasspoll::flow=debug,off").is_ok_and(|filter| filter.is_some()));
}

#[test]
fn what_a_fuzzer_once_found_does_no_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/regressions/options");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        body::options(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert_ne!(count, 0);
}
