//! Class 12: accept(2) meets the limit of descriptors, and the listener goes on being ready.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

use super::spin;
use super::{Kept, Rule};
use crate::doctor::finding::{rate, Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

/// A program that handles the limit sees one refusal, and perhaps a second one.
const FEW: u64 = 3;
/// A program may expect the limit, and keep a spare descriptor to take each connection with. Such a program is refused
/// fewer times than this in a record.
const MANY: u64 = 100;
/// The most listeners.
const LISTENERS: usize = 1 << 10;

#[derive(Debug, Default)]
struct Listener {
    /// Refusals in a row.
    run: Tally,
    /// How often the listener was delivered meanwhile.
    ready: u64,
    /// All refusals, and how often one followed a delivery.
    all: Tally,
    all_ready: u64,
    /// It was delivered, and nothing was accepted since.
    is_told: bool,
    errno: u16,
}

/// Which refusals a tally counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    /// All of them.
    All,
    /// The longest row.
    Row,
}

type Key = (i32, u16, Which);

/// The rule of class 12.
#[derive(Debug, Default)]
pub struct Limit {
    listeners: HashMap<i32, Listener>,
    found: Kept<Key>,
    ready: BTreeMap<Key, u64>,
}

/// Keeps the longest row, and all refusals, of a listener.
fn keep(found: &mut Kept<Key>, ready: &mut BTreeMap<Key, u64>, fd: i32, listener: &Listener) {
    let mut keep = |which, tally: &Tally, times: u64| {
        let key = (fd, listener.errno, which);
        found.keep_longest(key, tally.clone());
        let most = ready.entry(key).or_default();
        *most = times.max(*most);
    };
    if listener.run.count >= FEW && listener.ready > 0 {
        keep(Which::Row, &listener.run, listener.ready);
    }
    if listener.all.count >= MANY {
        keep(Which::All, &listener.all, listener.all_ready);
    }
}

impl Limit {
    fn end(&mut self, fd: i32, is_closed: bool) {
        let Some(listener) = self.listeners.get_mut(&fd) else { return };
        if is_closed || listener.run.count >= FEW {
            keep(&mut self.found, &mut self.ready, fd, listener);
        }
        (listener.run, listener.ready, listener.is_told) = (Tally::new(), 0, false);
        if is_closed {
            self.listeners.remove(&fd);
        }
    }
}

impl Rule for Limit {
    fn event(&mut self, _world: &World, entry: &Entry) {
        match entry.event {
            Event::Io { fd, op: Op::Accept, errno, .. }
                if matches!(i32::from(errno), libc::EMFILE | libc::ENFILE)
                    && (self.listeners.len() < LISTENERS || self.listeners.contains_key(&fd)) =>
            {
                let listener = self.listeners.entry(fd).or_default();
                listener.run.add(entry.ns, fd, entry.tid);
                listener.all.add(entry.ns, fd, entry.tid);
                listener.all_ready += u64::from(std::mem::take(&mut listener.is_told));
                listener.errno = errno;
            }
            _ if self.listeners.is_empty() => {}
            Event::Deliver { fd, .. } => {
                if let Some(listener) = self.listeners.get_mut(&fd) {
                    listener.is_told = true;
                    listener.ready += u64::from(listener.run.count > 0);
                }
            }
            Event::Io { fd, op: Op::Accept, errno: 0, .. } => self.end(fd, false),
            Event::Close { fd, errno: 0, .. } => self.end(fd, true),
            _ => {}
        }
    }

    fn gap(&mut self) {}

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        let (mut found, mut ready) = (self.found.clone(), self.ready.clone());
        self.listeners.iter().for_each(|(fd, listener)| keep(&mut found, &mut ready, *fd, listener));
        // All refusals come before the longest row, which they contain.
        let mut told = BTreeSet::new();
        for (key @ (fd, errno, which), tally) in found.iter() {
            if !told.insert((*fd, *errno)) {
                continue;
            }
            let (error, limit) = if i32::from(*errno) == libc::EMFILE {
                ("EMFILE", "the process's limit (RLIMIT_NOFILE)")
            } else {
                ("ENFILE", "the system's limit")
            };
            let ready = times(ready.get(key).copied().unwrap_or_default());
            let title = format!("listener fd {fd} ready {ready} while {limit} of descriptors was reached");
            let row = found.iter().find(|((other, _, which), _)| other == fd && *which == Which::Row);
            let severity = match row.and_then(|(_, row)| spin::severity(row)) {
                Some(Severity::Error) => Severity::Error,
                _ => Severity::Warning,
            };
            let times = times(tally.count);
            let how = if *which == Which::Row { "in a row" } else { "in all" };
            out.push(Finding::new(12, severity, world.pid, title, tally).because(format!(
                "accept failed with {error} {times} {how}, for {}{}",
                span(tally.lasted()),
                rate(tally)
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};

    const EMFILE: i64 = -(libc::EMFILE as i64);

    #[test]
    fn a_listener_that_stays_ready_at_the_limit_is_found() {
        let mut script = Script::new();
        script.add(4, IN);
        for _ in 0..200 {
            script.ms(6).wait(&[(4, IN)]).accept(4, EMFILE);
        }
        assert_eq!(script.found(), [(12, Severity::Error)]);
        assert_eq!(script.findings()[0].fds, [4]);
    }

    #[test]
    fn one_refusal_that_is_handled_is_fine() {
        let mut script = Script::new();
        script
            .add(4, IN)
            .wait(&[(4, IN)])
            .accept(4, EMFILE)
            .del(4)
            .enter(64, 500)
            .ms(500)
            .give(&[])
            .add(4, IN);
        script.wait(&[(4, IN)]).accept(4, 20).wait(&[(4, IN)]).accept(4, EMFILE);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_program_with_a_spare_descriptor_is_told_of_all_refusals() {
        let mut script = Script::new();
        script.add(4, IN);
        for _ in 0..200 {
            // It takes the connection with the spare descriptor, and closes it.
            script.ms(6).wait(&[(4, IN)]).accept(4, EMFILE).accept(4, 20).close(20);
        }
        assert_eq!(script.found(), [(12, Severity::Warning)]);
        let finding = &script.findings()[0];
        assert!(finding.title.contains("ready 199 times"), "{finding:?}");
        assert_eq!(finding.count, 200);
    }
}
