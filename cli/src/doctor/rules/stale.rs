//! Class 7: a batch has an event of a descriptor that a handler of an earlier event of the same batch has closed.
//!
//! The rule looks at a close: the descriptor's event in the batch is still to be served. It is a finding if the program
//! uses the fd all the same before the batch is done. The fd is bad (EBADF) or, worse, stands for another file by then.
//! The latter proves nothing if the program reads new connections before their first event.

use std::collections::{BTreeSet, HashMap};

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity};
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

/// The most closed descriptors, at a time, whose event is still to be served.
const CLOSED: usize = 1 << 12;
/// The most new connections that are followed.
const FRESH: usize = 1 << 14;
/// The most threads whose batches are searched when a descriptor is closed.
const THREADS: usize = 64;

#[derive(Debug)]
struct Pending {
    /// Its place in the batch.
    place: usize,
    closed_ns: u64,
    by: u32,
    /// The fd is another file's now.
    is_reborn: bool,
    /// It became another file's by no accept.
    is_made: bool,
    /// Since then, the event of another descriptor of the batch was served.
    is_next: bool,
}

/// The rule of class 7.
#[derive(Debug, Default)]
pub struct Stale {
    /// By thread and fd.
    pending: HashMap<(u32, i32), Pending>,
    /// By thread: the last descriptor of its batch that it has read or written.
    served: HashMap<u32, i32>,
    /// By fd, and whether it was another file's.
    found: Kept<(i32, bool)>,
    /// Accepted connections, and new items, that were not delivered yet.
    fresh: BTreeSet<i32>,
    /// The program reads new connections before their first event.
    is_eager: bool,
    /// For each of these: the place in the batch, how long ago the close was, and the thread that closed.
    about: HashMap<(i32, bool), (usize, u64, u32)>,
}

impl Stale {
    fn close(&mut self, world: &World, entry: &Entry, fd: i32) {
        for (tid, thread) in world.threads.iter().take(THREADS).filter(|(_, thread)| thread.serves()) {
            let Some(place) = thread.batch.iter().position(|event| event.fd == fd) else { continue };
            let served = self.served.get(tid);
            let reached = served.and_then(|served| thread.batch.iter().position(|event| event.fd == *served));
            let is_to_come = reached.map_or(*tid != entry.tid, |reached| reached < place);
            if is_to_come && self.pending.len() < CLOSED {
                let (closed_ns, by) = (entry.ns, entry.tid);
                let new = Pending { place, closed_ns, by, is_reborn: false, is_made: false, is_next: false };
                self.pending.insert((*tid, fd), new);
            }
        }
    }

    fn reborn(&mut self, fd: i32, is_made: bool) {
        for ((_, closed), pending) in &mut self.pending {
            if *closed == fd {
                pending.is_made = pending.is_made || is_made && !pending.is_reborn;
                pending.is_reborn = true;
            }
        }
    }

    fn io(&mut self, world: &World, entry: &Entry, fd: i32, errno: u16, is_accept: bool) {
        let is_bad = i32::from(errno) == libc::EBADF;
        // Nothing was there: the file was made a moment ago, and the event was not its own.
        let is_empty = i32::from(errno) == libc::EAGAIN;
        let key = (entry.tid, fd);
        let is_fresh = self.fresh.remove(&fd);
        self.is_eager |= is_fresh && !self.pending.contains_key(&key);
        if let Some(pending) = self.pending.get(&key) {
            // A new connection may well be read at once, right after its accept.
            let is_used = is_bad && !pending.is_reborn
                || pending.is_reborn && !is_bad && (pending.is_next || pending.is_made && is_empty);
            if is_used {
                let about = (pending.place, entry.ns.saturating_sub(pending.closed_ns), pending.by);
                let key = (fd, pending.is_reborn);
                if let Some(tally) = self.found.entry(key) {
                    tally.add(entry.ns, fd, entry.tid);
                    tally.with_tid(pending.by);
                    self.about.insert(key, about);
                }
            }
            self.pending.remove(&key);
            return;
        }
        let Some(thread) = world.thread(entry.tid).filter(|thread| thread.serves()) else { return };
        let Some(place) = thread.batch.iter().position(|event| event.fd == fd) else { return };
        self.served.insert(entry.tid, fd);
        for ((tid, _), pending) in &mut self.pending {
            // The thread now serves an event before the stale one. An accept does not count: a listener is asked again
            // and again.
            if *tid == entry.tid && pending.is_reborn && !is_accept && place < pending.place {
                pending.is_next = true;
            }
        }
    }
}

