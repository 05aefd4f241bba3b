//! The table at the end.

use super::subject::Subject;
use super::verdict::{change, median, slope};
use crate::Mode;

const MIB: f64 = 1024.0 * 1024.0;

/// Prints a row for each subject.
pub fn print(subjects: &[Subject]) {
    println!();
    println!("Clients: the time from a request to its answer. Delivery: from becoming ready to being handed over, of the events");
    println!("for which that is known exactly (their share), sampled from the record. At rest: after a while without load;");
    println!("from the first to the last third of the run after its first quarter. Wakeups: of all threads, nothing happening.");
    println!();
    let head = [
        "server",
        "epoll",
        "connections",
        "answers",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "delivery p50 µs",
        "p99 µs",
        "exact",
        "MiB at rest",
        "MiB/h",
        "descriptors at rest",
        "threads",
        "signals queued, most",
        "wakeups/s",
    ];
    println!("| {} |", head.join(" | "));
    println!("|---|---|{}", "--:|".repeat(head.len() - 2));
    for subject in subjects {
        println!("| {} |", row(subject).join(" | "));
    }
    println!();
}

fn row(subject: &Subject) -> Vec<String> {
    let crowd = subject.crowd.lock().expect("nobody panics with it");
    let seen = subject.seen.lock().expect("nobody panics with it");
    let (done, ready) = (&crowd.done, &seen.ready);
    let ms = |ns: u64| format!("{:.2}", ns as f64 / 1e6);
    let us = |ns: u64| format!("{:.1}", ns as f64 / 1e3);
    let of_record = |text: String| if ready.count() == 0 { "–".to_owned() } else { text };
    let exact = 100.0 * ready.count() as f64 / (ready.count() + seen.bound.count()).max(1) as f64;
    let arrow = |(begin, end): (f64, f64), unit: f64, digits: usize| {
        format!("{:.digits$} → {:.digits$}", begin / unit, end / unit)
    };
    vec![
        subject.kind.name().to_owned(),
        if subject.mode == Mode::Native { "kernel" } else { "glasspoll" }.to_owned(),
        done.connections.to_string(),
        done.answered.to_string(),
        ms(done.times.quantile(0.5)),
        ms(done.times.quantile(0.99)),
        ms(done.times.max()),
        of_record(us(ready.quantile(0.5))),
        of_record(us(ready.quantile(0.99))),
        of_record(format!("{exact:.0}%")),
        arrow(change(&seen.at_rest, |usage| usage.bytes), MIB, 2),
        format!("{:+.2}", slope(&seen.at_rest) / MIB),
        arrow(change(&seen.at_rest, |usage| usage.descriptors), 1.0, 0),
        arrow(change(&seen.at_rest, |usage| usage.threads), 1.0, 0),
        format!("{} of {}", seen.most.queued, seen.most.queue),
        if seen.wakeups.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.2}", median(seen.wakeups.clone()))
        },
    ]
}
