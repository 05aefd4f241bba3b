//! The project's documents, and the sources that they speak of, as text.

use crate::c_tests::CTest;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
///
/// # Panics
/// Never: this crate lies in it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The text of a file of the project.
///
/// # Panics
/// If it cannot be read.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder whose names end with `ending`, in order.
///
/// # Panics
/// If a folder cannot be read.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a name").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// README, DESIGN and the like, and all of `docs`.
pub fn all() -> Vec<PathBuf> {
    let names = ["README.md", "DESIGN.md", "SECURITY.md", "CHANGELOG.md"];
    let mut all: Vec<PathBuf> = names.iter().map(|name| root().join(name)).collect();
    all.extend(files("docs", ".md"));
    all
}

/// The text without its blocks of code: links and paths in them do not count.
pub fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// The blocks of code: the word behind the backticks, and the lines.
pub fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').unwrap_or((block, "")))
}

/// The names of the C tests.
///
/// # Panics
/// If one cannot be read.
pub fn c_tests() -> BTreeSet<String> {
    let tests = CTest::all(&root().join("c-tests")).unwrap_or_else(|error| panic!("c-tests: {error}"));
    tests.into_iter().map(|test| test.name).collect()
}

/// The text between backticks in a line or a paragraph.
pub fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The section of a document under the second-level heading `heading`.
///
/// # Panics
/// If it has none.
pub fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let mut sections = document.split("\n## ");
    sections.find(|section| section.lines().next() == Some(heading)).unwrap_or_else(|| panic!("no {heading}"))
}

/// Whether `by` means `name`: it is the same, or the beginning of it and a star.
pub fn is_named(name: &str, by: &str) -> bool {
    by.strip_suffix('*').map_or(name == by, |start| name.starts_with(start))
}
