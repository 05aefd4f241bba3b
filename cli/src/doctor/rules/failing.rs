//! Class 22: a thread waits over and over on what is no epoll descriptor (any more). Each wait fails at once, and the loop
//! takes that for a wait without events: it never sleeps, and serves nobody.

use std::collections::HashMap;

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

use super::{spin, Kept, Rule};
use crate::doctor::finding::{rate, Finding, Tally};
use crate::replay::World;
use crate::text::units::{errno, times};

/// The most threads.
const THREADS: usize = 1 << 12;

/// What fails: the fd that is waited on, or -1 if the set is known and the wait asks for something impossible.
type Key = (u32, i32, u16);

/// The rule of failing waits.
#[derive(Debug, Default)]
pub struct Failing {
    /// By thread, in a row.
    rows: HashMap<u32, (Key, Tally)>,
    found: Kept<Key>,
}

impl Failing {
    fn failed(&mut self, entry: &Entry, fd: i32, errno: u16) {
        if self.rows.len() >= THREADS && !self.rows.contains_key(&entry.tid) {
            return;
        }
        let key = (entry.tid, fd, errno);
        let row = self.rows.entry(entry.tid).or_insert_with(|| (key, Tally::new()));
        if row.0 != key {
            let (key, tally) = std::mem::replace(row, (key, Tally::new()));
            self.found.keep_longest(key, tally);
        }
        if let Some((_, tally)) = self.rows.get_mut(&entry.tid) {
            tally.add(entry.ns, fd, entry.tid);
        }
    }

    fn end(&mut self, tid: u32) {
        if let Some((key, tally)) = self.rows.remove(&tid) {
            self.found.keep_longest(key, tally);
        }
    }
}

impl Rule for Failing {
    fn event(&mut self, _world: &World, entry: &Entry) {
        match entry.event {
            Event::Io { fd, op: Op::Wait, errno, .. } => self.failed(entry, fd, errno),
            Event::WaitReturn { n, .. } if n < 0 && n != -libc::EINTR => {
                self.failed(entry, -1, u16::try_from(-n).unwrap_or(0));
            }
            Event::WaitReturn { .. } if !self.rows.is_empty() => self.end(entry.tid),
            _ => {}
        }
    }

    fn gap(&mut self) {
        // A row that is too fast to be read whole goes on.
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        let mut found = self.found.clone();
        self.rows.values().for_each(|(key, tally)| found.keep_longest(*key, tally.clone()));
        for ((tid, fd, number), tally) in found.iter() {
            let Some(severity) = spin::severity(tally) else { continue };
            let on = if *fd < 0 { String::new() } else { format!(" on fd {fd}") };
            let (why, count) = (errno(*number), times(tally.count));
            let title = format!(
                "thread {tid}: its wait{on} failed at once with {why}, {count} in a row{}",
                rate(tally)
            );
            let mut finding = Finding::new(22, severity, world.pid, title, tally)
                .because("a wait that fails other than with EINTR fails again: the loop does not sleep, and gets no events");
            finding.advice = "Take such an error for the end of the loop, or make the set anew; and find what closed its descriptor.";
            if let Some(closed) = world.fd(*fd).and_then(|state| state.closed) {
                let at = world.at(closed.ns);
                finding =
                    finding.because(format!("fd {fd} was last closed at {at} by thread {}", closed.tid));
            }
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EBADF, IN};
    use crate::doctor::Severity;

    #[test]
    fn a_loop_whose_set_was_closed_is_found() {
        let mut script = Script::new();
        script.add(5, IN).wait(&[(5, IN)]).read(5, 10, 5);
        script.tid = 2;
        script.close(3);
        script.tid = 100;
        for _ in 0..6000 {
            script.io(Op::Wait, 3, 0, EBADF);
        }
        let finding = &script.findings()[0];
        assert_eq!((finding.class, finding.severity), (22, Severity::Error));
        assert!(finding.title.contains("on fd 3 failed at once with EBADF"), "{}", finding.title);
        assert!(finding.evidence.iter().any(|line| line.ends_with("by thread 2")), "{:?}", finding.evidence);
    }

    #[test]
    fn a_wait_for_no_events_at_all_is_found() {
        let mut script = Script::new();
        for _ in 0..200 {
            script.enter(0, -1).back(-libc::EINVAL).ms(10);
        }
        assert_eq!(script.found(), [(22, Severity::Error)]);
    }

    #[test]
    fn a_wait_that_fails_now_and_then_and_eintr_are_fine() {
        let mut script = Script::new();
        script.add(5, IN);
        for _ in 0..300 {
            script.io(Op::Wait, 9, 0, EBADF).ms(10).wait(&[(5, IN)]).read(5, 10, 5);
            script.enter(64, -1).back(-libc::EINTR);
        }
        assert!(script.found().iter().all(|(class, _)| *class != 22), "{:?}", script.found());
    }
}
