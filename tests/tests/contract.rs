//! The table of the contract in DESIGN.md names tests that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_contract_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let design = fs::read_to_string(root.join("DESIGN.md")).expect("DESIGN.md can be read");
    let contract =
        design.split("\n## ").find(|section| section.starts_with("The contract")).expect("its section");
    let chapters = fs::read_dir(root.join("c-tests")).expect("c-tests can be read");
    let tests: BTreeSet<String> = chapters
        .filter_map(|chapter| fs::read_dir(chapter.ok()?.path()).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".c").map(str::to_owned))
        .collect();
    let rows: Vec<&str> = contract.lines().filter(|line| line.starts_with("| ")).collect();
    let mut named = 0;
    for cell in rows.iter().filter_map(|row| row.rsplit('|').nth(1)) {
        for name in cell.split('`').skip(1).step_by(2) {
            let found = match name.strip_suffix('*') {
                Some(start) => tests.iter().any(|test| test.starts_with(start)),
                None => tests.contains(name),
            };
            assert!(found, "DESIGN.md names {name}, and there is no such test");
            named += 1;
        }
    }
    assert!(rows.len() > 39 && named > 150, "{named} names in {} rows", rows.len());
}
