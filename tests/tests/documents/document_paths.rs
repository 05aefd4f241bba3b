//! The documents and the sources: a path that a document names exists, and a symbol is defined where DESIGN says.

use glasspoll_tests::documents::{all, files, prose, quoted, read, root, section};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folders below which a path of a document may start.
const BASES: [&str; 3] = ["", "reactor/src/", "shim/src/"];
/// Files that are named by their last part alone.
const SOURCES: [&str; 7] = [".rs", ".c", ".h", ".py", ".js", ".sh", ".java"];

/// Whether it looks like a path of the project, not one of the machine, a build or the kernel.
fn is_path(word: &str) -> bool {
    let is_of_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./*".contains(letter);
    let is_elsewhere = ["/", "../", "target/"].iter().any(|start| word.starts_with(start));
    word.contains('/') && word.chars().all(is_of_path) && !is_elsewhere && word != "fs/eventpoll.c"
}

/// Whether such a file or folder exists; a star at the end matches anything.
fn exists(path: &str) -> bool {
    BASES.iter().map(|base| root().join(base).join(path)).any(|path| match path.to_str() {
        Some(text) if text.ends_with('*') => {
            let start = text.trim_end_matches('*');
            let folder = Path::new(start).parent().expect("a folder");
            folder.is_dir()
                && folder
                    .read_dir()
                    .expect("a folder")
                    .any(|entry| entry.expect("a name").path().to_string_lossy().starts_with(start))
        }
        _ => path.exists(),
    })
}

#[test]
fn every_path_that_a_document_names_exists() {
    let folders = ["reactor", "shim", "record", "cli", "tests", "c-tests", "docs", "scripts"];
    let all_files: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder, "")).collect();
    let (mut paths, mut missing) = (0, Vec::new());
    for document in all() {
        let text = prose(&read(&document));
        for word in quoted(&text) {
            let is_name = || {
                !word.contains(['/', ' ', '*'])
                    && SOURCES.iter().any(|end| word.len() > end.len() && word.ends_with(end))
            };
            let is_there = match word {
                path if is_path(path) => exists(path),
                name if is_name() => all_files.iter().any(|path| path.ends_with(name)),
                _ => continue,
            };
            paths += 1;
            if !is_there {
                missing.push(format!("{}: {word}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "paths that do not exist: {missing:#?}");
    assert!(paths > 100, "{paths} paths");
}

/// Whether a source defines the name: as an item, or as a field.
fn defines(source: &str, name: &str) -> bool {
    let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    source.match_indices(name).any(|(at, _)| {
        let (before, after) = (&source[..at], &source[at + name.len()..]);
        if before.ends_with(is_of_name) || after.starts_with(is_of_name) {
            return false;
        }
        let word = before.trim_end().rsplit(|letter: char| !is_of_name(letter)).next().unwrap_or_default();
        let is_item =
            matches!(word, "fn" | "struct" | "enum" | "trait" | "type" | "static" | "const" | "mod");
        is_item && before.ends_with(' ') || after.starts_with(':') && !after.starts_with("::")
    })
}

/// The text of a file, or of all files in a folder, from DESIGN's table.
fn source(path: &str) -> String {
    let below = root().join("reactor/src").join(path);
    let path = if below.exists() { below } else { root().join(path) };
    if path.is_dir() {
        let folder =
            path.strip_prefix(root()).expect("a folder of the project").to_string_lossy().into_owned();
        return files(&folder, ".rs").iter().map(read).collect();
    }
    read(path)
}

#[test]
fn every_symbol_of_the_design_is_defined_where_it_says() {
    let design = read("DESIGN.md");
    let rows = section(&design, "Kernel symbol → here").lines().filter(|line| line.starts_with("| "));
    let cells: Vec<&str> = rows.skip(1).filter_map(|row| row.split('|').nth(2)).collect();
    let is_file = |word: &&str| word.contains('/') || word.ends_with(".rs");
    // The home of each type: the first row that names it together with a file.
    let mut homes: BTreeMap<&str, String> = BTreeMap::new();
    for cell in &cells {
        let sources: String = quoted(cell).filter(is_file).map(source).collect();
        for name in quoted(cell).filter(|word| !is_file(word) && !word.contains("::")) {
            if defines(&sources, name) {
                homes.entry(name).or_insert_with(|| sources.clone());
            }
        }
    }
    let (mut symbols, mut missing) = (0, Vec::new());
    for cell in &cells {
        let mut sources: String = quoted(cell).filter(is_file).map(source).collect();
        for symbol in quoted(cell).filter(|word| !is_file(word)) {
            symbols += 1;
            let (of, name) = symbol.rsplit_once("::").unwrap_or((symbol, symbol));
            if let Some(home) = homes.get(of) {
                sources.push_str(home);
            }
            if !defines(&sources, name) {
                missing.push(symbol);
            }
        }
    }
    assert!(missing.is_empty(), "DESIGN.md names symbols that are not where it says: {missing:#?}");
    assert!(symbols > 30, "{symbols} symbols");
}
