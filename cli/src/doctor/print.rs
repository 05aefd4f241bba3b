//! Prints findings: as text, and as JSON for other programs.
//!
//! The JSON is one object. Keys are only ever added to it.
//!
//! | key | what |
//! |---|---|
//! | `events`, `seconds` | how much was looked at |
//! | `lost_blocks`, `gaps`, `torn` | blocks of up to 31 events that are missing, how many times some are missing in the middle, and records that were spoilt |
//! | `processes` | `pid`, `comm` and `command` of each, and whether it was `observed`: the kernel's epoll answered it |
//! | `findings` | what was found, the worst first |
//!
//! A finding has `class` (1 to 24), `name`, `severity` (`note`, `warning`, `error`), `title`, `evidence` (lines),
//! `advice`, `unknown` (what the record cannot tell, or null), `pid`, `first_s` and `last_s` (seconds since the
//! record began), `count`, `fds` and `tids`.

use std::io::{self, Write};

use glasspoll_record::layout;
use glasspoll_record::{Entry, Process};
use serde_json::json;

use super::Finding;
use crate::text::units::{clean, count};
use crate::text::OBSERVED;

/// A process that the doctor looked at.
#[derive(Debug)]
struct Looked {
    pid: u32,
    comm: String,
    command: String,
    /// The kernel's epoll answered it.
    observed: bool,
}

