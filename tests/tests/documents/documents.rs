//! The documents: their links lead somewhere, and what they say about the sources is there.

use glasspoll_tests::documents::{all, c_tests, files, is_named, prose, quoted, read, root, section};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for document in all() {
        let text = prose(&read(&document));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let folder = document.parent().expect("a folder");
            let target = if path.is_empty() { document.clone() } else { folder.join(path) };
            assert!(target.exists(), "{}: {link} leads nowhere", document.display());
            let is_there = || {
                let text = prose(&read(&target));
                text.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
            };
            assert!(heading.is_empty() || is_there(), "{}: {link} has no such heading", document.display());
        }
    }
    assert!(links > 60, "{links} links");
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let readme = read("README.md");
    for document in files("docs", ".md") {
        let name = document.file_name().expect("a name").to_string_lossy();
        assert!(readme.contains(&format!("(docs/{name})")), "README.md does not link docs/{name}");
    }
}

#[test]
fn the_readme_is_short_and_so_is_the_design() {
    let (lines, bytes) = (read("README.md").lines().count(), read("DESIGN.md").len());
    assert!(lines <= 150, "README.md has {lines} lines");
    assert!(bytes <= 15 * 1024, "DESIGN.md has {bytes} bytes");
}

/// The models of the reactor, each with its mutations.
fn models() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for file in files("reactor/src/model", ".rs") {
        let text = read(file);
        for model in text.split("\nmodel!(").skip(1) {
            let head = model.split("||").next().unwrap_or_default();
            let code = head.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect::<String>();
            let name = code.split(',').next().unwrap_or_default();
            let word = |text: &str| {
                text.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_')
                    .next()
                    .map(str::to_owned)
            };
            let parts: Vec<&str> = code.split(" =>").collect();
            let mutations = parts[..parts.len() - 1].iter().filter_map(|part| word(part)).collect();
            found.insert(name.to_owned(), mutations);
        }
    }
    found
}

#[test]
fn the_table_of_models_is_that_of_the_sources() {
    let (document, models) = (read("docs/models.md"), models());
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in section(&document, "Models").lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.split('|').collect();
        let Some(name) = quoted(cells[1]).find(|name| name.contains('_')) else { continue };
        told.insert(name.to_owned(), quoted(cells[3]).map(str::to_owned).collect());
    }
    let executions = section(&document, "Models").lines().filter_map(|row| row.split('|').nth(2));
    let sum: u64 = executions.filter_map(|cell| cell.trim().parse::<u64>().ok()).sum();
    let said = format!("of `scripts/models`, {},{:03} in all", sum / 1000, sum % 1000);
    let words: Vec<&str> = document.split_whitespace().collect();
    assert!(
        words.join(" ").contains(&said),
        "docs/models.md: its rows have {sum} executions: run scripts/models"
    );
    assert!(models.len() > 30 && models.values().all(|mutations| !mutations.is_empty()), "{models:#?}");
    assert_eq!(told, models);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_table_of_faults_is_that_of_the_calls_that_are_made_to_fail() {
    use glasspoll_tests::faults::{filled, unnamed};
    let document = read("docs/faults.md");
    let unnamed = unnamed(&document);
    assert!(unnamed.is_empty(), "in docs/faults.md or among the faults alone: {unnamed:#?}");
    let how = "cargo run -p glasspoll-tests --bin faults document docs/faults.md";
    assert!(
        filled(&document) == document,
        "the errnos of docs/faults.md are not those that are injected: {how}"
    );
}

#[test]
fn the_tests_that_the_faults_name_exist() {
    let mut sources: String = files("tests/tests/hostile/adversity", ".rs").iter().map(read).collect();
    sources.push_str(&read("tests/tests/hostile/faults.rs"));
    let mut tests = c_tests();
    let functions = sources.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
    tests.extend(functions.map(str::to_owned));
    let document = read("docs/faults.md");
    let rows = section(&document, "A world that is hostile all the time").lines();
    let named: Vec<&str> = rows
        .filter(|line| line.starts_with("| "))
        .filter_map(|row| row.rsplit('|').nth(1))
        .flat_map(quoted)
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for by in named {
        assert!(tests.iter().any(|test| is_named(test, by)), "docs/faults.md names {by}");
    }
}

/// Cargo does not find tests in subfolders by itself.
#[test]
fn every_file_of_tests_is_built() {
    let manifest = read("tests/Cargo.toml");
    let sources: Vec<PathBuf> = files("tests/tests", ".rs")
        .into_iter()
        .filter(|path| read(path).contains("#[test]") || path.ends_with("c_tests.rs"))
        .collect();
    assert!(sources.len() > 40, "{sources:?}");
    let is_listed = |path: &Path| manifest.contains(&format!("path = \"{}\"", path.display()));
    for source in sources {
        let path = source.strip_prefix(root().join("tests")).expect("it is below");
        // A module of a test that has its own folder.
        let main = path.with_file_name("main.rs");
        assert!(is_listed(path) || is_listed(&main), "tests/Cargo.toml lacks {}", path.display());
    }
}

#[test]
fn every_setting_and_station_is_told() {
    let document = read("docs/settings.md");
    let told: BTreeSet<&str> = quoted(&document).collect();
    let options: String = files("shim/src", ".rs").iter().map(read).collect();
    let settings: BTreeSet<&str> = options
        .split("GLASSPOLL_")
        .skip(1)
        .filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(settings.len() > 8, "{settings:?}");
    for setting in settings {
        assert!(
            told.contains(format!("GLASSPOLL_{setting}").as_str()),
            "docs/settings.md lacks GLASSPOLL_{setting}"
        );
    }
    let trace: String = files("reactor/src", ".rs").iter().map(read).collect();
    let stations: BTreeSet<&str> = trace
        .split("flow!(")
        .skip(1)
        .filter(|rest| rest.starts_with("DEBUG") || rest.starts_with("TRACE"))
        .filter_map(|rest| rest.split('"').nth(1))
        .collect();
    assert!(stations.len() > 8, "{stations:?}");
    for station in stations {
        assert!(told.contains(station), "docs/settings.md lacks the station {station}");
    }
}

#[test]
fn the_doctor_has_a_section_for_each_class() {
    let source = read("cli/src/doctor/finding.rs");
    let table = source.split_once("pub const CLASSES").expect("the table").1;
    let table = table.split_once("\n];").expect("its end").0;
    let classes: Vec<(&str, &str)> = table
        .split("    (\n")
        .skip(1)
        .filter_map(|class| Some((class.trim_start().split_once(',')?.0, class.split('"').nth(1)?)))
        .collect();
    let told =
        [("README.md", "known bugs"), ("README.md", "bugs"), ("docs/doctor.md", "bugs of event loops")];
    for (file, words) in told {
        let expected = format!(" {} {words}", classes.len());
        assert!(classes.len() > 17 && read(file).contains(&expected), "{file} lacks {expected}");
    }
    let document = read("docs/doctor.md").to_lowercase();
    for (number, name) in classes {
        let heading = format!("\n## {number}. {}\n", name.to_lowercase());
        assert!(document.contains(&heading), "docs/doctor.md lacks {heading}");
    }
}
