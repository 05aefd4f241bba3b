//! Class 8: a forked child uses a set of its parent's, and the parent goes on using it.
//!
//! On glasspoll a child has a copy; on the kernel's epoll the two share one set, and what the child changes is changed
//! for its parent. A parent that forks and leaves the set to its child, as daemons do, shares nothing.

use std::collections::BTreeMap;

use glasspoll_record::event::{Ctl, Event};
use glasspoll_record::Entry;

use crate::doctor::finding::{Finding, Severity, Tally};
use crate::doctor::Patient;
use crate::text::units::{count, counted, times};

/// The most sets that are followed.
const SETS: usize = 1 << 14;

/// A set of one process.
#[derive(Debug, Default)]
struct Use {
    /// None: it was made before the record begins.
    epfd: Option<i32>,
    /// The set is a copy of the parent's.
    inherited: bool,
    /// When it was last waited on or changed.
    last_ns: u64,
    waits: Tally,
    changes: Tally,
    /// How many items were added, removed, changed.
    by_op: [u64; 3],
}

/// The rule of class 8, over all processes.
#[derive(Debug, Default)]
pub struct Forks {
    /// By process and set.
    sets: BTreeMap<(usize, u32), Use>,
}

impl Forks {
    fn used(&mut self, place: usize, epoll: u32) -> Option<&mut Use> {
        if self.sets.len() >= SETS && !self.sets.contains_key(&(place, epoll)) {
            return None;
        }
        Some(self.sets.entry((place, epoll)).or_default())
    }

