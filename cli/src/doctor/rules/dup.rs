//! Class 1: a descriptor is closed, and the item that was added by it still reports events, because another descriptor
//! of the same file is open, in this process or in another one.

use std::collections::HashMap;

use glasspoll_record::event::{Ctl, Event, Op};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{rate, Finding, Severity, Tally};
use crate::replay::world::Item;
use crate::replay::World;
use crate::text::units::count;

/// An event or two that were under way when the fd was closed do no harm.
const FEW: u64 = 3;
/// This many events of a new file of the same number that were in vain are no chance.
const IN_VAIN: u64 = 20;
/// The same in a process with one thread: nobody else can have taken what they were of.
const ALONE_IN_VAIN: u64 = 5;
/// From this many events on, they keep the loop busy.
const MANY: u64 = 100;
/// The most items that are watched for it.
const ORPHANS: usize = 1 << 14;

/// In the place of an fd: the file lives on in another process.
const ELSEWHERE: i32 = -1;

#[derive(Debug)]
struct Orphan {
    fd: i32,
    /// Another fd of its file, or `ELSEWHERE`.
    lives_as: i32,
    tally: Tally,
    /// Its set, and what the program gets with its events.
    key: (u32, Option<u64>),
    /// A later item of the set whose events look the same. What is told of the one may be meant for the other.
    twin: Option<u32>,
    /// The twin was told of something, and nothing was read since.
    is_told: bool,
}

impl Orphan {
    fn new(fd: i32, lives_as: i32, item: &Item) -> Self {
        let key = (item.epoll, item.data);
        Self { fd, lives_as, tally: Tally::new(), key, twin: None, is_told: false }
    }

    /// How many events prove it: the new file's may be taken by another thread now and then.
    fn is_found(&self, has_threads: bool) -> bool {
        let enough = match self.twin {
            Some(_) if has_threads => IN_VAIN,
            Some(_) => ALONE_IN_VAIN,
            None => FEW,
        };
        self.tally.count >= enough
    }
}

/// The rule of class 1.
#[derive(Debug, Default)]
pub struct Dup {
    orphans: HashMap<u32, Orphan>,
    found: Kept<(i32, i32)>,
    /// More than one thread of the process was seen.
    has_threads: bool,
}

impl Dup {
    fn end(&mut self, item: u32) {
        if let Some(orphan) = self.orphans.remove(&item) {
            if orphan.is_found(self.has_threads) {
                self.found.keep_longest((orphan.fd, orphan.lives_as), orphan.tally);
            }
        }
    }
}

impl Dup {
    /// The orphan with this twin.
    fn of_twin(&mut self, item: u32) -> Option<&mut Orphan> {
        self.orphans.values_mut().find(|orphan| orphan.twin == Some(item))
    }
}

