//! A log without what may differ when events come in no particular order.
//!
//! The events of a wait that takes everything are sorted. For `rounds` the log keeps every edge or ONESHOT event, and
//! each level-triggered event once. All must have come in twice as many rounds as reporting each of them takes (an item
//! whose neighbour goes cold may miss a turn): the log names an item that comes later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::step::Step;
use libc::{EPOLLET, EPOLLONESHOT};

/// The log of a walk in which each `ctl` has data of its own.
pub fn canon(walk: &[Step], log: &str) -> String {
    let once: BTreeSet<u64> = walk.iter().filter_map(reported_once).collect();
    let mut out = String::new();
    for (number, line) in log.lines().enumerate() {
        let (step, result) = line.split_once(": ").unwrap_or((line, ""));
        let result = match walk.get(number) {
            Some(Step::Wait { .. } | Step::Sleep { .. }) => sorted(result),
            Some(Step::Rounds { max, .. }) => rounds(result, *max as usize, &once),
            _ => result.to_owned(),
        };
        let _ = writeln!(out, "{step}: {result}");
    }
    out
}

/// The data of an item that is reported only once.
fn reported_once(step: &Step) -> Option<u64> {
    match *step {
        Step::Ctl { events, data, .. } if events & (EPOLLET | EPOLLONESHOT) as u32 != 0 => Some(data),
        _ => None,
    }
}

fn sorted(result: &str) -> String {
    let mut words: Vec<&str> = result.split(' ').collect();
    if words[0] != "-1" {
        words[1..].sort_unstable();
    }
    words.join(" ")
}

fn rounds(result: &str, max: usize, once: &BTreeSet<u64>) -> String {
    // How often each event came, and in which round first.
    let mut came: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut out = String::new();
    for (round, wait) in result.split('|').skip(1).enumerate() {
        let mut words = wait.split_whitespace();
        let answer = words.next().unwrap_or("nothing");
        if answer.starts_with('-') {
            let _ = write!(out, "{answer} {} ", words.by_ref().collect::<Vec<_>>().join(" "));
        }
        for event in words {
            came.entry(event).or_insert((0, round)).0 += 1;
        }
    }
    let enough = 2 * came.len().div_ceil(max.max(1));
    for (event, (times, first)) in came {
        let data = event.split_once('/').and_then(|(_, data)| data.parse().ok());
        let times = if data.is_some_and(|data| once.contains(&data)) { times } else { 1 };
        let _ = write!(out, "{event}x{times} ");
        if first >= enough {
            let _ = write!(out, "only in round {} of {enough} ", first + 1);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: Step = Step::Ctl { ep: 0, op: 1, f: 1, events: 1, data: 7 };
    const EDGE: Step = Step::Ctl { ep: 0, op: 1, f: 1, events: 1 | EPOLLET as u32, data: 8 };

    fn alike(step: Step, kernel: &str, ours: &str) -> bool {
        let walk = [LEVEL, EDGE, step];
        let log = |result: &str| canon(&walk, &format!("0 ctl: 0\n1 ctl: 0\n2 step: {result}\n"));
        log(kernel) == log(ours)
    }

    #[test]
    fn a_wait_may_give_its_events_in_any_order() {
        let wait = Step::Wait { ep: 0, max: 64 };
        assert!(alike(wait, "2 0x1/7 0x1/8", "2 0x1/8 0x1/7"));
        assert!(!alike(wait, "2 0x1/7 0x1/8", "2 0x1/8 0x1/8"));
        assert!(!alike(wait, "2 0x1/7 0x1/8", "1 0x1/7"));
        assert!(!alike(wait, "1 0x1/7", "1 0x3/7"));
        assert!(!alike(wait, "-1 errno 9", "-1 errno 22"));
    }

    #[test]
    fn rounds_may_give_their_events_in_any_order() {
        let rounds = Step::Rounds { ep: 0, max: 1, waits: 3 };
        assert!(alike(rounds, "| 1 0x1/7 | 1 0x1/8 | 1 0x1/7", "| 1 0x1/8 | 1 0x1/7 | 1 0x1/7"));
        assert!(!alike(rounds, "| 1 0x1/7 | 1 0x1/8 | 1 0x1/7", "| 1 0x1/7 | 1 0x1/7 | 1 0x1/7"));
        assert!(!alike(rounds, "| 1 0x1/8 | 0", "| 1 0x1/8 | 1 0x1/8 | 0"), "an edge is told once");
        assert!(
            !alike(rounds, "| 1 0x1/7 | 1 0x1/8", "| 1 0x1/7 | 1 0x1/7 | 1 0x1/7 | 1 0x1/7 | 1 0x1/8"),
            "in its turn"
        );
        assert!(!alike(rounds, "| 1 0x1/7", "| 1 0x3/7"));
        assert!(!alike(rounds, "| -1 errno 9", "| -1 errno 22"));
    }
}
