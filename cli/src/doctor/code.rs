//! Which code added the descriptors of a finding to a set, by the call stacks that the record keeps.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use glasspoll_record::event::{Ctl, Event};
use glasspoll_record::ring::Item;
use glasspoll_record::stacks::{Stack, Stacks};
use glasspoll_record::{Entry, Process};

use super::finding::Code;
use super::shown;
use super::Finding;
use crate::symbols::{At, Frame, Module, Symbols};

/// The most descriptors of a finding whose code is told.
const FDS: usize = 3;
/// How many ADDs of one fd are remembered.
const ADDS: usize = 4;
/// Larger fds than this are not followed.
const LARGEST: i32 = 1 << 16;

/// The ADDs of a process: which item an fd stood for at a moment.
#[derive(Debug, Default)]
pub struct Adds {
    of: BTreeMap<i32, VecDeque<(u64, u32)>>,
    /// The items that are there, by fd.
    present: BTreeMap<i32, u32>,
}

impl Adds {
    /// Takes an event of the process.
    pub fn event(&mut self, entry: &Entry) {
        if let Event::Ctl { op: Some(Ctl::Add), errno: 0, fd, item, .. } = entry.event {
            if item != 0 && fd <= LARGEST {
                let all = self.of.entry(fd).or_default();
                all.push_back((entry.ns, item));
                all.drain(..all.len().saturating_sub(ADDS));
            }
        }
    }

    /// Takes the items that it has.
    pub fn items(&mut self, items: &[Item]) {
        self.present.extend(items.iter().filter(|item| !item.is_set).map(|item| (item.fd, item.serial)));
    }

    /// The items that an fd stood for in the time of a finding: the one at its end, and those that came in it before.
    fn items_of(&self, fd: i32, first_ns: u64, last_ns: u64) -> Vec<u32> {
        let known = self.of.get(&fd);
        let mut before = known.into_iter().flatten().rev().filter(|(ns, _)| *ns <= last_ns);
        let Some((ns, item)) = before.next() else {
            // Its ADD is in no record, or the finding tells an earlier moment than the ADD's.
            let next = known.and_then(|known| known.front()).map(|(_, item)| item);
            return self.present.get(&fd).or(next).copied().into_iter().collect();
        };
        let earlier = before.take_while(|(added, _)| *added >= first_ns && added < ns).map(|(_, item)| *item);
        [*item].into_iter().chain(earlier).collect()
    }
}

/// A process, from one exec to the next, whose findings are to be told with their code.
#[derive(Debug)]
pub struct Source {
    /// The process, as its findings call it, and since when it is this program.
    pub pid: u32,
    pub begin_ns: u64,
    /// By which it can be looked into while it lives.
    pub outside: u32,
    pub adds: Adds,
    pub stacks: Stacks,
}

impl Source {
    /// By what is recorded of a process, without its events.
    pub fn of(process: &Process, outside: u32, mut adds: Adds) -> Self {
        adds.items(&process.items);
        let stacks = process.stacks.clone();
        Self { pid: process.pid(), begin_ns: process.header.begin.ns, outside, adds, stacks }
    }

    fn is_of(&self, finding: &Finding) -> bool {
        self.pid == finding.pid && self.begin_ns <= finding.last_ns
    }
}

/// Adds the code to findings.
pub fn add(findings: &mut [Finding], sources: &[Source]) {
    let mut symbols = Symbols::new();
    for finding in findings {
        let source = sources.iter().rfind(|source| source.is_of(finding));
        let Some(source) = source.filter(|source| !source.stacks.is_empty()) else { continue };
        let mut found: Vec<(&Stack, Vec<i32>)> = Vec::new();
        for fd in finding.fds.iter().take(FDS) {
            for item in source.adds.items_of(*fd, finding.first_ns, finding.last_ns) {
                let Some(stack) = source.stacks.of(item) else { continue };
                match found.iter_mut().find(|(other, _)| *other == stack) {
                    Some((_, fds)) if !fds.contains(fd) => fds.push(*fd),
                    Some(_) => {}
                    None => found.push((stack, vec![*fd])),
                }
            }
        }
        finding.code = found
            .into_iter()
            .map(|(stack, fds)| {
                let frames = frames(&mut symbols, source, stack);
                Code { fds, frames, goes_on: stack.goes_on }
            })
            .filter(|code| !code.frames.is_empty())
            .collect();
        let all = finding.code.iter().flat_map(|code| &code.frames);
        finding.hint = shown::hint(all, source.outside);
    }
}

/// The functions of a stack.
fn frames(symbols: &mut Symbols, source: &Source, stack: &Stack) -> Vec<Frame> {
    let mut all = Vec::new();
    for frame in &stack.frames {
        let (module, address) = source.stacks.place(*frame);
        // The call is before the address that it returns to.
        let at = address.saturating_sub(1);
        match module {
            Some(module) => {
                let path = OsString::from_vec(module.path.clone());
                let module = Module { path, build_id: module.build_id.clone() };
                all.extend(symbols.in_module(&module, Some(source.outside), At::Virtual(at)));
            }
            None => all.push(symbols.of_no_module(source.outside, at)),
        }
    }
    shown::cut_the_start(&mut all);
    all.into_iter().skip_while(shown::is_the_call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(adds: &mut Adds, ns: u64, fd: i32, item: u32) {
        let event = Event::Ctl { epoll: 1, op: Some(Ctl::Add), fd, events: 1, data: 0, errno: 0, item };
        adds.event(&Entry { ns, tid: 1, event });
    }

    #[test]
    fn an_fd_stands_for_the_item_that_was_added_last_before_the_end_of_a_finding() {
        let mut adds = Adds::default();
        add(&mut adds, 10, 5, 1);
        add(&mut adds, 20, 5, 2);
        add(&mut adds, 30, 5, 3);
        assert_eq!(adds.items_of(5, 12, 15), [1]);
        assert_eq!(adds.items_of(5, 21, 25), [2]);
        assert_eq!(adds.items_of(5, 5, 25), [2, 1]);
        assert_eq!(adds.items_of(5, 1, 2), [1]);
        assert!(adds.items_of(6, 0, 99).is_empty());
        for n in 0..100 {
            add(&mut adds, 40 + n, 5, 10 + n as u32);
        }
        assert_eq!(adds.of[&5].len(), ADDS);
    }

    #[test]
    fn an_item_whose_add_is_in_no_record_is_found_in_the_table() {
        let mut adds = Adds::default();
        adds.present.insert(7, 42);
        assert_eq!(adds.items_of(7, 0, 99), [42]);
        add(&mut adds, 50, 7, 43);
        assert_eq!(adds.items_of(7, 0, 99), [43]);
    }
}