impl Rule for Dup {
    fn event(&mut self, world: &World, entry: &Entry) {
        self.has_threads |= world.threads.len() > 1;
        match entry.event {
            Event::Close { fd, lives_as, errno: 0 } if lives_as >= 0 => {
                // Only the first close of an item's own fd makes it an orphan: later that fd may be any file's.
                for (serial, item) in world.items_by(fd) {
                    if self.orphans.len() < ORPHANS && item.events.is_none_or(|events| events != 0) {
                        self.orphans.entry(serial).or_insert(Orphan::new(fd, lives_as, item));
                    }
                }
                for orphan in self.orphans.values_mut().filter(|orphan| orphan.lives_as == fd) {
                    orphan.lives_as = lives_as;
                }
            }
            Event::Deliver { item, .. } if !self.orphans.is_empty() => {
                if let Some(orphan) = self.orphans.get_mut(&item) {
                    orphan.tally.add(entry.ns, orphan.fd, entry.tid);
                    orphan.tally.with_fd(orphan.lives_as);
                    return;
                }
                if let Some(orphan) = self.of_twin(item) {
                    orphan.is_told = true;
                }
            }
            Event::Ctl { op: Some(Ctl::Add | Ctl::Found), errno: 0, epoll, item, data, .. }
                if !self.orphans.is_empty() =>
            {
                let is_alike =
                    |orphan: &&mut Orphan| orphan.lives_as == ELSEWHERE && orphan.key == (epoll, Some(data));
                if let Some(orphan) = self.orphans.values_mut().find(is_alike) {
                    (orphan.twin, orphan.is_told) = (Some(item), false);
                }
            }
            Event::Io { fd, op: Op::Read | Op::Accept, errno, .. }
                if i32::from(errno) == libc::EAGAIN && !self.orphans.is_empty() =>
            {
                for (serial, _) in world.items_of(fd) {
                    let (ns, tid) = (entry.ns, entry.tid);
                    if let Some(orphan) = self.of_twin(serial).filter(|orphan| orphan.is_told) {
                        orphan.tally.add(ns, orphan.fd, tid);
                        orphan.is_told = false;
                    }
                }
            }
            // The program serves the file by its other fd: it means to have these events.
            Event::Io { fd, op: Op::Read | Op::Write | Op::Accept, result, .. }
                if result >= 0 && !self.orphans.is_empty() =>
            {
                for (serial, _) in world.items_of(fd) {
                    if let Some(orphan) = self.of_twin(serial) {
                        orphan.is_told = false;
                    }
                }
                let Some(file) = world.fd(fd).map(|state| state.file).filter(|file| *file != 0) else {
                    return;
                };
                let is_served = |item: &u32| world.items.get(item).is_some_and(|item| item.file == file);
                let served: Vec<u32> = self.orphans.keys().copied().filter(|item| is_served(item)).collect();
                served.into_iter().for_each(|item| self.end(item));
            }
            Event::Ctl { op: Some(Ctl::Del), errno: 0, item, .. } => self.end(item),
            Event::Release { fd, shared: true, .. } => {
                for (serial, item) in world.items_of(fd) {
                    self.end(serial);
                    if self.orphans.len() < ORPHANS {
                        self.orphans.insert(serial, Orphan::new(item.fd, ELSEWHERE, item));
                    }
                }
            }
            Event::Release { .. } if !self.orphans.is_empty() => {
                let is_gone = |item: &u32| !world.items.contains_key(item) && !world.is_elsewhere(*item);
                let gone: Vec<u32> = self.orphans.keys().copied().filter(is_gone).collect();
                gone.into_iter().for_each(|item| self.end(item));
            }
            _ => {}
        }
    }

    fn gap(&mut self) {
        let all: Vec<u32> = self.orphans.keys().copied().collect();
        all.into_iter().for_each(|item| self.end(item));
    }

