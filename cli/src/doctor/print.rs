//! Prints findings: as text, and as JSON for other programs.
//!
//! The JSON is one object. Keys are only ever added to it.
//!
//! | key | what |
//! |---|---|
//! | `events`, `seconds` | how much was looked at |
//! | `looked_s` | how many seconds a running process was looked at; null: none was |
//! | `program` | how the program ended that the doctor started: `status`, or `signal`, the other one null; `exit`: what a shell has for it. Null: none was started |
//! | `lost_blocks`, `gaps`, `torn` | blocks of up to 31 events that are missing, how many times some are missing in the middle, and records that were spoilt |
//! | `processes` | `pid`, `comm` and `command` of each, and whether it was `observed`: the kernel's epoll answered it |
//! | `notes` | what else is to be known, in words: which processes live on, why nothing was recorded |
//! | `looks` | how often the stack of a running thread was looked at, and for how long it stood; what stood against it |
//! | `ignored` | how many findings `--ignore` leaves out |
//! | `findings` | what was found, the worst first |
//!
//! A finding has `class` (its number), `name`, `severity` (`note`, `warning`, `error`), `title`, `evidence` (lines),
//! `advice`, `unknown` (what the record cannot tell, or null), `pid`, `first_s` and `last_s` (seconds since the
//! record began), `count`, `fds` and `tids`.
//!
//! Its `code` tells which code added its descriptors to a set (`--stacks`): for each stack the `fds`, whether it `goes_on`,
//! and the `frames`, the innermost first: `function`, `file`, `line` (null: not known), `module` (null: code of no file),
//! the `offset` in it, and whether it was `inlined` into the next. `hint` says what shows more of it, or is null.
//!
//! Its `id` is the identifier that `--ignore` and `--explain` take.

use std::io::{self, Write};

use glasspoll_record::layout;
use serde_json::json;

use super::finding::Code;
use super::seen::{Looked, Seen};
use super::shown::{self, Line};
use super::{id, Finding};
use crate::symbols::Frame;
use crate::text::units::{clean, count, counted};
use crate::text::OBSERVED;

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
        writeln!(out, "left out, because torn: {}", counted(seen.torn, "record"))?;
    }
    if seen.processes.iter().any(|process| process.observed) {
        let how = match (seen.ended, seen.looked_ns) {
            (Some(_), _) => "need --emulate",
            (None, Some(_)) => "are not judged: only a program that is started can be emulated, by glasspoll doctor --emulate -- PROGRAM",
            (None, None) => "are not judged: a record by glasspoll run without --observe has them",
        };
        writeln!(out, "{OBSERVED}; class 14, and class 5 of a file that was read to its end, {how}")?;
    }
    // What stands against looks is of interest where there is something to tell about.
    for note in seen.notes.iter().chain(seen.looks.iter().filter(|_| !seen.findings.is_empty())) {
        writeln!(out, "{}", clean(note))?;
    }
    let findings = match seen.findings.len() {
        0 => "no findings".into(),
        1 => "1 finding".into(),
        n => format!("{n} findings"),
    };
    write!(out, "{findings} in {} of {:.1} s", counted(seen.events, "event"), seen.seconds())?;
    if let Some(ns) = seen.looked_ns {
        write!(out, ", looked at for {:.1} s", ns as f64 / 1e9)?;
    }
    if seen.ignored != 0 {
        write!(out, "; {} ignored", count(seen.ignored as u64))?;
    }
    if let Some(ended) = seen.ended {
        write!(out, "; {}", ended.words())?;
    }
    writeln!(out)
}

fn block(seen: &Seen, finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}: {}", finding.severity.name(), finding.name, clean(&finding.title))?;
    let comm = seen.comm(finding.pid);
    let comm = if comm.is_empty() { String::new() } else { format!(" ({comm})") };
    let tids: Vec<String> = finding.tids.iter().map(|tid| seen.thread(finding.pid, *tid)).collect();
    let threads = match tids.len() {
        0 => String::new(),
        1 => format!(", thread {}", tids[0]),
        _ => format!(", threads {}", tids.join(", ")),
    };
    let [first, last] = [finding.first_ns, finding.last_ns].map(|ns| seen.since_begin(ns));
    writeln!(out, "  process {}{comm}{threads}; first at {first:.3} s, last at {last:.3} s", finding.pid)?;
    for line in &finding.evidence {
        writeln!(out, "  {}", clean(line))?;
    }
    for code in &finding.code {
        added_by(code, out)?;
    }
    if let Some(hint) = &finding.hint {
        writeln!(out, "  {hint}")?;
    }
    if let Some(unknown) = &finding.unknown {
        writeln!(out, "  not known: {unknown}")?;
    }
    writeln!(out, "  {}", finding.advice)?;
    writeln!(out, "  more: glasspoll doctor --explain {}\n", id::of(finding.name))
}

