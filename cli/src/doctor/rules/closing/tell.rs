//! The words of class 17.

use super::{About, SOON_NS};
use crate::doctor::finding::{Finding, Severity, Tally};
use crate::replay::World;
use crate::text::span;
use crate::text::units::times;

/// A second close found nothing.
pub(super) fn in_vain(world: &World, fd: i32, tally: &Tally, about: About) -> Finding {
    let title = format!("fd {fd} closed again {} after it was closed (EBADF)", span(about.after));
    Finding::new(17, Severity::Warning, world.pid, title, tally)
        .because(format!("{}; the last time first by thread {}", times(tally.count), about.other))
        .unknown("whether another file's descriptor was hit at other times")
}

/// A second close hit another thread's file.
pub(super) fn hit(world: &World, fd: i32, tally: &Tally, about: About, then: &str) -> Finding {
    let About { after, other, by, between, was_own, is_guess } = about;
    let is_sure = !is_guess && between <= SOON_NS && was_own.unwrap_or(tally.count > 1);
    let severity = if is_sure { Severity::Error } else { Severity::Warning };
    let title = if was_own == Some(false) {
        format!("fd {fd} of thread {other} closed by thread {by}, which had closed an earlier file of that number")
    } else {
        format!("fd {fd} closed twice by thread {by}: the second close hit the file that thread {other} had opened as {fd}")
    };
    let finding = Finding::new(17, severity, world.pid, title, tally).because(format!(
        "{}; the last time {} after the first close; thread {other} {then} {} later",
        times(tally.count),
        span(between),
        span(after)
    ));
    match is_guess {
        true => finding.unknown("which thread had opened the file that the second close hit"),
        false => finding,
    }
}