/// What the doctor looked at, and its findings.
#[derive(Debug)]
pub struct Seen {
    /// When the record began.
    begin_ns: u64,
    first_ns: u64,
    last_ns: u64,
    events: u64,
    /// Blocks that were overwritten before they were read.
    pub lost_blocks: u64,
    /// How many times some are missing in the middle.
    pub gaps: u64,
    /// Records that were torn.
    pub torn: u64,
    processes: Vec<Looked>,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Seen {
    /// Nothing yet, of a record that begins at that moment.
    pub fn new(begin_ns: u64) -> Self {
        Self {
            begin_ns,
            first_ns: u64::MAX,
            last_ns: 0,
            events: 0,
            lost_blocks: 0,
            gaps: 0,
            torn: 0,
            processes: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// An event.
    pub fn event(&mut self, entry: &Entry) {
        self.events += 1;
        self.first_ns = self.first_ns.min(entry.ns);
        self.last_ns = self.last_ns.max(entry.ns);
    }

    /// Counts a process, and what is missing of it.
    pub fn process(&mut self, process: &Process) {
        self.lost_blocks = self.lost_blocks.saturating_add(process.lost_blocks);
        self.torn += process.torn;
        self.name(process);
    }

    /// Takes the names of a process.
    pub fn name(&mut self, process: &Process) {
        self.processes.push(Looked {
            pid: process.pid(),
            comm: clean(&process.comm),
            command: clean(&process.command),
            observed: process.header.observed,
        });
    }

    fn seconds(&self) -> f64 {
        self.last_ns.saturating_sub(self.first_ns) as f64 / 1e9
    }

    fn since_begin(&self, ns: u64) -> f64 {
        ns.saturating_sub(self.begin_ns) as f64 / 1e9
    }

    fn comm(&self, pid: u32) -> &str {
        self.processes.iter().rfind(|process| process.pid == pid).map_or("", |process| &process.comm)
    }
}

/// For people.
pub fn text(seen: &Seen, out: &mut impl Write) -> io::Result<()> {
    for finding in &seen.findings {
        block(seen, finding, out)?;
    }
    let lost = layout::records(seen.lost_blocks);
    if seen.gaps != 0 {
        writeln!(out, "the record has gaps: up to {} events were overwritten before they were read; what follows from something not happening is not judged across them", count(lost))?;
    } else if seen.lost_blocks != 0 {
        writeln!(
            out,
            "the record begins in the middle: up to {} events before it were overwritten",
            count(lost)
        )?;
    }
    if seen.torn != 0 {
        writeln!(out, "{} records were torn, and are left out", count(seen.torn))?;
    }
    if seen.processes.iter().any(|process| process.observed) {
        writeln!(
            out,
            "{OBSERVED}; class 14, and class 5 of a file that was read to its end, need --emulate"
        )?;
    }
    let findings = match seen.findings.len() {
        0 => "no findings".into(),
        1 => "1 finding".into(),
        n => format!("{n} findings"),
    };
    writeln!(out, "{findings} in {} events of {:.1} s", count(seen.events), seen.seconds())
}

fn block(seen: &Seen, finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}: {}", finding.severity.name(), finding.name, clean(&finding.title))?;
    let comm = seen.comm(finding.pid);
    let comm = if comm.is_empty() { String::new() } else { format!(" ({comm})") };
    let tids: Vec<String> = finding.tids.iter().map(u32::to_string).collect();
    let threads = match tids.len() {
        0 => String::new(),
        1 => format!(", thread {}", tids[0]),
        _ => format!(", threads {}", tids.join(" ")),
    };
    let [first, last] = [finding.first_ns, finding.last_ns].map(|ns| seen.since_begin(ns));
    writeln!(out, "  process {}{comm}{threads}; first at {first:.3} s, last at {last:.3} s", finding.pid)?;
    for line in &finding.evidence {
        writeln!(out, "  {}", clean(line))?;
    }
    if let Some(unknown) = &finding.unknown {
        writeln!(out, "  not known: {unknown}")?;
    }
    writeln!(out, "  {}\n", finding.advice)
}

/// For programs.
pub fn json(seen: &Seen, out: &mut impl Write) -> io::Result<()> {
    let findings: Vec<_> = seen.findings.iter().map(|finding| one(seen, finding)).collect();
    let process = |process: &Looked| {
        json!({
            "pid": process.pid,
            "comm": process.comm,
            "command": process.command,
            "observed": process.observed,
        })
    };
    let all = json!({
        "events": seen.events,
        "seconds": seen.seconds(),
        "lost_blocks": seen.lost_blocks,
        "gaps": seen.gaps,
        "torn": seen.torn,
        "processes": seen.processes.iter().map(process).collect::<Vec<_>>(),
        "findings": findings,
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// A finding.
fn one(seen: &Seen, finding: &Finding) -> serde_json::Value {
    json!({
        "class": finding.class,
        "name": finding.name,
        "severity": finding.severity.name(),
        "title": finding.title,
        "evidence": finding.evidence,
        "advice": finding.advice,
        "unknown": finding.unknown,
        "pid": finding.pid,
        "first_s": seen.since_begin(finding.first_ns),
        "last_s": seen.since_begin(finding.last_ns),
        "count": finding.count,
        "fds": finding.fds,
        "tids": finding.tids,
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Tally;
    use super::super::Severity;
    use super::*;

    fn seen() -> Seen {
        let mut seen = Seen::new(1_000_000_000);
        let mut tally = Tally::new();
        tally.add(1_500_000_000, 5, 77);
        tally.add(3_000_000_000, 5, 77);
        let finding = Finding::new(3, Severity::Error, 42, "fd 5: HUP".into(), &tally);
        seen.findings.push(finding.because("told \x1b[2Jtwice").unknown("why"));
        seen.processes.push(Looked {
            pid: 42,
            comm: "server".into(),
            command: "server -x".into(),
            observed: false,
        });
        seen
    }

    #[test]
    fn a_block_tells_who_when_why_and_what_to_do() {
        let mut out = Vec::new();
        text(&seen(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "error: hang-up spin: fd 5: HUP");
        assert_eq!(lines[1], "  process 42 (server), thread 77; first at 0.500 s, last at 2.000 s");
        assert!(lines[2].contains("told") && !lines[2].contains('\x1b'));
        assert_eq!(lines[3], "  not known: why");
        assert_eq!(lines.last(), Some(&"1 finding in 0 events of 0.0 s"));
        assert!(!text.contains(OBSERVED), "{text}");
    }

    #[test]
    fn it_says_that_the_kernels_epoll_answered() {
        let mut seen = seen();
        seen.processes[0].observed = true;
        let (mut printed, mut out) = (Vec::new(), Vec::new());
        text(&seen, &mut printed).unwrap();
        let text = String::from_utf8(printed).unwrap();
        assert!(text.contains("\nobserved: the kernel's epoll; "), "{text}");
        assert!(text.ends_with("\n1 finding in 0 events of 0.0 s\n"), "{text}");
        json(&seen, &mut out).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(all["processes"][0]["observed"], true);
    }

    #[test]
    fn json_has_the_keys_that_are_documented() {
        let mut out = Vec::new();
        json(&seen(), &mut out).unwrap();
        let all: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let finding = &all["findings"][0];
        assert_eq!(finding["class"], 3);
        assert_eq!(finding["severity"], "error");
        assert_eq!(finding["first_s"], 0.5);
        assert_eq!(finding["fds"][0], 5);
        for key in ["name", "title", "evidence", "advice", "unknown", "pid", "last_s", "count", "tids"] {
            assert!(!finding[key].is_null(), "{key}");
        }
    }

    #[test]
    fn a_record_with_gaps_says_so() {
        let mut seen = Seen::new(0);
        (seen.gaps, seen.lost_blocks) = (1, 2);
        let mut out = Vec::new();
        text(&seen, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("the record has gaps: up to 62 events"), "{text}");
        assert!(text.ends_with("no findings in 0 events of 0.0 s\n"), "{text}");
    }
}
