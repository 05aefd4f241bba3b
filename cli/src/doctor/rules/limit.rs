//! Class 12: accept(2) meets the limit of descriptors, and the listener goes on being ready.

use std::collections::HashMap;

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

use super::spin;
use super::{Kept, Rule};
use crate::doctor::finding::{rate, Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::{count, times};

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
    all: u64,
    errno: u16,
}

/// The rule of class 12.
#[derive(Debug, Default)]
pub struct Limit {
    listeners: HashMap<i32, Listener>,
    /// By listener and errno, the longest run.
    found: Kept<(i32, u16)>,
    ready: HashMap<(i32, u16), u64>,
}

impl Limit {
    fn end(&mut self, fd: i32) {
        let Some(listener) = self.listeners.get_mut(&fd) else { return };
        let run = std::mem::take(&mut listener.run);
        let ready = std::mem::take(&mut listener.ready);
        if run.count >= FEW && ready > 0 || listener.all >= MANY {
            let key = (fd, listener.errno);
            self.found.keep_longest(key, run);
            let most = self.ready.entry(key).or_default();
            *most = ready.max(*most);
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
                listener.all += 1;
                listener.errno = errno;
            }
            _ if self.listeners.is_empty() => {}
            Event::Deliver { fd, .. } => {
                if let Some(listener) = self.listeners.get_mut(&fd).filter(|listener| listener.run.count > 0)
                {
                    listener.ready += 1;
                }
            }
            Event::Io { fd, op: Op::Accept, errno: 0, .. } | Event::Close { fd, .. } => self.end(fd),
            _ => {}
        }
    }

    fn gap(&mut self) {}

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        let mut found = self.found.clone();
        let mut ready = self.ready.clone();
        for (fd, listener) in &self.listeners {
            if listener.run.count >= FEW && listener.ready > 0 {
                let key = (*fd, listener.errno);
                found.keep_longest(key, listener.run.clone());
                let most = ready.entry(key).or_default();
                *most = listener.ready.max(*most);
            }
        }
        for (key @ (fd, errno), tally) in found.iter() {
            let (error, limit) = if i32::from(*errno) == libc::EMFILE {
                ("EMFILE", "the process's limit (RLIMIT_NOFILE)")
            } else {
                ("ENFILE", "the system's limit")
            };
            let ready = count(ready.get(key).copied().unwrap_or_default());
            let title =
                format!("listener fd {fd} ready {ready} times while {limit} of descriptors was reached");
            let severity = match spin::severity(tally) {
                Some(Severity::Error) => Severity::Error,
                _ => Severity::Warning,
            };
            let times = times(tally.count);
            out.push(Finding::new(12, severity, world.pid, title, tally).because(format!(
                "accept failed with {error} {times} in a row, for {}{}",
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
}
