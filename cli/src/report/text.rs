//! The text: the summary, the findings, and a table of all items.

use std::cmp::Reverse;
use std::io::{self, Write};

use glasspoll_record::event::Mask;
use glasspoll_record::{Process, Recording};

use crate::doctor::{self, Finding};
use crate::replay::{End, Item};
use crate::report::summary::Summary;
use crate::text::units::{bytes, clean, count, duration, longest, quantile};
use crate::text::SHARED;

/// Writes it.
pub fn write(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    if let Some(trouble) = &recording.trouble {
        writeln!(out, "The record is not whole: {}\n", clean(trouble))?;
    }
    let findings = doctor::examine(recording);
    writeln!(out, "FINDINGS")?;
    if findings.is_empty() {
        writeln!(out, "none")?;
    }
    let began = |pid| {
        let process = recording.processes.iter().find(|process| process.pid() == pid);
        process.and_then(|process| process.events.first()).map_or(0, |entry| entry.ns)
    };
    for finding in &findings {
        print_finding(out, finding, began(finding.pid))?;
    }
    writeln!(out, "\nSUMMARY")?;
    let summaries: Vec<Summary> = recording.processes.iter().map(Summary::of).collect();
    for summary in &summaries {
        summary.print(out)?;
    }
    for (process, summary) in recording.processes.iter().zip(&summaries) {
        print_items(out, process, summary)?;
    }
    Ok(())
}

fn print_finding(out: &mut impl Write, finding: &Finding, began: u64) -> io::Result<()> {
    let (severity, class) = (finding.severity.name(), finding.class);
    writeln!(out, "{severity}: {} (class {class}, {})", clean(&finding.title), finding.name)?;
    let [first, last] = [finding.first_ns, finding.last_ns].map(|ns| duration(ns.saturating_sub(began)));
    let times = crate::text::units::times(finding.count);
    writeln!(out, "    {times} in process {}, {first} to {last} after its first event", finding.pid)?;
    for line in &finding.evidence {
        writeln!(out, "    {}", clean(line))?;
    }
    if let Some(unknown) = &finding.unknown {
        writeln!(out, "    not known: {}", clean(unknown))?;
    }
    writeln!(out, "    do: {}", finding.advice)
}

fn print_items(out: &mut impl Write, process: &Process, summary: &Summary) -> io::Result<()> {
    let mut items: Vec<&Item> = summary.items().collect();
    if items.is_empty() {
        return Ok(());
    }
    items.sort_by_key(|item| (Reverse(item.deliveries), item.key()));
    let begin = process.events.first().map_or(0, |entry| entry.ns);
    writeln!(out, "\nITEMS of {} {}", clean(&process.comm), process.pid())?;
    writeln!(
        out,
        "{:>6} {:>5} {:>11} {:>9} {:>9} {:>9} {:>10} {:>10} {:>9} {:>9} {:>9}  {:<12} what",
        "fd",
        "epoll",
        "events",
        "p50",
        "p99",
        "max",
        "read",
        "written",
        "served",
        "added",
        "ended",
        "interest"
    )?;
    for item in items {
        let at = |ns: Option<u64>| ns.map_or("-".into(), |ns| duration(ns.saturating_sub(begin)));
        let is_shared = item.ended.is_some_and(|(_, how)| how == End::ClosedHere);
        let lives = if is_shared { format!(" ({SHARED})") } else { String::new() };
        writeln!(
            out,
            "{:>6} {:>5} {:>11} {:>9} {:>9} {:>9} {:>10} {:>10} {:>9} {:>9} {:>9}  {:<12} {}{lives}",
            item.fd,
            summary.world().set_id(item.epoll),
            count(item.deliveries),
            quantile(&item.latency, 0.5),
            quantile(&item.latency, 0.99),
            longest(&item.latency),
            bytes(item.bytes.0),
            bytes(item.bytes.1),
            duration(item.serving_ns),
            at(item.added),
            at(item.ended.map(|(ns, _)| ns)),
            item.interest.map_or("-".into(), |mask| Mask(mask).to_string()),
            item.what.as_deref().map_or("-".into(), clean),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::script::Script;
    use glasspoll_record::Event;

    #[test]
    fn it_says_what_may_live_on_and_whose_epoll_answered() {
        let mut script = Script::new();
        script.process.header.observed = true;
        script.add(5, 1, 1).add(6, 2, 1).wait(10, &[(5, 1, 2)]);
        script.does(Event::Release { fd: 5, items: 1, shared: true }).close(5, -1);
        script.does(Event::Release { fd: 6, items: 1, shared: false }).close(6, -1);
        let mut out = Vec::new();
        write(&Recording { processes: vec![script.process], ..Recording::default() }, &mut out)
            .expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text.matches("(may live on in another process)").count(), 1, "{text}");
        assert!(text.contains(", observed: the kernel's epoll\n"), "{text}");
    }

    #[test]
    fn it_has_findings_the_summary_and_all_items() {
        let mut script = Script::new();
        script.add(5, 1, 1).add(6, 2, 0x8000_0001).wait(10, &[(5, 1, 2)]).after(3).close(5, -1).wait(1, &[]);
        let mut out = Vec::new();
        write(&Recording { processes: vec![script.process], ..Recording::default() }, &mut out)
            .expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        for word in ["FINDINGS\n", "SUMMARY\ntester 4711", "ITEMS of tester 4711", "IN|ET"] {
            assert!(text.contains(word), "no {word:?} in\n{text}");
        }
        assert_eq!(text.lines().filter(|line| line.contains(" IN")).count(), 2);
    }
}
