//! epoll_ctl(2) that is refused: for an earlier file of the same fd (class 6), for a regular file (class 13).
//!
//! Event libraries try one operation, and the other one if the kernel refuses it: MOD, then ADD; or ADD, then MOD. A
//! refusal that the thread puts right before its next wait is no finding. A DEL of a closed fd does no harm. A DEL of
//! an fd that stands for another file now might have done harm.

use std::collections::HashMap;

use glasspoll_record::event::{Ctl, Event};
use glasspoll_record::Entry;

use super::{Kept, Rule};
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::world::{Item, Open, Thread};
use crate::replay::World;
use crate::text::units::times;

/// How often a MOD of what is not in the set is refused: once or twice it may be a look.
const FEW: u64 = 3;
/// How long a thread that never waits has time to put a refusal right.
const LATER_NS: u64 = 100_000_000;
/// The most refusals that may yet be put right.
const PENDING: usize = 1 << 12;

/// The kernel tells these unasked, and has them in the interest of each item in `/proc`.
const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;

const ENOENT: i32 = libc::ENOENT;
const EBADF: i32 = libc::EBADF;
const EEXIST: i32 = libc::EEXIST;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Refused {
    fd: i32,
    /// 1 ADD, 2 DEL, 3 MOD.
    op: u8,
    errno: i32,
    /// No file of that fd was in a set, as far as is known.
    is_stranger: bool,
}

/// The rule of classes 6 and 13.
#[derive(Debug, Default)]
pub struct CtlRace {
    /// By thread and fd, since when.
    pending: HashMap<(u32, i32), (Refused, u64)>,
    races: Kept<Refused>,
    regular: Kept<i32>,
}

impl CtlRace {
    fn refused(&mut self, world: &World, entry: &Entry, refused: Refused, asked: (u32, u64)) {
        let ended_by_close = world.fd(refused.fd).and_then(|state| state.closed);
        let by_close = ended_by_close.is_some_and(|closed| closed.was_item);
        let is_race = match (Ctl::of(refused.op), refused.errno) {
            (Some(Ctl::Mod), ENOENT | EBADF) => true,
            // The program has closed it, and believes that it is open.
            (Some(Ctl::Add), EBADF) => world.fd(refused.fd).is_some_and(|state| state.open == Open::No),
            (Some(Ctl::Del), ENOENT) => by_close,
            // An ADD by the owner itself does no harm: it has no effect.
            (Some(Ctl::Add), EEXIST) => world.items_by(refused.fd).any(|(_, item)| is_anothers(item, asked)),
            _ => false,
        };
        let is_stranger = !by_close && refused.op == Ctl::Mod as u8;
        if is_race && self.pending.len() < PENDING {
            let refused = Refused { is_stranger, ..refused };
            let before = self.pending.insert((entry.tid, refused.fd), (refused, entry.ns));
            // A thread that waits has time until its next wait.
            if let Some((before, ns)) = before.filter(|_| world.thread(entry.tid).is_none_or(never_waits)) {
                self.count(before, ns, entry.tid);
            }
        }
    }

    /// The thread's next call for the fd is not refused. Long after the refusal it is about another file.
    fn accepted(&mut self, world: &World, entry: &Entry, fd: i32) {
        let Some((refused, ns)) = self.pending.remove(&(entry.tid, fd)) else { return };
        let is_late = entry.ns.saturating_sub(ns) >= LATER_NS;
        if is_late && world.thread(entry.tid).is_none_or(never_waits) {
            self.count(refused, ns, entry.tid);
        }
    }

    /// The thread waits again, and has not put the refusal right.
    fn judge_pending(&mut self, tid: u32) {
        let mut left = Vec::new();
        self.pending.retain(|(thread, _), refused| {
            if *thread == tid {
                left.push(*refused);
            }
            *thread != tid
        });
        for (refused, ns) in left {
            self.count(refused, ns, tid);
        }
    }

    fn count(&mut self, refused: Refused, ns: u64, tid: u32) {
        if let Some(tally) = self.races.entry(refused) {
            tally.add(ns, refused.fd, tid);
        }
    }
}

fn name_of(errno: i32) -> &'static str {
    if errno == EBADF {
        "EBADF"
    } else {
        "ENOENT"
    }
}

/// Whether a thread has never waited.
fn never_waits(thread: &Thread) -> bool {
    thread.returned.is_none() && thread.waits_since.is_none()
}

