//! What has been stuck for longer than the ring remembers: judged by what is known of each descriptor
//! (`record::facts`), and by what waits in it now.
//!
//! A descriptor is looked at twice, when the doctor comes and when it goes. It is told only if nothing was done about
//! it between the two, its bytes or its room were there both times, and the loop of its set went on meanwhile, or slept
//! in its wait. `sample` is a look, `judge` compares two of them.

mod judge;
mod sample;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use glasspoll_record::find;
use glasspoll_record::ring::Live;

use sample::Sample;

use super::finding::{Finding, Severity, Tally};
use crate::procfs::describe::Files;
use crate::procfs::holders::Holders;
use crate::replay::world::Thread;
use crate::replay::World;
use crate::text::span;
use crate::text::units::count;
use judge::{Left, Why};

/// The most descriptors that a finding names.
const NAMED: usize = 3;

/// A process whose descriptors are looked at twice.
#[derive(Debug)]
pub struct Standing(JoinHandle<Option<Sample>>);

impl Standing {
    /// Looks at it for the first time, in a thread: its ring must be read meanwhile.
    pub fn begin(pid: u32) -> Self {
        Self(thread::spawn(move || Sample::of(pid, &find::open(pid).ok()?)))
    }

    /// Looks again, and adds what has been stuck to `findings`, except what is there already.
    pub fn end(self, pid: u32, live: &Live, world: &World, findings: &mut Vec<Finding>) {
        let before = self.0.join().ok().flatten();
        let (Some(before), Some(after)) = (before, Sample::of(pid, live)) else { return };
        let sleeps = |epoll, since| {
            let is_it =
                |thread: &Thread| thread.epoll == epoll && thread.waits_since.is_some_and(|ns| ns <= since);
            world.threads.values().any(is_it)
        };
        let mut left = judge::left(&before, &after, sleeps);
        left.extend(judge::twins(&before, &after));
        left.extend(judge::gone(&before, &after));
        left.retain(|left| {
            let is_it =
                |finding: &Finding| finding.class == left.why.class() && finding.fds.contains(&left.fd);
            !findings.iter().any(|finding| finding.pid == world.pid && is_it(finding))
        });
        if left.is_empty() {
            return;
        }
        // What another process has too may be for that one; what this process writes to itself only wakes it.
        let (holders, mut files) = (Holders::look(), Files::of(pid, after.sets()));
        left.retain(|left| {
            let is_shared = holders.of(pid, left.fd).iter().any(|other| other.0 != pid);
            let peer = files.peer(left.fd).map(|peer| holders.of_socket(peer)).unwrap_or_default();
            let is_own = peer.iter().any(|other| other.0 == pid);
            let kind = files.describe(left.fd).unwrap_or_default();
            !is_shared && (left.why.is_known() || !is_own) && left.why.fits(&kind)
        });
        say(left, &after, world, findings);
    }
}

/// One finding for each cause.
fn say(left: Vec<Left>, after: &Sample, world: &World, findings: &mut Vec<Finding>) {
    let causes: BTreeSet<(Why, Severity)> = left.iter().map(|left| (left.why, left.severity)).collect();
    for (why, severity) in causes {
        let mut all: Vec<&Left> =
            left.iter().filter(|left| (left.why, left.severity) == (why, severity)).collect();
        all.sort_by_key(|left| (left.since_ns, left.fd));
        let fds: Vec<String> = all.iter().take(NAMED).map(|left| left.fd.to_string()).collect();
        let since_ns = all[0].since_ns;
        let passed = span(after.ns.saturating_sub(since_ns));
        let title = match all.len() {
            1 => format!("fd {}: {}, for {passed}", fds[0], why.words()),
            n => format!("{n} descriptors: {}, for up to {passed}: fd {}", why.words(), fds.join(", ")),
        };
        let mut tally = Tally::once(since_ns, after.ns, all[0].fd, 0);
        tally.count = all.len() as u64;
        all.iter().take(NAMED).for_each(|left| tally.with_fd(left.fd));
        let mut finding = Finding::new(why.class(), severity, world.pid, title, &tally);
        for left in all.iter().take(NAMED) {
            let times = left.times(after.ns);
            finding.evidence.push(format!("fd {} in {}: {times}", left.fd, world.set_name(left.epoll)));
        }
        if let Some(why) = all[0].excuse {
            finding.evidence.push(format!("{why}: it may be held back on purpose"));
        }
        finding.evidence.push(format!(
            "it was so for the {} of the look, while its loop {}",
            span(after.ns - all[0].seen_ns),
            if all[0].sleeps { "slept in its wait" } else { "went on" }
        ));
        findings.push(finding.unknown(match why {
            Why::Twin => "which process holds the earlier file",
            Why::Gone => "which process holds the file",
            _ => "whether the program holds it back on purpose",
        }));
    }
}

/// A number of bytes, in words.
fn bytes(number: u64) -> String {
    format!("{} B", count(number))
}
