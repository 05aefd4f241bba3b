//! The table of docs/faults.md: which calls are made to fail, with which errnos. The first column names the calls as
//! `Call` prints them, in backticks; the third and the fourth have the errnos that are injected.

use std::collections::BTreeSet;

use super::survey::name_of;
use super::Call;
use crate::documents::quoted;

const HEAD: &str = "| call | made for |";
/// The cell if no errno is injected.
const NONE: &str = "–";

/// The names of these errnos, each once, in the order in which they are injected.
fn names(errnos: impl Iterator<Item = i32>) -> String {
    let mut names: Vec<String> = Vec::new();
    for name in errnos.map(name_of) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        NONE.into()
    } else {
        names.join(" ")
    }
}

fn row(line: &str, kinds: &[Call]) -> String {
    let mut cells: Vec<String> = line.split('|').map(str::to_owned).collect();
    let calls: Vec<&Call> = quoted(&cells[1])
        .flat_map(|name| kinds.iter().filter(move |kind| kind.to_string() == name))
        .collect();
    let once = names(calls.iter().flat_map(|call| call.errnos()).copied());
    let ever = names(calls.iter().flat_map(|call| call.refusals()).copied());
    (cells[3], cells[4]) = (format!(" {once} "), format!(" {ever} "));
    cells.join("|")
}

/// The document, with its table filled with the errnos that are injected.
///
/// # Panics
/// If it has no such table.
pub fn filled(document: &str) -> String {
    let at = document.find(HEAD).expect("the table");
    let (before, rest) = document.split_at(at);
    let (table, after) = rest.split_once("\n\n").expect("the end of the table");
    let kinds = Call::kinds();
    let rows = table.lines().enumerate();
    let rows = rows.map(|(at, line)| if at < 2 { line.to_owned() } else { row(line, &kinds) });
    format!("{before}{}\n\n{after}", rows.collect::<Vec<_>>().join("\n"))
}

/// The calls that are made to fail and are missing from the table, and the calls in the table that are not made to
/// fail.
///
/// # Panics
/// If the document has no such table.
pub fn unnamed(document: &str) -> BTreeSet<String> {
    let table = document.split_once(HEAD).expect("the table").1;
    let rows = table.split("\n\n").next().unwrap_or_default().lines().skip(2);
    let told: BTreeSet<String> =
        rows.filter_map(|row| row.split('|').nth(1)).flat_map(quoted).map(str::to_owned).collect();
    let made: BTreeSet<String> = Call::kinds().iter().map(Call::to_string).collect();
    told.symmetric_difference(&made).cloned().collect()
}