/// Whether an ADD asks for something else than the item has. libev leaves the item of a stopped watcher in the set, and
/// counts a generation in the upper half of the data: an ADD with the same interest is refused, and it takes that back.
fn is_anothers(item: &Item, (events, data): (u32, u64)) -> bool {
    let Some(known) = item.data.filter(|known| *known != data) else { return false };
    let is_same = item.events.is_some_and(|known| known | ALWAYS == events | ALWAYS);
    let is_generation = known as u32 == data as u32 && is_same;
    !is_generation
}

impl Rule for CtlRace {
    fn event(&mut self, world: &World, entry: &Entry) {
        match entry.event {
            Event::Ctl { op: Some(Ctl::Add), fd, errno, .. } if i32::from(errno) == libc::EPERM => {
                if let Some(tally) = self.regular.entry(fd) {
                    tally.add(entry.ns, fd, entry.tid);
                }
            }
            Event::Ctl { op: Some(op), fd, events, data, errno, .. } if errno != 0 => {
                let refused = Refused { fd, op: op as u8, errno: errno.into(), is_stranger: false };
                self.refused(world, entry, refused, (events, data));
            }
            Event::Ctl { fd, errno: 0, .. } if !self.pending.is_empty() => {
                self.accepted(world, entry, fd);
            }
            Event::WaitEnter { .. } if !self.pending.is_empty() => self.judge_pending(entry.tid),
            _ => {}
        }
    }

    fn gap(&mut self) {
        self.pending.clear();
    }

