//! What the command costs, and how exact the record is.

use super::work::{program_of_ours, Sample};
use crate::mode::clean_command;
use crate::synthetic;
use glasspoll_record::event::{Event, Known};
use glasspoll_record::find;
use glasspoll_record::stream::Stream;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 200;

/// Seconds and MiB to make the page of a record.
// wait4 reaps it, and returns its memory use as well.
#[allow(clippy::zombie_processes)]
pub fn report(dir: &Path, events: u64) -> Sample {
    let (record, page) = (dir.join("record"), dir.join("page.html"));
    synthetic::write(&record, events).expect("the test's own directory");
    let start = Instant::now();
    let child = clean_command(program_of_ours("glasspoll"))
        .arg("report")
        .arg(record)
        .arg("-o")
        .arg(page)
        .stderr(Stdio::null())
        .spawn()
        .expect("it was built with this");
    let mut status = 0;
    // SAFETY: all-zero bytes are an empty usage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: our child, and room for the status and the usage.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    assert_eq!((waited, status), (child.id() as i32, 0), "glasspoll report");
    Sample::of(vec![start.elapsed().as_secs_f64(), usage.ru_maxrss as f64 / 1024.0])
}

/// By how many microseconds the recorded ready time is off, in the median.
pub fn ready(mut command: Command, busy_us: u64) -> Sample {
    let mut child = command
        .args([ROUNDS.to_string(), busy_us.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built with this");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().take(ROUNDS);
    let moments = lines.map(|line| {
        let line = line.expect("a pipe");
        let (before, after) = line.split_once(' ').expect("two numbers");
        [before, after].map(|text| text.parse::<u64>().expect("a number"))
    });
    let moments: Vec<_> = moments.collect();
    let mut stream = Stream::new(find::open(child.id()).expect("a record"));
    let events = stream.poll().expect("a record");
    drop(child.stdin.take());
    assert!(child.wait().expect("our child").success());
    let ready = events.iter().filter_map(|entry| match entry.event {
        Event::Deliver { ready_ns, known, .. } => Some((entry.ns - ready_ns, known)),
        _ => None,
    });
    let off = ready.zip(moments).map(|((since, known), [before, after])| {
        assert_eq!(known, Known::Exactly, "GLASSPOLL_READY=exact");
        before.saturating_sub(since).max(since.saturating_sub(after))
    });
    let mut off: Vec<u64> = off.collect();
    assert_eq!(off.len(), ROUNDS);
    off.sort_unstable();
    Sample::of(vec![off[ROUNDS / 2] as f64 / 1000.0])
}