    /// Sees an event of the process at `place`.
    pub fn event(&mut self, place: usize, entry: &Entry) {
        match entry.event {
            Event::Create { epoll, epfd, inherited } if self.sets.len() < SETS => {
                self.sets.insert((place, epoll), Use { epfd: Some(epfd), inherited, ..Use::default() });
            }
            Event::WaitEnter { epoll, .. } => {
                if let Some(set) = self.used(place, epoll) {
                    set.last_ns = entry.ns;
                    if set.inherited {
                        set.waits.add(entry.ns, -1, entry.tid);
                    }
                }
            }
            Event::WaitReturn { epoll, .. } => {
                if let Some(set) = self.used(place, epoll) {
                    set.last_ns = entry.ns;
                }
            }
            Event::Ctl { op: Some(Ctl::Found), .. } => {}
            Event::Ctl { epoll, op: Some(op), fd, errno: 0, .. } => {
                if let Some(set) = self.used(place, epoll) {
                    set.last_ns = entry.ns;
                    if set.inherited {
                        set.changes.add(entry.ns, fd, entry.tid);
                        set.by_op[match op {
                            Ctl::Add | Ctl::Found => 0,
                            Ctl::Del => 1,
                            Ctl::Mod => 2,
                        }] += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// The parent's set that a child has inherited.
    fn parents<'a>(&'a self, patients: &[Patient], child: usize, epfd: i32) -> Option<(&'a Use, u32)> {
        let child = patients.get(child)?;
        // One process may have been several programs, one after another. This is the one that ran at that time.
        let began = |patient: &Patient| patient.world.begin_ns;
        let parents = patients.iter().enumerate();
        let parents =
            parents.filter(|(_, parent)| parent.world.pid == child.ppid && began(parent) <= began(child));
        let (place, parent) = parents.max_by_key(|(_, parent)| began(parent))?;
        let mut sets = self.sets.range((place, 0)..=(place, u32::MAX));
        let is_it = |epoll: u32, set: &Use| {
            set.epfd.or_else(|| parent.world.set(epoll).and_then(|known| known.epfd)) == Some(epfd)
        };
        sets.find(|((_, epoll), set)| is_it(*epoll, set)).map(|(_, set)| (set, parent.world.pid))
    }

    /// Adds the findings. `patients` are all processes.
    pub fn findings(&self, patients: &[Patient], out: &mut Vec<Finding>) {
        for ((place, _), set) in self.sets.iter().filter(|(_, set)| set.inherited) {
            let Some(Patient { world, .. }) = patients.get(*place) else { continue };
            let Some(epfd) = set.epfd else { continue };
            let Some((parents, parent)) = self.parents(patients, *place, epfd) else { continue };
            let firsts = [&set.changes, &set.waits].map(|tally| (tally.count > 0).then_some(tally.first_ns));
            let Some(first) = firsts.into_iter().flatten().min() else { continue };
            if parents.last_ns < first {
                continue;
            }
            let (severity, what, tally) = if set.changes.count > 0 {
                (Severity::Error, "changed", &set.changes)
            } else {
                (Severity::Warning, "waited on", &set.waits)
            };
            let title = format!(
                "child {} {what} the set of its parent {parent} (epoll {epfd}), {}",
                world.pid,
                times(tally.count)
            );
            let [added, removed, changed] = set.by_op.map(count);
            let mut tally = tally.clone();
            tally.with_fd(epfd);
            out.push(
                Finding::new(8, severity, world.pid, title, &tally)
                    .because(format!(
                        "by the child: {added} ADD, {removed} DEL, {changed} MOD, {}",
                        counted(set.waits.count, "wait")
                    ))
                    .because("the parent went on to use the set after that")
                    .because(if world.observed {
                        "both have one set: what the child changes in it, it changes for its parent"
                    } else {
                        "here the child has a copy; on the kernel's epoll both have one set"
                    }),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::script::{Script, IN};

    fn forked() -> (Script, usize) {
        let mut script = Script::new();
        script.add(5, IN).enter(64, -1);
        let child = script.process(4711, 100, true);
        script.place = child;
        script.tid = 4711;
        script.event(Event::Create { epoll: 1, epfd: 3, inherited: true });
        (script, child)
    }

    fn parent_goes_on(script: &mut Script) {
        (script.place, script.tid) = (0, 100);
        script.give(&[(5, IN)]).enter(64, -1);
    }

    #[test]
    fn a_child_that_changes_its_parents_set_is_found() {
        let (mut script, _) = forked();
        script.del(5);
        parent_goes_on(&mut script);
        assert_eq!(script.found(), [(8, Severity::Error)]);
        let finding = &script.findings()[0];
        assert_eq!((finding.pid, finding.fds.as_slice()), (4711, &[3, 5][..]));
    }

    #[test]
    fn a_set_that_its_parent_made_before_the_record_begins_is_found() {
        let mut script = Script::new();
        let child = script.process(4711, 100, true);
        script.knows_set(2, 7);
        script.epoll = 2;
        script.enter(64, -1);
        (script.place, script.tid) = (child, 4711);
        script.event(Event::Create { epoll: 2, epfd: 7, inherited: true }).del(5);
        parent_goes_on(&mut script);
        assert_eq!(script.found(), [(8, Severity::Error)]);
    }

    #[test]
    fn on_the_kernels_epoll_both_have_one_set() {
        let mut script = Script::observed();
        script.add(5, IN).enter(64, -1);
        (script.place, script.tid) = (script.observed_process(4711, 100, true), 4711);
        script.event(Event::Create { epoll: 1, epfd: 3, inherited: true }).del(5);
        parent_goes_on(&mut script);
        assert_eq!(script.found(), [(8, Severity::Error)]);
        assert!(script.findings()[0].evidence.iter().any(|line| line.starts_with("both have one set")));
    }

    #[test]
    fn a_child_that_waits_on_its_parents_set_is_found() {
        let (mut script, _) = forked();
        script.enter(64, -1);
        parent_goes_on(&mut script);
        assert_eq!(script.found(), [(8, Severity::Warning)]);
    }

    #[test]
    fn a_child_that_its_parent_leaves_the_set_to_is_fine() {
        let (mut script, child) = forked();
        (script.place, script.tid) = (0, 100);
        script.give(&[]).end();
        (script.place, script.tid) = (child, 4711);
        script.del(5).add(6, IN).enter(64, -1);
        assert_eq!(script.found(), []);
    }

    #[test]
    fn a_child_with_a_set_of_its_own_is_fine() {
        let (mut script, _) = forked();
        script.event(Event::Create { epoll: 2, epfd: 4, inherited: false });
        script.epoll = 2;
        script.add(5, IN).enter(64, -1);
        script.epoll = 1;
        parent_goes_on(&mut script);
        assert_eq!(script.found(), []);
    }
}