impl Rule for Stale {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Close { fd, errno: 0, .. } => {
                self.fresh.remove(&fd);
                self.close(world, entry, fd);
            }
            Event::Io { fd, op: Op::Accept, result, errno, .. } => {
                self.io(world, entry, fd, errno, true);
                if let Ok(new) = i32::try_from(result) {
                    if new >= 0 && self.fresh.len() < FRESH {
                        self.fresh.insert(new);
                    }
                    self.reborn(new, false);
                }
            }
            // A number that is connected is a new socket's.
            Event::Io { op: Op::Connect, fd, .. } => self.reborn(fd, true),
            // Greeting a new connection is no answer to an event.
            Event::Io { op: Op::Write, errno: 0, fd, .. } if self.fresh.contains(&fd) => {}
            Event::Io { fd, errno, .. } => self.io(world, entry, fd, errno, false),
            Event::Deliver { fd, .. } if !self.fresh.is_empty() => {
                self.fresh.remove(&fd);
            }
            Event::Dup { new, .. } if !self.pending.is_empty() => self.reborn(new, true),
            Event::Ctl { op, fd, errno: 0, .. } => {
                if op == Some(Ctl::Add) && self.fresh.len() < FRESH {
                    self.fresh.insert(fd);
                }
                self.reborn(fd, true);
            }
            Event::WaitEnter { .. } => {
                self.served.remove(&entry.tid);
                if !self.pending.is_empty() {
                    self.pending.retain(|(tid, _), _| *tid != entry.tid);
                }
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.pending.clear();
        self.served.clear();
        self.fresh.clear();
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        for (key @ (fd, is_reborn), tally) in
            self.found.iter().filter(|((_, is_reborn), _)| !is_reborn || !self.is_eager)
        {
            let (place, ago, by) = self.about.get(key).copied().unwrap_or_default();
            let then = if *is_reborn { "and another file by then" } else { "and used all the same (EBADF)" };
            let title = format!("slot {place} of the batch: fd {fd} closed since delivery, {then}");
            // What was read or written was another connection's.
            let severity = if *is_reborn { Severity::Warning } else { Severity::Error };
            let mut finding = Finding::new(7, severity, world.pid, title, tally).because(format!(
                "{}; the last time it was closed by thread {by}, {} before it was used",
                times(tally.count),
                span(ago)
            ));
            if *is_reborn {
                finding = finding.unknown("whether the program had the new file in mind");
            }
            out.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EAGAIN, EBADF, IN};

    fn batch(script: &mut Script) -> &mut Script {
        script.add(5, IN).add(6, IN).add(8, IN).wait(&[(5, IN), (6, IN), (8, IN)])
    }

    #[test]
    fn a_descriptor_closed_before_its_turn_and_used_is_found() {
        let mut script = Script::new();
        batch(&mut script).read(5, 10, 10).close(8).read(6, 10, 10).read(8, 10, EBADF);
        assert_eq!(script.found(), [(7, Severity::Error)]);
        assert_eq!(script.findings()[0].fds, [8]);
        assert!(script.findings()[0].title.starts_with("slot 2 "));
    }

    #[test]
    fn a_number_that_is_another_files_by_its_turn_is_found() {
        let mut script = Script::new();
        batch(&mut script).read(5, 10, 10).close(8).accept(30, 8);
        script.add(8, IN).read(6, 10, 10).read(8, 10, EAGAIN);
        assert_eq!(script.found(), [(7, Severity::Warning)]);
    }

    #[test]
    fn a_program_that_reads_new_connections_untold_is_fine() {
        let mut script = Script::new();
        script.add(30, IN).wait(&[(30, IN)]).accept(30, 40).read(40, 10, EAGAIN);
        batch(&mut script).read(5, 10, 10).close(8).accept(30, 8);
        script.add(8, IN).read(6, 10, 10).read(8, 10, EAGAIN);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_number_of_the_last_event_that_is_another_files_by_then_is_found() {
        let mut script = Script::new();
        script.add(5, IN).add(6, IN).wait(&[(5, IN), (6, IN)]);
        script.read(5, 10, 4).close(6).io(Op::Connect, 6, 0, 0).add(6, IN).read(6, 10, EAGAIN);
        assert_eq!(script.found(), [(7, Severity::Warning)]);
    }

    #[test]
    fn a_program_that_reads_what_it_adds_untold_is_fine() {
        let mut script = Script::new();
        script.add(40, IN).read(40, 10, EAGAIN).add(5, IN).add(6, IN).wait(&[(5, IN), (6, IN)]);
        script.read(5, 10, 4).close(6).add(6, IN).read(6, 10, EAGAIN);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_descriptor_closed_before_its_turn_and_left_alone_is_fine() {
        let mut script = Script::new();
        batch(&mut script).read(5, 10, 10).close(8).read(6, 10, 10);
        script.wait(&[(6, IN)]).read(8, 10, EBADF);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_connection_that_is_read_right_after_its_accept_is_fine() {
        let mut script = Script::new();
        script.add(30, IN).add(6, IN).add(8, IN).wait(&[(6, IN), (30, IN), (8, IN)]);
        script.read(6, 10, 0).close(8).accept(30, 8).add(8, IN).accept(30, EAGAIN).read(8, 10, EAGAIN);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_descriptor_closed_in_its_own_turn_is_fine() {
        let mut script = Script::new();
        batch(&mut script).read(5, 10, 0).close(5).read(6, 10, 0).close(6).read(8, 10, 10);
        script.accept(8, 5).read(5, 10, 10);
        assert_eq!(script.found(), []);
    }
}
