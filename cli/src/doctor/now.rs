//! What is so at this moment with the descriptors of a finding, while the process lives: what waits in them, which
//! process is at the other end, and which others hold the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use glasspoll_record::event::{Event, Mask, Op};
use glasspoll_record::facts::Result;
use glasspoll_record::ring::Facts;
use glasspoll_record::{clock, Entry};

use super::Finding;
use crate::procfs::describe::{is_terminal, Files};
use crate::procfs::holders::{words, Holder, Holders};
use crate::sys;
use crate::text::span;
use crate::text::units::count;

/// The class of files that are held elsewhere.
const HELD: u8 = 1;
/// The most descriptors of a finding that are looked at.
const FDS: usize = 3;

/// Larger fds than this are not followed.
const LARGEST: usize = 1 << 16;

/// When each descriptor of a process was last read or accepted from.
#[derive(Debug, Default)]
pub struct Reads {
    /// By fd; 0: not in the record.
    last: Vec<u64>,
}

impl Reads {
    /// Takes an event of the process.
    pub fn event(&mut self, entry: &Entry) {
        let (fd, ns) = match entry.event {
            Event::Io { fd, op: Op::Read | Op::Accept, errno: 0, .. } => (fd, entry.ns),
            Event::Close { fd, errno: 0, .. }
            | Event::CloseUnwatched { fd, .. }
            | Event::Dup { new: fd, .. } => (fd, 0),
            _ => return,
        };
        let Ok(at) = usize::try_from(fd) else { return };
        match self.last.get_mut(at) {
            Some(last) => *last = ns,
            None if ns != 0 && at < LARGEST => {
                self.last.resize(at + 1, 0);
                self.last[at] = ns;
            }
            None => {}
        }
    }

    /// Learns from what is known of descriptors, which goes back further than the events.
    pub fn learn(&mut self, facts: &BTreeMap<i32, Facts>) {
        for (fd, facts) in facts {
            let got = facts.read.is_some_and(|(how, _)| !matches!(how, Result::Again | Result::Failed));
            let Some(at) = usize::try_from(*fd).ok().filter(|at| got && *at < LARGEST) else { continue };
            if self.last.len() <= at {
                self.last.resize(at + 1, 0);
            }
            if self.last[at] == 0 {
                self.last[at] = facts.read_ns.unwrap_or(0);
            }
        }
    }

    fn words(&self, fd: i32) -> String {
        let last = usize::try_from(fd).ok().and_then(|at| self.last.get(at)).filter(|ns| **ns != 0);
        match last {
            Some(ns) => format!(", last read {} ago", span(clock::now_ns().saturating_sub(*ns))),
            None => ", and the record has no read of it".into(),
        }
    }
}

/// A look at one moment. The lists of the kernel's are read once.
#[derive(Default)]
pub struct Now {
    holders: Option<Holders>,
    files: HashMap<u32, Files>,
    sets: HashMap<u32, BTreeSet<i32>>,
}

impl Now {
    /// A process has these sets, which may look like other files.
    pub fn sets(&mut self, pid: u32, sets: BTreeSet<i32>) {
        self.sets.insert(pid, sets);
    }

    /// What is so with the descriptors of a finding of a process: a line or more for each, without its fd.
    pub fn of(&mut self, pid: u32, finding: &Finding, reads: &Reads) -> BTreeMap<i32, Vec<String>> {
        let fds = finding.fds.iter().take(FDS);
        fds.map(|fd| (*fd, self.lines(pid, *fd, finding.class == HELD, &reads.words(*fd))))
            .filter(|(_, lines)| !lines.is_empty())
            .collect()
    }

    fn lines(&mut self, pid: u32, fd: i32, is_held: bool, read: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let holders = self.holders.get_or_insert_with(Holders::look);
        if let Some(held) = holders.of_left_behind(pid, fd) {
            lines.push(match held.is_empty() {
                true => "its file is in the set still, and held by no process that can be looked into".into(),
                false => format!("its file is in the set still, and held by process {}", words(&held)),
            });
        }
        let Ok(link) = fs::read_link(format!("/proc/{pid}/fd/{fd}")) else { return lines };
        let sets = self.sets.get(&pid).cloned().unwrap_or_default();
        if sets.contains(&fd) {
            return lines;
        }
        let files = self.files.entry(pid).or_insert_with(|| Files::of(pid, sets));
        lines.extend(waiting(pid, fd, &link.to_string_lossy(), files, read));
        if is_held {
            let others: Vec<Holder> =
                holders.of(pid, fd).into_iter().filter(|other| other.0 != pid).collect();
            lines.push(match others.is_empty() {
                true => "no other process that can be looked into holds its file".into(),
                false => format!("its file is also held by process {}", words(&others)),
            });
        }
        let peer = match files.peer(fd) {
            Some(inode) => holders.of_socket(inode),
            None => holders.other_end(pid, fd),
        };
        if !peer.is_empty() {
            lines.push(format!("at the other end is process {}", words(&peer)));
        }
        lines
    }
}

