//! Draws a `View` on a screen of any size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::columns::{header, row, Column};
use super::view::{sorted, ItemRow, LoopRow, Sort, View};
use crate::doctor::Severity;
use crate::text::units::{count, duration, fit, percent};

/// What the person at the keyboard has chosen.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub sort: Sort,
    /// How many items are scrolled past.
    pub scroll: usize,
    pub paused: bool,
    pub help: bool,
    /// Where the program's output goes.
    pub output: Option<String>,
}

const QUIET: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const HEAD: Style = Style::new().add_modifier(Modifier::REVERSED);
/// How many lines loops and findings take at most.
const LOOPS: u16 = 6;
const FINDINGS: u16 = 4;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const HELP: [&str; 13] = [
    "q, Ctrl-C    quit",
    "r  l  b      sort by rate, latency, backlog",
    "↑ ↓  j k     scroll; PgUp, PgDn, Home, End",
    "Tab          the next process, if there are several",
    "p            hold the screen still; again: go on",
    "?            this help; any key ends it",
    "",
    "util         share of the last 10 s that the loop served events,",
    "             and did not wait",
    "p50 p99 max  from becoming ready to being delivered;",
    "             ≤: at most",
    "backlog      how long an item has been ready and not delivered",
    "longest      the longest time between two waits",
];

/// Draws it.
pub fn draw(view: &View, choice: &Choice, area: Rect, buffer: &mut Buffer) {
    Clear.render(area, buffer);
    let mut rest = area;
    let mut take = |lines: Vec<Line<'_>>| {
        let height = (lines.len() as u16).min(rest.height);
        let part = Rect { height, ..rest };
        Paragraph::new(lines).render(part, buffer);
        rest = Rect { y: rest.y + height, height: rest.height - height, ..rest };
        rest.height
    };
    let width = usize::from(area.width);
    // The lines below the items get their place first.
    let findings = findings(view, width, area.height);
    let foot = findings.len() as u16 + 1;
    take(title(view, choice, width));
    let left = take(figures(view, width));
    let most = LOOPS.min(left.saturating_sub(foot + 3));
    let left = take(loops(view, width, most));
    let room = left.saturating_sub(foot);
    take(items(view, choice, width, room));
    take(findings);
    take(vec![keys(choice, width)]);
    if choice.help {
        help(area, buffer);
    }
}

fn title<'a>(view: &View, choice: &Choice, width: usize) -> Vec<Line<'a>> {
    let state = match &view.ended {
        Some(how) => format!("{how}; q quits"),
        None if choice.paused => "paused".into(),
        None => String::new(),
    };
    let which = match view.place {
        (_, 0 | 1) => String::new(),
        (at, all) => format!(" [{}/{all}]", at + 1),
    };
    let name = format!("{} {}{which}", view.comm, view.pid);
    let room = width.saturating_sub(name.chars().count() + state.chars().count() + 4);
    let command = fit(&view.command, room);
    let gap =
        width.saturating_sub(name.chars().count() + command.chars().count() + state.chars().count() + 2);
    vec![Line::from(vec![
        Span::styled(name, BOLD),
        Span::styled(format!("  {command}{}", " ".repeat(gap)), QUIET),
        Span::styled(state, BOLD.fg(Color::Yellow)),
    ])]
}

fn figures<'a>(view: &View, width: usize) -> Vec<Line<'a>> {
    let rates = format!("{} events/s  {} waits/s", whole(view.events_rate), whole(view.waits_rate));
    let latency = match view.latency {
        None => "nothing delivered".into(),
        Some((values, is_bound)) => {
            let least = if is_bound { "≤" } else { "" };
            let [p50, p99, max] = values.map(duration);
            format!("p50 {least}{p50}  p99 {least}{p99}  max {least}{max}")
        }
    };
    let lost = match view.lost {
        0 => String::new(),
        lost => format!(" lost {}", count(lost)),
    };
    let label = "p99 ";
    let room = width.saturating_sub(label.len() + lost.len());
    let bars = format!("{:<room$}", spark(&view.history, room));
    let [cyan, yellow] = [Color::Cyan, Color::Yellow].map(|colour| Style::new().fg(colour));
    vec![
        Line::raw(fit(&format!("{rates}   {latency}"), width)),
        Line::from(vec![Span::styled(label, QUIET), Span::styled(bars, cyan), Span::styled(lost, yellow)]),
    ]
}

