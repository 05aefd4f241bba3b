//! The picture: how many times as fast as the kernel's epoll, on a logarithmic axis around 1.

use super::figure::{Figure, Verdict};
use super::rounds::{Outcome, Series};
use std::fmt::Write;

const LINE: f64 = 22.0;
const TOP: f64 = 50.0;
const WIDTH: f64 = 900.0;
/// The ends of the axis, in pixels and in speeds. A bar that reaches beyond is cut; its number tells the speed.
const LEFT: f64 = 370.0;
const RIGHT: f64 = 770.0;
const LEAST: f64 = 0.5;
const MOST: f64 = 2.0;
const MARKS: [f64; 7] = [0.5, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0];
/// Where the numbers beside the axis end: the speed and the bar.
const SPEEDS: f64 = 825.0;
const BARS: f64 = 885.0;

/// Readable on a light and on a dark page.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.axis{stroke:#8c959f}.met{fill:#1a7f37}\
.near{fill:#9a6700}.missed{fill:#cf222e}.none{fill:#6e7781}.goal{stroke:#24292f;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.goal{stroke:#e6edf3}.met{fill:#3fb950}.near{fill:#d29922}\
.missed{fill:#f85149}}";

/// A line of the picture.
struct Bar {
    title: String,
    speed: f64,
    goal: Option<f64>,
    verdict: Verdict,
}

/// One line for each figure that is about speed.
pub fn svg(outcomes: &[Outcome], machine: &str) -> String {
    let bars: Vec<Bar> = outcomes.iter().flat_map(bars).collect();
    let bottom = TOP + LINE * bars.len() as f64;
    let height = bottom + 46.0;
    let mut body = String::new();
    for mark in MARKS {
        let x = place(mark);
        let dash = if mark == 1.0 { "" } else { " stroke-dasharray='2 4'" };
        let y = bottom + 16.0;
        let _ = write!(body, "<line class='axis' x1='{x:.1}' x2='{x:.1}' y1='{TOP}' y2='{bottom}'{dash}/>");
        let _ = write!(body, "<text x='{x:.1}' y='{y}' text-anchor='middle'>{mark}</text>");
    }
    for (number, bar) in bars.iter().enumerate() {
        bar.draw(&mut body, TOP + LINE * number as f64);
    }
    let machine = escape(machine);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' \
         height='{height}'><style>{STYLE}</style>\
         <text x='8' y='20' font-weight='bold'>How many times as fast as the kernel's epoll</text>\
         <text x='{SPEEDS}' y='42' text-anchor='end'>speed</text>\
         <text x='{BARS}' y='42' text-anchor='end'>bar</text>{body}\
         <text x='8' y='{:.1}'>{machine}</text></svg>\n",
        height - 8.0,
    )
}

fn bars(outcome: &Outcome) -> Vec<Bar> {
    let figures = outcome.row.figures.iter().zip(&outcome.series);
    let bar = |(figure, (kernel, glasspoll)): (&Figure, &(Series, Series))| {
        let (kernel, glasspoll) = (kernel.best(), glasspoll.best());
        let judge = figure.judge;
        Some(Bar {
            title: format!("{} {}", outcome.row.what, figure.name).trim().replace('`', ""),
            speed: judge.speed(kernel, glasspoll)?,
            goal: judge.bar_as_speed(),
            verdict: judge.verdict(judge.ratio(kernel, glasspoll)),
        })
    };
    figures.filter_map(bar).collect()
}

impl Bar {
    fn draw(&self, to: &mut String, y: f64) {
        let base = y + 15.0;
        let title = escape(&self.title);
        let _ = write!(to, "<text x='{:.1}' y='{base}' text-anchor='end'>{title}</text>", LEFT - 12.0);
        let (from, end) = (place(1.0), place(self.speed));
        let (x, width) = (from.min(end), (end - from).abs().max(2.0));
        let class = match self.verdict {
            Verdict::Met => "met",
            Verdict::AtTheBar => "near",
            Verdict::Missed => "missed",
            Verdict::NoBar => "none",
        };
        let top = y + 4.0;
        let _ = write!(to, "<rect class='{class}' x='{x:.1}' y='{top}' width='{width:.1}' height='14'/>");
        let _ = write!(to, "<text x='{SPEEDS}' y='{base}' text-anchor='end'>{:.2}</text>", self.speed);
        let Some(goal) = self.goal else { return };
        let _ = write!(to, "<text x='{BARS}' y='{base}' text-anchor='end'>{goal:.2}</text>");
        if (LEAST..=MOST).contains(&goal) {
            let (x, bottom) = (place(goal), y + 20.0);
            let _ = write!(to, "<line class='goal' x1='{x:.1}' x2='{x:.1}' y1='{}' y2='{bottom}'/>", y + 2.0);
        }
    }
}

/// Where a speed is on the axis.
fn place(speed: f64) -> f64 {
    let share = (speed.clamp(LEAST, MOST) / LEAST).log2() / (MOST / LEAST).log2();
    LEFT + share * (RIGHT - LEFT)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
