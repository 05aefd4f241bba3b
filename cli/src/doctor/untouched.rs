//! Class 27: descriptors that came by accept(2) on a watched listener, or in messages, and that the program has never
//! touched since. By what is known of each descriptor (`record::facts`) at the end of a look, or of a record.

use std::fs;

use glasspoll_record::facts::Born;
use glasspoll_record::Process;

use super::finding::{rate, Finding, Severity, Tally};
use crate::procfs::names;
use crate::text::span;
use crate::text::units::{count, times};

/// A program that wants a descriptor touches it sooner.
const OLD_NS: u64 = 1_000_000_000;
/// One or two may be kept for later.
const FEW: usize = 3;
/// As many in this time are no accident, however many came in all.
const MANY: usize = 10;
const LONG_NS: u64 = 60_000_000_000;
/// Enough by itself: this many tenths of all that came.
const MOST: usize = 8;
/// Or more than one in a second.
const OFTEN_NS: u64 = 1_000_000_000;

/// What a process has left untouched. `is_open` tells whether an fd is open still, if that is known.
pub fn findings(process: &Process, is_open: impl Fn(i32) -> bool, findings: &mut Vec<Finding>) {
    let now_ns = process.end_ns();
    for how in [Born::Accepted, Born::Received] {
        let mut left: Vec<(u64, i32)> = process
            .facts
            .iter()
            .filter(|(_, facts)| !facts.forked_since_born)
            .filter_map(|(fd, facts)| facts.born.filter(|born| born.0 == how).map(|(_, ns)| (ns, *fd)))
            .filter(|(ns, fd)| now_ns.saturating_sub(*ns) >= OLD_NS && is_open(*fd))
            .collect();
        left.sort_unstable();
        let ([(first_ns, _), ..], Some((last_ns, _))) = (&left[..], left.last()) else { continue };
        let (first_ns, last_ns, number) = (*first_ns, *last_ns, left.len());
        let spread = last_ns - first_ns;
        let are_most = number * 10 >= process.header.habits.born as usize * MOST;
        let are_many = number >= MANY
            && (now_ns - first_ns >= LONG_NS || spread >= OFTEN_NS && spread / number as u64 <= OFTEN_NS);
        if number < FEW || !(are_most || are_many) {
            continue;
        }
        let mut tally = Tally::new();
        left.iter().for_each(|(ns, fd)| tally.add(*ns, *fd, 0));
        tally.count = number as u64;
        let what = match how {
            Born::Accepted => "connections were accepted",
            Born::Received => "descriptors came in messages",
        };
        let title =
            format!("{} {what} and never touched{}; they are open still", count(number as u64), rate(&tally));
        let late = process.header.habits.late;
        let severity = if late == 0 { Severity::Warning } else { Severity::Note };
        let ago = |ns: u64| span(now_ns.saturating_sub(ns));
        let mut finding = Finding::new(27, severity, process.pid(), title, &tally)
            .because(format!(
                "the first of them {} ago, the last {} ago: no read, write, close or dup, and in no set",
                ago(first_ns),
                ago(last_ns)
            ))
            .unknown("uses that are no calls of libc's: io_uring, stdio, select(2)")
            .left_for(first_ns, now_ns, OLD_NS);
        if late != 0 {
            let late = times(late.into());
            finding = finding.because(format!(
                "others were touched a second or more later {late}: they may wait for their turn"
            ));
        }
        findings.push(finding);
    }
}

/// The same of a process that lives, with how near it is to its limit of descriptors.
pub fn living(pid: u32, process: &Process, all: &mut Vec<Finding>) {
    let before = all.len();
    let link = |fd: i32| fs::read_link(format!("/proc/{pid}/fd/{fd}"));
    findings(process, |fd| link(fd).is_ok(), all);
    if all.len() == before {
        return;
    }
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links: Vec<_> = entries.map(|entry| fs::read_link(entry.path()).unwrap_or_default()).collect();
    if links.iter().any(|link| link.as_os_str() == "anon_inode:[io_uring]") {
        // The kernel reads and writes them without a call that we see.
        all.truncate(before);
        return;
    }
    let limits = names::read(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let limit: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    if let Some(limit) = limit {
        let open = count(links.len() as u64);
        for finding in &mut all[before..] {
            finding.evidence.push(format!("{open} of {} descriptors are open", count(limit)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use glasspoll_record::ring::Facts;

    use super::*;
    use crate::doctor::script::header;

    const SECOND: u64 = 1_000_000_000;

    /// A process at 10 s in which `untouched` of `born` descriptors were not touched, one each 100 ms.
    fn process(untouched: i32, born: u32) -> Process {
        let mut process = Process::new(header(100, 1, false));
        process.taken.ns = 10 * SECOND;
        process.header.habits.born = born;
        let facts =
            |n: i32| Facts { born: Some((Born::Accepted, n as u64 * SECOND / 10)), ..Facts::default() };
        process.facts = (0..untouched).map(|n| (20 + n, facts(n))).collect::<BTreeMap<_, _>>();
        process
    }

    fn found(process: &Process, is_open: bool) -> Vec<(u8, Severity, u64)> {
        let mut all = Vec::new();
        findings(process, |_| is_open, &mut all);
        all.iter().map(|finding| (finding.class, finding.severity, finding.count)).collect()
    }

    #[test]
    fn connections_that_pile_up_untouched_are_found() {
        assert_eq!(found(&process(57, 57), true), [(27, Severity::Warning, 57)]);
        assert_eq!(found(&process(20, 5_000), true), [(27, Severity::Warning, 20)]);
        assert_eq!(found(&process(3, 3), true), [(27, Severity::Warning, 3)]);
    }

    #[test]
    fn a_few_and_those_that_others_have_are_fine() {
        assert_eq!(found(&process(2, 2), true), []);
        assert_eq!(found(&process(5, 5_000), true), []);
        assert_eq!(found(&process(57, 57), false), []);
        // A child has them.
        let mut forked = process(57, 57);
        forked.facts.values_mut().for_each(|facts| facts.forked_since_born = true);
        assert_eq!(found(&forked, true), []);
        // They have just come.
        let mut young = process(57, 57);
        young.facts.values_mut().for_each(|facts| facts.born = Some((Born::Accepted, 10 * SECOND - 1)));
        assert_eq!(found(&young, true), []);
    }

    #[test]
    fn a_queue_for_workers_is_a_note() {
        let mut process = process(57, 57);
        process.header.habits.late = 1;
        assert_eq!(found(&process, true), [(27, Severity::Note, 57)]);
    }
}
