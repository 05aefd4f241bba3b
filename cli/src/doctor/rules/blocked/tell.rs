//! The findings about calls that sleep.

use glasspoll_record::event::Call;

use super::{words, Left, Total, OFTEN};
use crate::doctor::cause;
use crate::doctor::finding::{Finding, Severity, Tally, BY_ITSELF_NS};
use crate::replay::World;
use crate::text::span;
use crate::text::units::{counted, errno, percent, times};

/// Calls of a kind that made a loop stand still.
pub(super) fn blocked(
    world: &World,
    epoll: u32,
    call: Call,
    severity: Severity,
    tally: &Tally,
    total: &Total,
) -> Option<Finding> {
    let worst = total.most_harm.filter(|_| severity > Severity::Note).or(total.longest)?;
    let on = if worst.fd >= 0 { format!(" of fd {}", worst.fd) } else { String::new() };
    let title = format!("{}{on} took {} in the loop", words::of(call), span(worst.ns));
    let share = (total.ns as f64 / total.of_ns.max(1) as f64).min(1.0);
    let mut finding = Finding::new(25, severity, world.pid, title, tally).because(format!(
        "{}, {} in all: the loop of {} stood still for {} of the time",
        times(tally.count),
        span(total.ns),
        world.set_name(epoll),
        percent(share)
    ));
    finding.advice = if worst.serves_one { cause::ONE_AT_A_TIME } else { words::advice(call) };
    if worst.errno != 0 {
        finding = finding.because(format!("the longest one ended with {}", errno(worst.errno)));
    }
    if total.late > 0 {
        let late = total.late;
        let were = if late == 1 { "was" } else { "were" };
        let late = counted(late, "event");
        finding = finding.because(format!("{late} of other descriptors {were} ready when they ended"));
    } else {
        finding = finding.because("nothing else was ready when they ended");
    }
    if let Some(case) = world.looks.away(total.tid, worst.began_ns, worst.began_ns.saturating_add(worst.ns)) {
        finding = cause::add(finding, &case);
    }
    // It waits for another thread of the process, and that one may have had no processor.
    let by_itself = match call {
        Call::Semaphore | Call::Join => world.looks.load.by_itself(worst.began_ns, worst.ns),
        _ => worst.ns,
    };
    if by_itself < BY_ITSELF_NS {
        // One call that is long enough alone is judged by its own time.
        let (from_ns, to_ns) = match total.harmful >= OFTEN {
            true => (tally.first_ns, tally.last_ns.saturating_add(worst.ns)),
            false => (worst.began_ns, worst.began_ns.saturating_add(worst.ns)),
        };
        let is_seen = true;
        finding = finding.timed(from_ns, to_ns, is_seen);
    }
    if total.only_asks {
        finding = finding.because("its waits have a timeout of 0: the program may mean to sleep elsewhere");
    }
    Some(finding)
}

/// A call of seconds, after which the thread has not waited again.
pub(super) fn not_back(world: &World, tid: u32, left: &Left) -> Finding {
    let Left { epoll, call, fd, since_ns, until_ns } = *left;
    let on = if fd >= 0 { format!(" of fd {fd}") } else { String::new() };
    let took = span(until_ns.saturating_sub(since_ns));
    let title = format!("{}{on} took {took}, and its thread has not waited since", words::of(call));
    // A thread that has left its loop waits for other threads and children, and for the last data.
    let severity = match call {
        Call::Write | Call::Connect | Call::Lock | Call::Lookup => Severity::Warning,
        _ => Severity::Note,
    };
    let items = counted(world.items_in(epoll) as u64, "descriptor");
    let mut finding = Finding::new(25, severity, world.pid, title, &Tally::once(since_ns, until_ns, fd, tid))
        .because(format!("{} has {items}, and nobody else waits on it", world.set_name(epoll)))
        .unknown("whether the thread means to come back to its loop");
    if let Some(case) = world.looks.away(tid, since_ns, until_ns) {
        finding = cause::add(finding, &case);
    }
    finding.advice = words::advice(call);
    finding
}
