//! Draws a `View` on a screen of any size. `tables` has the loops and the items.

mod tables;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::view::{Sort, View};
use crate::doctor::Severity;
use crate::text::units::{count, duration, fit};
use crate::text::OBSERVED;
use tables::{items, loops};

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

const HELP: [&str; 14] = [
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
    "backlog      how long an item has been ready and not delivered;",
    "             not known of the kernel's epoll",
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
        None if view.observed => OBSERVED.into(),
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
mod tests;
