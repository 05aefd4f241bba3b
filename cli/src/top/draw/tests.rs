//! The screen, from a view that is made up.

use super::*;
use crate::top::view::{sorted, ItemRow, LoopRow};

fn sample() -> View {
    let item = |n: u32| ItemRow {
        key: (1, n),
        fd: n as i32,
        what: format!("tcp 127.0.0.1:6379 ← 127.0.0.1:{}", 50_000 + n),
        interest: "IN|ET".into(),
        state: if n == 3 { "ready" } else { "hot" },
        rate: f64::from(n) * 100.0,
        events: 1_234_567,
        p50: 220,
        max: 1_000_000 / u64::from(n),
        is_bound: n == 4,
        backlog: (n == 3).then_some(5_000_000),
    };
    let this = |tid: u32| LoopRow {
        thread: format!("io_thd {tid}"),
        epoll: "5".into(),
        state: "waiting 3.10 ms".into(),
        utilisation: Some(0.95),
        rate: 52_310.0,
        per_wait: 9.1,
        p99: 44_000,
        longest: 7_690_000,
    };
    View {
        pid: 4711,
        comm: "redis-server".into(),
        command: "redis-server *:6379".into(),
        place: (0, 1),
        lost: 1_000_000,
        events_rate: 52_310.4,
        waits_rate: 5_200.0,
        latency: Some(([228, 44_000, 10_600_000], false)),
        history: (0..300).map(|n| n * n).collect(),
        loops: (0..9).map(this).collect(),
        items: (1..50).map(item).collect(),
        findings: (0..6).map(|n| (Severity::Error, format!("fd {n}: HUP delivered 10,000 times"))).collect(),
        ..View::default()
    }
}

fn screen(view: &View, choice: &Choice, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(view, choice, area, &mut buffer);
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(line).collect()
}

#[test]
fn all_is_there_on_a_screen_of_80_by_24() {
    let lines = screen(&sample(), &Choice::default(), 80, 24);
    let text = lines.join("\n");
    for word in [
        "redis-server 4711",
        "52,310 events/s  5,200 waits/s",
        "p99 44.0 µs",
        "lost 1,000,000",
        "io_thd 0",
        "95%",
        "and 5 more",
        "tcp 127.0.0.1:6379 ← 127.0",
        "error: fd 0: HUP delivered 10,000 times",
        "3 more findings: glasspoll doctor 4711",
        "q quit  ? help",
    ] {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
    assert!(lines[23].starts_with("q quit"), "{text}");
    // The busiest is first.
    let first =
        lines.iter().position(|line| line.contains("interest") || line.contains("what")).expect("items");
    assert!(lines[first + 1].trim_start().starts_with("49 "), "{text}");
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let (view, empty) = (sample(), View::default());
    for width in [1, 2, 5, 13, 20, 40, 79, 80, 300] {
        for height in [1, 2, 3, 5, 8, 12, 24, 100] {
            for help in [false, true] {
                let choice = Choice { help, scroll: 1000, ..Choice::default() };
                screen(&view, &choice, width, height);
                screen(&empty, &choice, width, height);
            }
        }
    }
}

#[test]
fn items_are_sorted_as_asked() {
    let view = sample();
    let first = |sort| view.items[sorted(&view.items, sort)[0]].fd;
    assert_eq!([Sort::Rate, Sort::Latency, Sort::Backlog].map(first), [49, 1, 3]);
    let lines = screen(&view, &Choice { scroll: 10, ..Choice::default() }, 80, 24);
    assert!(lines.iter().any(|line| line.trim_start().starts_with("39 ")), "{lines:?}");
}

#[test]
fn the_end_is_told_and_where_the_output_is() {
    let view = View { ended: Some("ended by signal 9".into()), ..sample() };
    let choice = Choice { output: Some("/tmp/out".into()), ..Choice::default() };
    let lines = screen(&view, &choice, 100, 24);
    assert!(lines[0].contains("ended by signal 9; q quits") && lines[23].contains("output: /tmp/out"));
}

#[test]
fn it_says_that_the_kernels_epoll_answers_unless_there_is_something_to_say() {
    let view = View { observed: true, ..sample() };
    let first = |view: &View, choice: &Choice| screen(view, choice, 80, 24)[0].trim_end().to_owned();
    let line = first(&view, &Choice::default());
    assert!(
        line.starts_with("redis-server 4711") && line.ends_with("observed: the kernel's epoll"),
        "{line}"
    );
    let paused = Choice { paused: true, ..Choice::default() };
    assert!(first(&view, &paused).ends_with("paused"));
    assert!(!first(&sample(), &Choice::default()).contains("observed"));
}

#[test]
fn a_sparkline_is_low_for_little_and_high_for_much() {
    assert_eq!(spark(&[0, 1000, 1000, 1_000_000], 10), " ▁▁█");
    assert_eq!(spark(&[1, 2, 3, 4, 5], 2).chars().count(), 2);
    assert_eq!(spark(&[], 5), "");
}
