//! Growth and ticking: what can be judged only from the whole run, and by comparison with the same program on the
//! kernel.

use super::fault::Fault;
use super::kind::Kind;
use super::proc::Usage;
use super::subject::{AtRest, Seen, Subject};

/// More descriptors or threads than this are growth: one or two appear late, when something happens for the first time.
const FEW: f64 = 3.0;

/// The median; of two middle values the lower one. 0 if there are no values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// The change over the run: the medians of the first and of the last third of the measurements after the warm-up.
pub fn change(at_rest: &[AtRest], of: impl Fn(&Usage) -> u64) -> (f64, f64) {
    let warm = &at_rest[at_rest.len() / 4..];
    let third = (warm.len() / 3).max(1).min(warm.len());
    let median_of = |some: &[AtRest]| median(some.iter().map(|seen| of(&seen.usage) as f64).collect());
    (median_of(&warm[..third]), median_of(&warm[warm.len() - third..]))
}

/// Bytes per hour, by least squares, after the warm-up.
pub fn slope(at_rest: &[AtRest]) -> f64 {
    let warm = &at_rest[at_rest.len() / 4..];
    let points = || warm.iter().map(|seen| (seen.at.as_secs_f64() / 3600.0, seen.usage.bytes as f64));
    let count = warm.len().max(1) as f64;
    let (x, y) = points().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let (above, below) = points().fold((0.0, 0.0), |(above, below), point| {
        (above + (point.0 - x) * (point.1 - y), below + (point.0 - x).powi(2))
    });
    if below == 0.0 {
        0.0
    } else {
        above / below
    }
}

/// How many more wakeups a second than on the kernel are allowed: the program's own timers vary that much.
fn wakeups_allowed(kind: Kind, others: f64) -> f64 {
    match kind {
        // On the kernel one of V8's timers wakes one thread; here it also hands the watch to a loop that waits in
        // another thread.
        Kind::Node => 0.15 + 3.0 * others,
        Kind::Redis => 0.3,
        Kind::Memcached => 0.5,
        _ => 0.15,
    }
}

/// Reports what the whole run shows about `subject`; `twin` is the same server on the kernel.
pub fn judge(subject: &Subject, twin: Option<&Subject>) {
    let seen = subject.seen.lock().expect("nobody panics with it");
    let other = twin.map(|twin| twin.seen.lock().expect("nobody panics with it"));
    for (fault, what) in complaints(subject.kind, &seen, other.as_deref()) {
        subject.report.tell(fault, what);
    }
}

fn complaints(kind: Kind, seen: &Seen, twin: Option<&Seen>) -> Vec<(Fault, String)> {
    let mut all = Vec::new();
    type Part = (&'static str, fn(&Usage) -> u64, f64);
    let parts: [Part; 3] = [
        ("bytes of memory", |usage| usage.bytes, kind.leeway()),
        ("descriptors", |usage| usage.descriptors, FEW),
        ("threads", |usage| usage.threads, FEW),
    ];
    for (what, of, leeway) in parts {
        let (begin, end) = change(&seen.at_rest, of);
        let others = twin.map_or(0.0, |twin| {
            let (begin, end) = change(&twin.at_rest, of);
            (end - begin).max(0.0)
        });
        if end - begin > others + leeway {
            all.push((
                Fault::Grew,
                format!("from {begin} to {end} {what} at rest; on the kernel by {others}"),
            ));
        }
    }
    let wakeups = median(seen.wakeups.clone());
    let others = twin.map_or(0.0, |twin| median(twin.wakeups.clone()));
    if wakeups > others + wakeups_allowed(kind, others) {
        let what = format!(
            "wakes {wakeups:.2} times a second with nothing to do; on the kernel {others:.2}; at last {}",
            seen.woken
        );
        all.push((Fault::Ticks, what));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn seen(bytes: impl Fn(u64) -> u64, wakeups: f64) -> Seen {
        let mut seen = Seen::default();
        for minute in 0..60 {
            let usage = Usage { bytes: bytes(minute), ..Usage::default() };
            seen.at_rest.push(AtRest { at: Duration::from_secs(60 * minute), usage });
        }
        seen.wakeups = vec![wakeups; 5];
        seen
    }

    #[test]
    fn what_grows_more_than_on_the_kernel_is_told_and_what_warms_up_is_not() {
        let grows = |minute| (20 << 20) + minute * 200_000;
        let warms = |minute: u64| (20 << 20) + minute.min(10) * 200_000;
        let complaints = |a: &Seen, b: &Seen| complaints(Kind::Redis, a, Some(b)).len();
        assert_eq!(complaints(&seen(grows, 10.0), &seen(warms, 10.0)), 1);
        assert_eq!(complaints(&seen(grows, 10.0), &seen(grows, 10.0)), 0);
        assert_eq!(complaints(&seen(warms, 10.0), &seen(|_| 20 << 20, 10.0)), 0);
        assert_eq!(complaints(&seen(warms, 11.0), &seen(warms, 10.0)), 1);
        assert!((slope(&seen(grows, 0.0).at_rest) - 12_000_000.0).abs() < 1.0);
    }
}