/// What waits in a file: by the kernel's lists where they tell, and else by a copy of the fd that lives for
/// microseconds. No copy is taken of a file that has a path, whose driver might mind, but of terminals.
fn waiting(pid: u32, fd: i32, link: &str, files: &mut Files, read: &str) -> Option<String> {
    if let Some(queue) = files.queue(fd) {
        let read = if queue.is_for_reader() { read } else { "" };
        let text = Some(queue.to_string()).filter(|text| text != "-");
        let text = match files.counts_memory(fd) {
            true => text.map(|text| text.replace(" B un", " B of memory un")),
            false => text,
        };
        return text.map(|text| text + read);
    }
    if link.starts_with("anon_inode:") && link.contains("signalfd") {
        // A poll(2) of ours would ask for our own signals.
        return files.pending(fd).map(|text| text + read);
    }
    if !is_terminal(link)
        && !link.starts_with("pipe:")
        && link != "anon_inode:inotify"
        && link != "anon_inode:[inotify]"
    {
        return None;
    }
    let (unread, events) = sys::waiting_in(&sys::copy_of(pid, fd).ok()?);
    let unread = unread.filter(|unread| *unread != 0);
    let unread = unread.map(|unread| format!("{} B unread{read}", count(unread)));
    let events = (events != 0).then(|| format!("poll(2) says {}", Mask(events)));
    let all: Vec<String> = unread.into_iter().chain(events).collect();
    Some(all.join(", ")).filter(|text| !text.is_empty())
}

/// Adds lines about an fd to a finding's evidence. They may answer what the record cannot tell: which process holds a
/// file, and how much is left in it.
pub fn add(finding: &mut Finding, when: &str, fd: i32, lines: &[String]) {
    finding.evidence.extend(lines.iter().map(|line| format!("fd {fd}, {when}: {line}")));
    let has = |words: [&str; 2]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let is_answered = finding.unknown.as_ref().is_some_and(|unknown| {
        (unknown.contains("process") && has([" held by ", " holds "]))
            || (unknown.starts_with("how much is left") && has([" unread", " connections"]))
    });
    if is_answered {
        finding.unknown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Tally;
    use super::super::Severity;
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn finding(class: u8, fds: &[i32]) -> Finding {
        let mut tally = Tally::new();
        fds.iter().for_each(|fd| tally.add(1, *fd, 1));
        Finding::new(class, Severity::Error, 1, String::new(), &tally).unknown("which process")
    }

    #[test]
    fn what_waits_in_a_pipe_and_which_process_holds_it_is_told() {
        let me = std::process::id();
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[0; 2900]).unwrap();
        let (fd, its) = (reader.as_raw_fd(), writer.as_raw_fd());
        let mut found = finding(1, &[fd]);
        let lines = Now::default().of(me, &found, &Reads::default());
        add(&mut found, "now", fd, &lines[&fd]);
        let all = found.evidence.join("\n");
        assert!(
            all.contains(&format!(
                "fd {fd}, now: 2,900 B unread, and the record has no read of it, poll(2) says IN"
            )),
            "{all}"
        );
        assert!(
            all.contains(&format!(") as fd {its}")) && all.contains("at the other end is process"),
            "{all}"
        );
        assert!(all.contains("holds its file") || all.contains("held by"), "{all}");
        assert_eq!(found.unknown, None);
        let mut undrained = finding(2, &[fd]).unknown("how much is left: that is not recorded");
        add(&mut undrained, "now", fd, &lines[&fd]);
        assert_eq!(undrained.unknown, None);
        drop(writer);
        let lines = Now::default().of(me, &finding(3, &[fd]), &Reads::default());
        assert!(lines[&fd][0].contains("IN|HUP"), "{lines:?}");
    }

    #[test]
    fn the_last_read_is_remembered_until_the_close() {
        let (mut reads, ns) = (Reads::default(), clock::now_ns() - 5_000_000_000);
        let mut event = |event| {
            reads.event(&Entry { ns, tid: 1, event });
            reads.words(7)
        };
        let read = |errno| Event::Io { fd: 7, op: Op::Read, result: 1, asked: 1, errno };
        assert_eq!(event(read(11)), ", and the record has no read of it");
        assert!(event(read(0)).starts_with(", last read 5"));
        assert_eq!(
            event(Event::Close { fd: 7, lives_as: -1, errno: 0 }),
            ", and the record has no read of it"
        );
    }

    #[test]
    fn of_a_set_and_of_a_closed_fd_nothing_is_said() {
        let mut now = Now::default();
        let (reader, _writer) = std::io::pipe().unwrap();
        now.sets(std::process::id(), BTreeSet::from([reader.as_raw_fd()]));
        assert!(now.of(std::process::id(), &finding(3, &[reader.as_raw_fd()]), &Reads::default()).is_empty());
        assert!(now.of(u32::MAX, &finding(3, &[0]), &Reads::default()).is_empty());
    }
}