    fn findings(&self, world: &World, until_ns: u64, out: &mut Vec<Finding>) {
        let mut races = self.races.clone();
        for ((tid, fd), (refused, ns)) in &self.pending {
            let is_late = until_ns.saturating_sub(*ns) >= LATER_NS;
            if is_late && world.thread(*tid).is_none_or(never_waits) {
                if let Some(tally) = races.entry(*refused) {
                    tally.add(*ns, *fd, *tid);
                }
            }
        }
        let is_often = |refused: &Refused, tally: &Tally| !refused.is_stranger || tally.count >= FEW;
        for (Refused { fd, op, errno, is_stranger }, tally) in
            races.iter().filter(|(refused, tally)| is_often(refused, tally))
        {
            let name = Ctl::of(*op).map_or("?", Ctl::name);
            let times = times(tally.count);
            let (what, error) = match *errno {
                EEXIST => ("registered with other data, by another owner", "EEXIST"),
                _ if *is_stranger => {
                    ("it is not in the set, and the program believes that it is", name_of(*errno))
                }
                EBADF if *op == Ctl::Add as u8 => ("closed before it is added", "EBADF"),
                EBADF => ("closed since it was registered", "EBADF"),
                _ => ("registered for an earlier file of that number", "ENOENT"),
            };
            let mut finding =
                Finding::new(6, Severity::Warning, world.pid, format!("{name} fd {fd}: {what}"), tally)
                    .because(format!(
                        "refused with {error} {times}, and not put right before the thread's next wait"
                    ));
            if let Some(closed) = world.fd(*fd).and_then(|state| state.closed) {
                let at = world.at(closed.ns);
                finding =
                    finding.because(format!("fd {fd} was last closed at {at} by thread {}", closed.tid));
            }
            out.push(finding);
        }
        for (fd, tally) in self.regular.iter() {
            let title = format!("fd {fd} is a regular file or a directory: epoll refuses it (EPERM)");
            let times = times(tally.count);
            out.push(
                Finding::new(13, Severity::Warning, world.pid, title, tally)
                    .because(format!("ADD was refused {times}"))
                    .unknown("whether the program reads it in another way then"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN, OUT};

    #[test]
    fn a_mod_of_a_number_that_is_another_files_now_is_found() {
        let mut script = Script::new();
        script.add(12, IN).close(12).ctl(Ctl::Mod, 12, IN, ENOENT);
        assert_eq!(script.found(), []);
        script.enter(64, -1);
        assert_eq!(script.found(), [(6, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [12]);
    }

    #[test]
    fn a_mod_that_is_followed_by_an_add_is_fine() {
        let mut script = Script::new();
        script.add(12, IN).close(12).ctl(Ctl::Mod, 12, IN, ENOENT).add(12, IN).enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn an_add_of_what_was_closed_is_found_and_of_what_never_was_open_is_fine() {
        let mut script = Script::new();
        script.add(12, IN).close(12).ctl(Ctl::Add, 12, IN, EBADF).enter(64, -1);
        assert_eq!(script.found(), [(6, Severity::Warning)]);
        assert_eq!(script.findings()[0].title, "ADD fd 12: closed before it is added");
        let mut script = Script::new();
        script.ctl(Ctl::Add, 12, IN, EBADF).ctl(Ctl::Add, -1, IN, EBADF).enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_del_after_the_close_is_fine_unless_the_number_has_gone_on() {
        let mut script = Script::new();
        script.add(12, IN).close(12).ctl(Ctl::Del, 12, 0, EBADF).enter(64, -1);
        assert_eq!(script.found(), []);
        script.ctl(Ctl::Del, 12, 0, ENOENT).enter(64, -1);
        assert_eq!(script.found(), [(6, Severity::Warning)]);
    }

    #[test]
    fn a_del_of_what_was_deleted_before_is_fine() {
        let mut script = Script::new();
        script.add(12, IN).del(12).ctl(Ctl::Del, 12, 0, ENOENT).enter(64, -1);
        script.add(13, IN).del(13).event(Event::Close { fd: 13, lives_as: -1, errno: 0 });
        script.ctl(Ctl::Del, 13, 0, ENOENT).enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn an_add_of_anothers_number_is_found_and_of_ones_own_is_fine() {
        let mut script = Script::new();
        script.add(12, IN).ctl(Ctl::Add, 12, IN, EEXIST).enter(64, -1);
        assert_eq!(script.found(), []);
        let exists = |data| Event::Ctl {
            epoll: 1,
            op: Some(Ctl::Add),
            fd: 12,
            events: IN,
            data,
            errno: EEXIST as u16,
            item: 0,
        };
        // Event libraries do this.
        script.event(exists(77)).modify(12, IN).enter(64, -1);
        assert_eq!(script.found(), []);
        script.event(exists(78)).enter(64, -1);
        assert_eq!(script.found(), [(6, Severity::Warning)]);
    }

    #[test]
    fn an_add_of_another_generation_is_fine_if_the_interest_is_the_same() {
        let cases = [
            (Ctl::Add, IN, IN, vec![]),
            (Ctl::Add, IN, IN | OUT, vec![(6, Severity::Warning)]),
            // What /proc has of an item.
            (Ctl::Found, IN | ALWAYS, IN, vec![]),
            (Ctl::Found, IN | ALWAYS, OUT, vec![(6, Severity::Warning)]),
        ];
        for (first, known, events, found) in cases {
            let mut script = Script::new();
            let (op, data, errno) = (Some(Ctl::Add), 12 | 2 << 32, EEXIST as u16);
            script.ctl(first, 12, known, 0);
            script.event(Event::Ctl { epoll: 1, op, fd: 12, events, data, errno, item: 0 });
            script.enter(64, -1);
            assert_eq!(script.found(), found);
        }
    }

    #[test]
    fn a_thread_that_never_waits_is_judged_all_the_same() {
        let mut script = Script::new();
        script.add(12, IN).close(12);
        script.tid = 200;
        script.ctl(Ctl::Mod, 12, IN, ENOENT).ms(200);
        assert_eq!(script.found(), [(6, Severity::Warning)]);
        let mut script = Script::new();
        script.add(12, IN).close(12);
        script.tid = 200;
        script.ctl(Ctl::Mod, 12, IN, ENOENT).add(12, IN).ms(200);
        assert_eq!(script.found(), []);
        // What it adds later is another file.
        let mut script = Script::new();
        script.add(12, IN).close(12);
        script.tid = 200;
        script.ctl(Ctl::Mod, 12, IN, ENOENT).ms(200).add(12, IN);
        assert_eq!(script.found(), [(6, Severity::Warning)]);
    }

    #[test]
    fn a_number_that_is_believed_to_be_in_the_set_is_found_if_it_is_often() {
        for (times, found) in [(2, vec![]), (3, vec![(6, Severity::Warning)])] {
            let mut script = Script::new();
            for _ in 0..times {
                script.ctl(Ctl::Mod, 12, IN, ENOENT).enter(64, 10).ms(10).give(&[]);
            }
            script.enter(64, -1);
            assert_eq!(script.found(), found);
        }
        // A library that tries MOD first.
        let mut script = Script::new();
        for _ in 0..10 {
            script.ctl(Ctl::Mod, 12, IN, ENOENT).add(12, IN).enter(64, 10).ms(10).give(&[]).del(12);
        }
        script.enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_regular_file_is_found() {
        let mut script = Script::new();
        script.ctl(Ctl::Add, 0, IN, libc::EPERM);
        assert_eq!(script.found(), [(13, Severity::Warning)]);
        assert_eq!(script.findings()[0].fds, [0]);
    }
}
