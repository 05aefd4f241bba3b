//! Class 21: a wait ends with EINTR, and the program waits again with its whole timeout. If signals come more often than
//! that, the timeout never ends, and the timers behind it are late.

use std::collections::HashMap;

use glasspoll_record::event::Event;
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity};
use crate::replay::World;
use crate::text::span;
use crate::text::units::{count, times};

/// One or two signals in a timeout are chance, and make it a little longer.
const OFTEN: u64 = 5;
/// A loop that does something else between its waits looks at its timers there.
const AT_ONCE_NS: u64 = 2_000_000;
/// The most threads.
const THREADS: usize = 1 << 12;

#[derive(Clone, Copy, Debug)]
struct Row {
    epoll: u32,
    timeout_ns: i64,
    since: u64,
    interrupted: u64,
    last_ns: u64,
    /// The thread waits.
    waits: bool,
}

impl Row {
    /// By how much the row is longer than its timeout, and a half of it: that is no more chance.
    fn is_late(&self) -> bool {
        let timeout = u64::try_from(self.timeout_ns).unwrap_or(u64::MAX);
        let lasted = self.last_ns.saturating_sub(self.since);
        self.interrupted >= OFTEN && lasted >= timeout.saturating_add(timeout / 2)
    }
}

/// The rule of class 21.
#[derive(Debug, Default)]
pub struct Anew {
    rows: HashMap<u32, Row>,
    /// By set.
    found: Kept<u32>,
    worst: HashMap<u32, Row>,
}

impl Anew {
    fn end(&mut self, tid: u32) {
        let Some(row) = self.rows.remove(&tid).filter(Row::is_late) else { return };
        if let Some(tally) = self.found.entry(row.epoll) {
            tally.add(row.since, -1, tid);
            tally.last_ns = row.last_ns;
            let worst = self.worst.entry(row.epoll).or_insert(row);
            if row.interrupted > worst.interrupted {
                *worst = row;
            }
        }
    }

    fn enter(&mut self, entry: &Entry, epoll: u32, timeout_ns: i64) {
        if let Some(row) = self.rows.get_mut(&entry.tid) {
            let is_same = (row.epoll, row.timeout_ns) == (epoll, timeout_ns);
            if is_same && entry.ns.saturating_sub(row.last_ns) <= AT_ONCE_NS {
                row.waits = true;
                return;
            }
            self.end(entry.tid);
        }
        if timeout_ns > 0 && self.rows.len() < THREADS {
            let (since, last_ns) = (entry.ns, entry.ns);
            self.rows
                .insert(entry.tid, Row { epoll, timeout_ns, since, interrupted: 0, last_ns, waits: true });
        }
    }
}

impl Rule for Anew {
    fn event(&mut self, _world: &World, entry: &Entry) {
        match entry.event {
            Event::WaitEnter { epoll, timeout_ns, .. } => self.enter(entry, epoll, timeout_ns),
            Event::WaitReturn { n, .. } if n == -libc::EINTR => {
                if let Some(row) = self.rows.get_mut(&entry.tid) {
                    row.interrupted += 1;
                    (row.last_ns, row.waits) = (entry.ns, false);
                }
            }
            Event::WaitReturn { .. } => self.end(entry.tid),
            // The program does what the signal, or a timer, is for.
            Event::Io { .. } | Event::Ctl { .. }
                if self.rows.get(&entry.tid).is_some_and(|row| !row.waits) =>
            {
                self.end(entry.tid);
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.rows.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        let mut found = self.found.clone();
        let mut all = self.worst.clone();
        for (tid, row) in self.rows.iter().filter(|(_, row)| row.is_late()) {
            if let Some(tally) = found.entry(row.epoll) {
                tally.add(row.since, -1, *tid);
                tally.last_ns = row.last_ns;
                all.entry(row.epoll).or_insert(*row);
            }
        }
        for (epoll, tally) in found.iter() {
            let Some(worst) = all.get(epoll) else { continue };
            let (set, timeout) = (world.set_name(*epoll), span(u64::try_from(worst.timeout_ns).unwrap_or(0)));
            let (interrupted, lasted) =
                (count(worst.interrupted), span(worst.last_ns.saturating_sub(worst.since)));
            let title = format!("{set}: {interrupted} waits in a row ended with EINTR, each begun with the whole {timeout} again, for {lasted}");
            let mut finding = Finding::new(21, Severity::Warning, world.pid, title, tally)
                .because(format!("rows of such waits, each longer than its timeout: {}", times(tally.count)))
                .unknown("whether a timer depends on the timeout: timers that a loop keeps itself are not recorded");
            finding.fds.extend(world.sets.get(epoll).and_then(|set| set.epfd));
            // What stops a process ends its waits with EINTR, and without a processor a few signals take long.
            out.push(finding.timed(tally.first_ns, tally.last_ns, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::Script;

    fn interrupted(script: &mut Script, waits: u64, timeout: impl Fn(u64) -> i64) {
        for turn in 0..waits {
            script.enter(16, timeout(turn)).ms(5).back(-libc::EINTR);
        }
    }

    #[test]
    fn a_timeout_that_begins_anew_at_each_signal_is_found() {
        let mut script = Script::new();
        interrupted(&mut script, 40, |_| 50);
        assert_eq!(script.found(), [(21, Severity::Warning)]);
        script.enter(16, 50).ms(50).give(&[]);
        assert_eq!(script.found(), [(21, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [3]);
    }

    #[test]
    fn a_timeout_that_goes_on_is_fine() {
        let mut script = Script::new();
        interrupted(&mut script, 10, |turn| 50 - 5 * turn as i64);
        script.enter(16, 0).give(&[]);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_few_signals_and_waits_for_ever_are_fine() {
        let mut script = Script::new();
        interrupted(&mut script, 4, |_| 5);
        script.enter(16, 5).ms(5).give(&[]);
        interrupted(&mut script, 100, |_| -1);
        script.enter(16, -1);
        assert_eq!(script.found(), []);
    }
}
