//! The findings about slow callbacks.

use super::{Key, Serving, Worst, HANG_NS, NOT_KNOWN, SLOW_NS};
use crate::doctor::cause::{self, Cause};
use crate::doctor::finding::{Finding, Severity, Tally, BY_ITSELF_NS};
use crate::replay::world::Case;
use crate::replay::World;
use crate::text::span;
use crate::text::units::{counted, times};

/// What made others wait.
pub(super) fn slow(world: &World, (epoll, fd, is_starved): Key, tally: &Tally, worst: &Worst) -> Finding {
    let case = worst.case(world, is_starved);
    // A single descriptor that keeps its own process busy harms no other.
    let harms = worst.ready > 0 && worst.has_others && !is_starved;
    let severity = if harms { Severity::Warning } else { Severity::Note };
    let file = name(fd);
    let took = span(worst.took);
    let cause = case.as_ref().map(|(cause, case)| (*cause, case));
    let why = cause.map_or(String::new(), |(cause, case)| cause.title(case));
    let title = format!("{file}: {took} between delivery and the next wait{why}");
    let set = world.set_name(epoll);
    let times = times(tally.count);
    let mut finding = Finding::new(16, severity, world.pid, title, tally)
        .because(format!("{set} was left alone for {} or more {times}", span(SLOW_NS)))
        .because(format!("the longest time after a wait that gave {}", counted(worst.n as u64, "event")));
    finding = match cause {
        Some((cause, case)) => {
            finding.advice = cause.advice(case, worst.has_others);
            cause::add(finding, case)
        }
        None => finding.unknown("whether the thread worked, slept, or had no processor"),
    };
    if is_timed(world, cause) {
        let until = tally.last_ns.saturating_add(worst.took);
        finding = finding.timed(tally.first_ns, until, cause.is_some());
    }
    if !worst.has_others {
        if cause.is_none() {
            finding.advice = cause::ONE_AT_A_TIME;
        }
        finding = finding.because(
            "the set has one item: a server of several processes may mean to serve one client at a time",
        );
    }
    if worst.ready > 0 {
        finding = finding.because(format!("{} ready by then", were(worst.ready)));
    }
    finding
}

/// A thread that is still away.
pub(super) fn not_back(world: &World, epoll: u32, serving: &Serving, until_ns: u64) -> Option<Finding> {
    let case = world.looks.away(serving.tid, serving.since, until_ns);
    let stopped = case.as_ref().map_or(0, |case| case.stopped());
    let took = serving.took(until_ns).saturating_sub(stopped);
    let waits = world.thread(serving.tid).is_some_and(|thread| thread.waits_since.is_some());
    if took < HANG_NS || waits {
        return None;
    }
    let (_, fd) = serving.stretch(until_ns);
    let mut tally = Tally::new();
    tally.add(serving.since, fd, serving.tid);
    tally.last_ns = until_ns;
    // What it has done since we came is what it does.
    let cause = case.as_ref().and_then(|case| Some((Cause::of(case, took.min(case.looked()))?, case)));
    if cause.is_some_and(|(cause, _)| cause == Cause::Stopped) {
        return None;
    }
    let why = cause.map_or(String::new(), |(cause, case)| cause.title(case));
    let title = format!("{}: not back in a wait for {} since delivery{why}", name(fd), span(took));
    let is_starved = cause.is_some_and(|(cause, _)| cause == Cause::Starved);
    let harms = serving.ready > 0 && !world.observed && !is_starved;
    let severity = if harms { Severity::Warning } else { Severity::Note };
    let set = world.set_name(epoll);
    let ready = if world.observed {
        "the kernel does not tell what became ready meanwhile".into()
    } else {
        format!("{} became ready meanwhile", counted(serving.ready, "event"))
    };
    let mut finding = Finding::new(16, severity, world.pid, title, &tally)
        .because(format!("thread {} serves {set}; {ready}", serving.tid));
    finding = match cause {
        Some((cause, case)) => {
            finding.advice = cause.advice(case, world.items_in(epoll) > 1);
            cause::add(finding, case)
        }
        None => finding.unknown("whether the thread has left its loop, or has ended"),
    };
    if is_timed(world, cause) {
        finding = finding.timed(serving.since, until_ns, cause.is_some());
    }
    Some(finding)
}

/// Whether it tells of time alone. Not if the thread was seen to need the time by itself, however busy the machine is;
/// and a thread that had no processor is told as such.
fn is_timed(world: &World, cause: Option<(Cause, &Case)>) -> bool {
    let Some((cause, case)) = cause else { return true };
    match cause {
        Cause::Worked => case.ran < SLOW_NS,
        Cause::Slept => slept_by_itself(world, case) < BY_ITSELF_NS,
        Cause::Starved | Cause::Stopped => false,
    }
}

/// What wakes a thread from a futex is another thread of the process, most of the time, which may have had no processor.
fn slept_by_itself(world: &World, case: &Case) -> u64 {
    match case.slept_most_in() {
        Some("futex") => world.looks.load.by_itself(case.since_ns, case.slept()),
        _ => case.slept(),
    }
}

fn were(number: u64) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(number, "event"))
}

fn name(fd: i32) -> String {
    match fd {
        NOT_KNOWN => "a descriptor that is not known".into(),
        ..0 => "a timer, or what follows a timeout".into(),
        _ => format!("fd {fd}"),
    }
}
