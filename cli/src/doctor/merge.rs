//! One cause is one finding: if many findings of a process are of one class, they become one, with their number and the
//! three worst.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::text::units::count;

/// As many of a class are told one by one.
const FEW: usize = 3;

/// Drops what another finding explains: a child that adds a descriptor to its parent's set has the parent told of it after
/// the parent has closed its own copy.
pub fn explained(findings: &mut Vec<Finding>) {
    let shared: Vec<i32> = findings
        .iter()
        .filter(|finding| finding.class == 8)
        .flat_map(|finding| finding.fds.clone())
        .collect();
    findings.retain(|finding| finding.class != 1 || !finding.fds.iter().all(|fd| shared.contains(fd)));
}

/// Merges them.
pub fn merge(findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<(u32, u8), Vec<Finding>> = BTreeMap::new();
    for finding in findings.drain(..) {
        groups.entry((finding.pid, finding.class)).or_default().push(finding);
    }
    for mut group in groups.into_values() {
        match group.len() {
            0..=FEW => findings.append(&mut group),
            _ => findings.push(one(group)),
        }
    }
}

/// One for a group that is not empty.
fn one(mut group: Vec<Finding>) -> Finding {
    group.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| b.count.cmp(&a.count)));
    let all = group.len();
    let mut rest = group.into_iter();
    let mut worst = rest.next().expect("a group has findings");
    let mut seen: BTreeSet<i32> = worst.fds.iter().copied().collect();
    let mut tids: BTreeSet<u32> = worst.tids.iter().copied().collect();
    worst.title = format!("{} alike, the worst: {}", count(all as u64), worst.title);
    for (nth, other) in rest.enumerate() {
        if nth + 1 < FEW {
            worst.evidence.push(format!("another: {}", other.title));
        }
        worst.fds.extend(other.fds.iter().filter(|fd| seen.insert(**fd)));
        worst.tids.extend(other.tids.iter().filter(|tid| tids.insert(**tid)));
        worst.count = worst.count.saturating_add(other.count);
        worst.first_ns = worst.first_ns.min(other.first_ns);
        worst.last_ns = worst.last_ns.max(other.last_ns);
    }
    worst.tids.truncate(super::finding::NAMED);
    worst
}

#[cfg(test)]
mod tests {
    use super::super::finding::Tally;
    use super::super::Severity;
    use super::*;

    #[test]
    fn a_set_shared_over_fork_explains_the_events_of_a_closed_descriptor() {
        let mut findings = vec![finding(1, 10, 6), finding(1, 10, 7), finding(8, 11, 6)];
        explained(&mut findings);
        let left: Vec<_> = findings.iter().map(|finding| (finding.class, finding.fds[0])).collect();
        assert_eq!(left, [(1, 7), (8, 6)]);
    }

    fn finding(class: u8, pid: u32, fd: i32) -> Finding {
        let mut tally = Tally::new();
        (0..fd as u64).for_each(|nth| tally.add(1000 * fd as u64 + nth, fd, 7));
        Finding::new(class, Severity::Warning, pid, format!("fd {fd}: so"), &tally).because("why")
    }

    #[test]
    fn many_of_a_class_are_one_with_the_three_worst() {
        let mut all: Vec<Finding> = (1..=61).map(|fd| finding(2, 42, fd)).collect();
        all.extend([finding(2, 43, 5), finding(3, 42, 5), finding(3, 42, 6), finding(3, 42, 7)]);
        merge(&mut all);
        assert_eq!(all.len(), 5);
        let one = all.iter().find(|finding| (finding.pid, finding.class) == (42, 2)).unwrap();
        assert_eq!(one.title, "61 alike, the worst: fd 61: so");
        assert_eq!(one.evidence, ["why", "another: fd 60: so", "another: fd 59: so"]);
        assert_eq!((one.fds.len(), &one.fds[..3], &one.tids[..]), (61, &[61, 60, 59][..], &[7][..]));
        assert_eq!((one.count, one.first_ns, one.last_ns), (61 * 62 / 2, 1000, 61_060));
    }
}