/// The last values as bars, on a logarithmic scale from the least to the greatest.
fn spark(values: &[u64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let log = |value: u64| (value.max(1) as f64).log2();
    let least = shown.iter().copied().filter(|value| *value != 0).map(log).fold(f64::MAX, f64::min);
    let most = shown.iter().copied().map(log).fold(0.0, f64::max);
    // Values within a factor of 16 are about the same.
    let range = (most - least).max(4.0);
    let bar = |value: &u64| match *value {
        0 => ' ',
        value => BARS[(((log(value) - least) / range * 7.0).round() as usize).min(7)],
    };
    shown.iter().map(bar).collect()
}

fn whole(rate: f64) -> String {
    count(rate.round().max(0.0) as u64)
}

fn loops<'a>(view: &View, width: usize, most: u16) -> Vec<Line<'a>> {
    let columns: [Column<LoopRow>; 8] = [
        Column::left("loop", 24, 0, |row| row.thread.clone()),
        Column::right("epoll", 5, 5, |row| row.epoll.to_string()),
        Column::right("util", 5, 1, |row| row.utilisation.map_or("-".into(), percent)),
        Column::right("events/s", 9, 2, |row| whole(row.rate)),
        Column::right("per wait", 8, 6, |row| format!("{:.1}", row.per_wait)),
        Column::right("p99", 8, 4, |row| duration(row.p99)),
        Column::right("longest", 8, 7, |row| duration(row.longest)),
        Column::left("now", 16, 3, |row| row.state.clone()),
    ];
    if most == 0 {
        return Vec::new();
    }
    let mut lines = vec![Line::styled(header(&columns, width), HEAD)];
    let room = usize::from(most) - 1;
    for loops in view.loops.iter().take(room) {
        let style = match loops.utilisation {
            Some(share) if share > 0.9 => Style::new().fg(Color::Red),
            Some(share) if share > 0.7 => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        lines.push(Line::styled(row(&columns, loops, width), style));
    }
    if view.loops.len() > room && room > 0 {
        let more = view.loops.len() - room + 1;
        lines.pop();
        lines.push(Line::styled(fit(&format!("and {more} more"), width), QUIET));
    } else if view.loops.is_empty() && room > 0 {
        lines.push(Line::styled(fit("no thread has waited yet", width), QUIET));
    }
    lines
}

fn items<'a>(view: &View, choice: &Choice, width: usize, room: u16) -> Vec<Line<'a>> {
    let columns: [Column<ItemRow>; 9] = [
        Column::right("fd", 5, 0, |row| row.fd.to_string()),
        Column::rest("what", 30, 1, |row| if row.what.is_empty() { "-".into() } else { row.what.clone() }),
        Column::left("interest", 9, 6, |row| row.interest.clone()),
        Column::left("state", 8, 5, |row| row.state.into()),
        Column::right("events/s", 9, 2, |row| whole(row.rate)),
        Column::right("events", 11, 8, |row| count(row.events)),
        Column::right("p50", 8, 7, |row| latency(row, row.p50)),
        Column::right("max", 8, 3, |row| latency(row, row.max)),
        Column::right("backlog", 8, 4, |row| row.backlog.map_or("-".into(), duration)),
    ];
    if room == 0 {
        return Vec::new();
    }
    let rows = usize::from(room) - 1;
    let order = sorted(&view.items, choice.sort);
    let from = choice.scroll.min(order.len().saturating_sub(rows));
    let mut lines = vec![Line::styled(header(&columns, width), HEAD)];
    for at in order.iter().skip(from).take(rows) {
        let item = &view.items[*at];
        let style = match item.state {
            "ready" => Style::new().fg(Color::Yellow),
            "disarmed" => QUIET,
            _ => Style::new(),
        };
        lines.push(Line::styled(row(&columns, item, width), style));
    }
    lines.resize(usize::from(room), Line::raw(""));
    lines
}

fn latency(row: &ItemRow, ns: u64) -> String {
    match ns {
        0 => "-".into(),
        _ => format!("{}{}", if row.is_bound { "≤" } else { "" }, duration(ns)),
    }
}

fn findings<'a>(view: &View, width: usize, height: u16) -> Vec<Line<'a>> {
    let most = usize::from(FINDINGS.min(height / 5));
    let all = view.findings.len();
    let shown = if all > most { most.saturating_sub(1) } else { all };
    let mut lines: Vec<Line> = (view.findings.iter().take(shown))
        .map(|(severity, title)| {
            let colour = match severity {
                Severity::Error => Color::Red,
                Severity::Warning => Color::Yellow,
                Severity::Note => Color::Cyan,
            };
            let name = severity.name();
            let text = fit(title, width.saturating_sub(name.len() + 2));
            Line::from(vec![Span::styled(format!("{name}: "), BOLD.fg(colour)), Span::raw(text)])
        })
        .collect();
    if shown < all && most > 0 {
        let more = format!("{} more findings: glasspoll doctor {}", all - shown, view.pid);
        lines.push(Line::styled(fit(&more, width), QUIET));
    }
    lines
}

fn keys<'a>(choice: &Choice, width: usize) -> Line<'a> {
    let sort = match choice.sort {
        Sort::Rate => "rate",
        Sort::Latency => "latency",
        Sort::Backlog => "backlog",
    };
    let output = choice.output.as_ref().map_or(String::new(), |file| format!("  output: {file}"));
    let text = format!("q quit  ? help  p pause  r l b sort (by {sort})  ↑↓ scroll{output}");
    Line::styled(fit(&text, width), QUIET)
}

fn help(area: Rect, buffer: &mut Buffer) {
    let (width, height) = (68.min(area.width), (HELP.len() as u16 + 2).min(area.height));
    let part =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(part, buffer);
    let mut lines = vec![Line::styled(format!("{:<68}", " glasspoll top"), HEAD)];
    lines.extend(HELP.iter().map(|line| Line::raw(format!(" {line}"))));
    Paragraph::new(lines).render(part, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

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
            epoll: 1,
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
            findings: (0..6)
                .map(|n| (Severity::Error, format!("fd {n}: HUP delivered 10,000 times")))
                .collect(),
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
    fn a_sparkline_is_low_for_little_and_high_for_much() {
        assert_eq!(spark(&[0, 1000, 1000, 1_000_000], 10), " ▁▁█");
        assert_eq!(spark(&[1, 2, 3, 4, 5], 2).chars().count(), 2);
        assert_eq!(spark(&[], 5), "");
    }
}