/// Which code added descriptors.
fn added_by(code: &Code, out: &mut impl Write) -> io::Result<()> {
    let fds: Vec<String> = code.fds.iter().map(i32::to_string).collect();
    let (noun, verb) = if fds.len() == 1 { ("fd", "was") } else { ("fds", "were") };
    writeln!(out, "  {noun} {} {verb} added by", fds.join(", "))?;
    for line in shown::lines(&code.frames, code.goes_on) {
        match line {
            Line::Frame(frame) => writeln!(out, "    {}", clean(&frame.words()))?,
            Line::More => writeln!(out, "    …")?,
        }
    }
    Ok(())
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
        "looked_s": seen.looked_ns.map(|ns| ns as f64 / 1e9),
        "program": seen.ended.map(|ended| json!({
            "status": ended.status,
            "signal": ended.signal,
            "exit": ended.code(),
        })),
        "lost_blocks": seen.lost_blocks,
        "gaps": seen.gaps,
        "torn": seen.torn,
        "processes": seen.processes.iter().map(process).collect::<Vec<_>>(),
        "notes": seen.notes,
        "looks": seen.looks,
        "ignored": seen.ignored,
        "findings": findings,
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)
}

/// A finding.
fn one(seen: &Seen, finding: &Finding) -> serde_json::Value {
    json!({
        "id": id::of(finding.name),
        "class": finding.class,
        "name": finding.name,
        "severity": finding.severity.name(),
        "title": finding.title,
        "evidence": finding.evidence,
        "code": finding.code.iter().map(code).collect::<Vec<_>>(),
        "hint": finding.hint,
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

/// Which code added descriptors.
fn code(code: &Code) -> serde_json::Value {
    let frame = |frame: &Frame| {
        json!({
            "function": frame.function,
            "file": frame.file,
            "line": frame.line,
            "module": frame.module,
            "offset": frame.offset,
            "inlined": frame.is_inlined,
        })
    };
    json!({
        "fds": code.fds,
        "frames": code.frames.iter().map(frame).collect::<Vec<_>>(),
        "goes_on": code.goes_on,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::finding::Tally;
    use super::super::seen::Ended;
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
            threads: BTreeMap::from([(77, "worker".into())]),
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
        assert_eq!(lines[1], "  process 42 (server), thread worker 77; first at 0.500 s, last at 2.000 s");
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
        assert!(text.contains(" are not judged: a record by "), "{text}");
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
        for key in ["id", "name", "title", "evidence", "advice", "unknown", "pid", "last_s", "count", "tids"]
        {
            assert!(!finding[key].is_null(), "{key}");
        }
    }

    #[test]
    fn it_says_how_long_it_looked_and_how_the_program_ended() {
        let printed = |seen: &Seen| {
            let (mut words, mut out) = (Vec::new(), Vec::new());
            text(seen, &mut words).unwrap();
            json(seen, &mut out).unwrap();
            let all: serde_json::Value = serde_json::from_slice(&out).unwrap();
            (String::from_utf8(words).unwrap(), all)
        };
        let mut seen = Seen::new(1_000_000_000);
        seen.looked(5_000_000_000, 7_000_000_000);
        let (words, all) = printed(&seen);
        assert_eq!(words, "no findings in 0 events of 2.0 s, looked at for 2.0 s\n");
        assert_eq!((all["looked_s"].as_f64(), all["program"].is_null()), (Some(2.0), true));
        let mut seen = self::seen();
        seen.ended = Some(Ended { status: None, signal: Some(libc::SIGABRT) });
        seen.notes.push("process 7 lives on".into());
        seen.ignore(&["hang-up-spin".parse().unwrap()]);
        let (words, all) = printed(&seen);
        let lines: Vec<&str> = words.lines().collect();
        let last = "no findings in 0 events of 0.0 s; 1 ignored; SIGABRT ended the program: status 134";
        assert_eq!(lines, ["process 7 lives on", last]);
        assert_eq!(all["program"], json!({ "status": null, "signal": 6, "exit": 134 }));
        assert_eq!(
            (all["ignored"].as_u64(), all["notes"][0].as_str()),
            (Some(1), Some("process 7 lives on"))
        );
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
