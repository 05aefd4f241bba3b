//! The function is the table in the module's comment, for every state and every event, and the table in
//! docs/watch.md is the same.

use super::*;

const SOURCE: &str = include_str!("../transition.rs");
const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/watch.md"));

const STATES: [(&str, State); 8] = [
    ("new", State::New),
    ("cold", State::Cold),
    ("recent", State::Recent { ago: 7 }),
    ("resting", State::Resting { waits: 7 }),
    ("hot", State::Hot(Phase::Asked)),
    ("owed", State::Hot(Phase::Owed)),
    ("leaving", State::Hot(Phase::Leaving)),
    ("gone", State::Gone),
];

/// With the waits that the item has to rest after it.
const EVENTS: [(&str, Event, u32); 13] = [
    ("Fits", Event::Fits, 0),
    ("Unfit", Event::Unfit, 0),
    ("Changed", Event::Changed, 0),
    ("Delivered", Event::Delivered { edge: false }, 0),
    ("DeliveredEdge", Event::Delivered { edge: true }, 0),
    ("Drained", Event::Drained, 0),
    ("NotDrained", Event::NotDrained { rest: 0 }, 0),
    ("NotDrained", Event::NotDrained { rest: 32 }, 32),
    ("Unsure", Event::Unsure { rest: 0 }, 0),
    ("Unsure", Event::Unsure { rest: 32 }, 32),
    ("Quiet", Event::Quiet, 0),
    ("AskedLast", Event::AskedLast, 0),
    ("Removed", Event::Removed, 0),
];

const ACTIONS: [(&str, Action); 7] = [
    ("–", Action::Nothing),
    ("Consider", Action::Consider),
    ("Attach", Action::Attach),
    ("Detach", Action::Detach),
    ("Ask", Action::Ask),
    ("AttachAsk", Action::AttachAsk),
    ("AttachCompareAsk", Action::AttachCompareAsk),
];

/// The rows of the table in the module's comment.
fn rows() -> impl Iterator<Item = &'static str> {
    SOURCE.lines().filter_map(|line| line.strip_prefix("//! ")).filter(|line| line.starts_with("| "))
}

/// The names in a cell.
fn names(cell: &str) -> Vec<&str> {
    cell.split(',').map(|name| name.trim().trim_matches('`')).collect()
}

/// What the table says.
fn expected((state, now): (&str, State), (event, rest): (&str, u32)) -> (State, Action) {
    for row in rows() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        // A cold item takes an edge like a level.
        let is_event =
            |name: &str| name == event || !cells[1].contains("hot") && event == format!("{name}Edge");
        if !names(cells[1]).contains(&state) || !names(cells[2]).into_iter().any(is_event) {
            continue;
        }
        let after = match cells[3] {
            "same" => now,
            "recent" => State::Recent { ago: 0 },
            "resting" => State::rested(rest),
            name => STATES.iter().find(|(known, _)| *known == name).expect("a state").1,
        };
        let action = ACTIONS.iter().find(|(known, _)| *known == cells[4].trim_matches('`'));
        return (after, action.expect("an action").1);
    }
    (now, Action::Nothing)
}

#[test]
fn every_state_takes_every_event_as_the_table_says() {
    for state in STATES {
        for (name, event, rest) in EVENTS {
            assert_eq!(transition(state.1, event), expected(state, (name, rest)), "{} {event:?}", state.0);
        }
    }
}

#[test]
fn every_row_of_the_table_names_states_and_events() {
    for row in rows().skip(1) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let is_state = |name: &&str| STATES.iter().any(|(known, _)| known == name);
        assert!(names(cells[1]).iter().all(is_state), "{row}");
        let is_event = |name: &&str| EVENTS.iter().any(|(known, ..)| known == name);
        assert!(names(cells[2]).iter().all(is_event), "{row}");
    }
}

#[test]
fn the_document_has_the_same_table() {
    let missing: Vec<&str> = rows().filter(|row| !DOCUMENT.lines().any(|line| line == *row)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let states = || STATES.iter().map(|(name, _)| *name);
    let is_row = |line: &&str| states().any(|name| line.starts_with(&format!("| {name}")));
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with("Hot and cold")).expect("it");
    assert_eq!(section.lines().filter(is_row).count(), rows().count() - 1, "a row more");
}