    fn findings(&self, world: &World, _until_ns: u64, out: &mut Vec<Finding>) {
        let mut found = self.found.clone();
        for orphan in self.orphans.values().filter(|orphan| orphan.is_found(self.has_threads)) {
            found.keep_longest((orphan.fd, orphan.lives_as), orphan.tally.clone());
        }
        for ((fd, lives_as), tally) in found.iter() {
            let severity = if tally.count >= MANY { Severity::Error } else { Severity::Warning };
            let (events, rate) = (format!("{} events since", count(tally.count)), rate(tally));
            out.push(if *lives_as == ELSEWHERE {
                let title = format!("fd {fd} closed; its file lives on in another process; {events}{rate}");
                Finding::new(1, severity, world.pid, title, tally)
                    .because(format!("the item of fd {fd} was never taken out of its set, and no descriptor of its file is left here to do so"))
                    .because("if the fd is another file's by now, the program takes these events for that one's")
                    .unknown("which process holds the file")
            } else {
                let title = format!("fd {fd} closed; its file lives as fd {lives_as}; {events}{rate}");
                Finding::new(1, severity, world.pid, title, tally)
                    .because(format!("the item of fd {fd} was never taken out of its set, and nothing was read or written by fd {lives_as} meanwhile"))
                    .unknown("whether another process holds the file too")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, EAGAIN, HUP, IN};
    use glasspoll_record::event::Known;

    fn closed_while_a_dup_lives(script: &mut Script) {
        script.add(7, IN).event(Event::Dup { old: 7, new: 9 });
        script.event(Event::Close { fd: 7, lives_as: 9, errno: 0 });
    }

    #[test]
    fn an_item_whose_number_is_closed_and_that_goes_on_is_found() {
        let mut script = Script::new();
        closed_while_a_dup_lives(&mut script);
        for _ in 0..99 {
            script.ms(20).wait(&[(7, IN)]);
        }
        assert_eq!(script.found(), [(1, Severity::Warning)]);
        script.wait(&[(7, IN)]);
        assert_eq!(script.found(), [(1, Severity::Error)]);
        assert_eq!(script.findings()[0].fds, [7, 9]);
    }

    #[test]
    fn two_events_that_were_under_way_are_fine() {
        let mut script = Script::new();
        closed_while_a_dup_lives(&mut script);
        script.wait(&[(7, IN)]).wait(&[(7, IN)]);
        script.event(Event::Release { fd: 9, items: 1, shared: false });
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_file_that_is_served_by_its_other_number_is_fine() {
        let mut script = Script::new();
        closed_while_a_dup_lives(&mut script);
        for _ in 0..200 {
            script.ms(1).wait(&[(7, IN)]).read(9, 100, 10);
        }
        assert_eq!(script.found(), []);
    }

    #[test]
    fn an_item_whose_file_lives_on_in_another_process_is_found() {
        let mut script = Script::observed();
        script.add(7, IN).event(Event::Release { fd: 7, items: 1, shared: true });
        script.event(Event::Close { fd: 7, lives_as: -1, errno: 0 });
        // The fd is another file's now, which is not meant. More items come and go than are remembered for a while.
        for fd in 100..400 {
            script.add(fd, IN).close(fd);
        }
        script.event(Event::Io { fd: 30, op: Op::Accept, result: 7, asked: 0, errno: 0 });
        for _ in 0..100 {
            script.ms(20).wait(&[(7, IN | HUP)]).read(7, 100, 10);
        }
        assert_eq!(script.found(), [(1, Severity::Error)]);
        let finding = &script.findings()[0];
        assert_eq!(finding.fds, [7]);
        assert!(finding.title.starts_with("fd 7 closed; its file lives on in another process; 100 events"));
    }

    #[test]
    fn a_shared_file_that_is_silent_after_its_close_is_fine() {
        let mut script = Script::observed();
        script.add(7, IN).event(Event::Release { fd: 7, items: 1, shared: true });
        script.event(Event::Close { fd: 7, lives_as: -1, errno: 0 }).ms(5000);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn events_that_reach_the_new_file_of_the_number_are_found() {
        for result in [EAGAIN, 10] {
            let mut script = Script::observed();
            script.add(7, IN).event(Event::Release { fd: 7, items: 1, shared: true });
            script.event(Event::Close { fd: 7, lives_as: -1, errno: 0 });
            // The new item has the old one's data, and so the record cannot tell their events apart.
            let (op, events) = (Some(Ctl::Add), IN);
            script.event(Event::Ctl { epoll: 1, op, fd: 7, events, data: 7, errno: 0, item: 70 });
            for _ in 0..100 {
                script.ms(20).enter(64, -1).event(Event::Deliver {
                    epoll: 1,
                    fd: 7,
                    item: 70,
                    events,
                    nth: 0,
                    ready_ns: 0,
                    known: Known::NotBefore,
                });
                script.back(1).read(7, 64, result);
            }
            let found = if result == 10 { vec![] } else { vec![(1, Severity::Error)] };
            assert_eq!(script.found(), found);
        }
    }

    #[test]
    fn a_thread_alone_needs_few_events_in_vain() {
        for (others, expected) in [(false, &[(1, Severity::Warning)][..]), (true, &[])] {
            let mut script = Script::observed();
            if others {
                script.tid = 2;
                script.add(20, IN);
                script.tid = 100;
            }
            script.add(7, IN).event(Event::Release { fd: 7, items: 1, shared: true });
            script.event(Event::Close { fd: 7, lives_as: -1, errno: 0 });
            let (op, events, known) = (Some(Ctl::Add), IN, Known::NotBefore);
            script.event(Event::Ctl { epoll: 1, op, fd: 7, events, data: 7, errno: 0, item: 70 });
            for turn in 0..10 {
                let told = Event::Deliver { epoll: 1, fd: 7, item: 70, events, nth: 0, ready_ns: 0, known };
                let result = if turn % 2 == 0 { EAGAIN } else { 10 };
                script.ms(20).enter(64, -1).event(told);
                script.back(1).read(7, 64, result);
            }
            assert_eq!(script.found(), expected);
        }
    }

    #[test]
    fn a_close_after_a_del_is_fine() {
        let mut script = Script::new();
        script.add(7, IN).event(Event::Dup { old: 7, new: 9 });
        script.del(7).event(Event::Close { fd: 7, lives_as: 9, errno: 0 });
        script.event(Event::Dup { old: 9, new: 7 }).add(7, IN);
        for _ in 0..200 {
            script.ms(1).wait(&[(7, IN)]).read(7, 100, 10);
        }
        assert_eq!(script.found(), []);
    }
}
