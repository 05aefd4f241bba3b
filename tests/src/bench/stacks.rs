//! The rows of `GLASSPOLL_STACKS=on`: what it costs to keep the call stack of each ADD.

use super::figure::{Figure, Judge};
use super::rows::{Pattern, Row, Side, Work, GLASSPOLL};

const STACKS: Side = Side { settings: &[("GLASSPOLL_STACKS", "on")], ..GLASSPOLL };
const OBSERVED: Side = Side { settings: &[("GLASSPOLL_ENGINE", "observe")], ..GLASSPOLL };
const OBSERVED_STACKS: Side =
    Side { settings: &[("GLASSPOLL_ENGINE", "observe"), ("GLASSPOLL_STACKS", "on")], ..GLASSPOLL };

pub(super) const ADD: Row = Row {
    name: "stacks-add",
    what: "one call: glasspoll without and with call stacks",
    programs: &[],
    figures: &[Figure { name: "ADD+DEL", unit: "ns", judge: Judge::LatencyShown }],
    work: Work::Calls(&["add-del"]),
    sides: [GLASSPOLL, STACKS],
};

pub(super) const OBSERVED_ADD: Row = Row {
    name: "stacks-add-observed",
    what: "one call, observed: without and with call stacks",
    sides: [OBSERVED, OBSERVED_STACKS],
    ..ADD
};

pub(super) const CHURN: Row = Row {
    name: "stacks-churn",
    what: "20,000 connections: accept, ADD, one request, close: glasspoll without and with call stacks",
    programs: &[],
    figures: &[Figure { name: "", unit: "/s", judge: Judge::Rate(0.95) }],
    work: Work::Echo { edge: false, loops: 1, pattern: Pattern::Churn(20_000), spin: false },
    sides: [GLASSPOLL, STACKS],
};
