//! What the documents say about the C tests: the contract names all of them, and the limits name those that must fail
//! here.

use glasspoll_tests::c_tests::CTest;
use glasspoll_tests::documents::{c_tests, is_named, quoted, read, root};
use std::collections::BTreeSet;

#[test]
fn the_contract_names_each_c_test_and_no_other() {
    let (contract, tests) = (read("docs/contract.md"), c_tests());
    let rows: Vec<&str> = contract.lines().filter(|line| line.starts_with("| ")).collect();
    let named: BTreeSet<&str> =
        rows.iter().filter_map(|row| row.rsplit('|').nth(1)).flat_map(quoted).collect();
    let unknown: Vec<_> = named.iter().filter(|by| !tests.iter().any(|test| is_named(test, by))).collect();
    assert!(unknown.is_empty(), "docs/contract.md names tests that do not exist: {unknown:#?}");
    let missing: Vec<_> = tests.iter().filter(|test| !named.iter().any(|by| is_named(test, by))).collect();
    assert!(missing.is_empty(), "docs/contract.md names no row for these tests: {missing:#?}");
    assert!(rows.len() > 39 && named.len() > 150, "{} names in {} rows", named.len(), rows.len());
}

#[test]
fn the_limits_have_each_c_test_that_fails_here() {
    let document = read("docs/limits.md");
    let named: BTreeSet<&str> = quoted(&document).collect();
    let tests = CTest::all(&root().join("c-tests")).expect("c-tests can be read");
    let listed: BTreeSet<&str> =
        tests.iter().filter(|test| !test.limits.is_empty()).map(|test| test.name.as_str()).collect();
    assert!(listed.len() > 20, "c-tests have limits in {listed:?}");
    let missing: Vec<_> = listed.difference(&named).collect();
    assert!(missing.is_empty(), "docs/limits.md does not name these tests: {missing:#?}");
    // Conversely, every test that the limits name exists.
    let tests = c_tests();
    let in_brackets =
        document.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(inner, _)| inner);
    let unknown: Vec<&str> = in_brackets
        .flat_map(quoted)
        .filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase()) && name.contains('_'))
        .filter(|name| !tests.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "docs/limits.md names tests that do not exist: {unknown:#?}");
}
