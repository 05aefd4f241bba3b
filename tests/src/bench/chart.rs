//! The picture: how many times as fast as the kernel's epoll, on a logarithmic axis around 1.

use super::rounds::Outcome;
use std::fmt::Write;

const LINE: f64 = 22.0;
const TOP: f64 = 46.0;
const TITLES: f64 = 400.0;
const WIDTH: f64 = 900.0;
/// The axis goes from a quarter as fast to sixteen times as fast.
const LEAST: f64 = 0.25;
const MOST: f64 = 16.0;

/// Readable on a light and on a dark page.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.axis{stroke:#8c959f}.bar{fill:#57606a}\
.fast{fill:#1a7f37}.slow{fill:#cf222e}.goal{stroke:#24292f;stroke-width:2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.goal{stroke:#e6edf3}.fast{fill:#3fb950}.slow{fill:#f85149}}";

/// One line of the picture for each figure that is about speed.
pub fn svg(outcomes: &[Outcome], machine: &str) -> String {
    let mut body = String::new();
    let mut lines = 0;
    for outcome in outcomes {
        for (figure, (kernel, glasspoll)) in outcome.row.figures.iter().zip(&outcome.series) {
            let Some(speed) = figure.judge.speed(kernel.best(), glasspoll.best()) else { continue };
            let title = format!("{} {}", outcome.row.what, figure.name);
            line(&mut body, lines, &title, speed, figure.judge.bar_as_speed());
            lines += 1;
        }
    }
    let bottom = TOP + LINE * f64::from(lines);
    let height = bottom + 40.0;
    let mut axis = String::new();
    for mark in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0] {
        let x = place(mark);
        let dash = if mark == 1.0 { "" } else { " stroke-dasharray='2 4'" };
        let _ = write!(axis, "<line class='axis' x1='{x:.1}' x2='{x:.1}' y1='{TOP}' y2='{bottom}'{dash}/>");
        let _ = write!(axis, "<text x='{x:.1}' y='{:.1}' text-anchor='middle'>{mark}×</text>", bottom + 16.0);
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'>\
         <style>{STYLE}</style>\
         <text x='8' y='20' font-weight='bold'>glasspoll: speed beside the kernel's epoll (1× is as fast; \
         the upright marks are the bars to reach)</text>{axis}{body}\
         <text x='8' y='{:.1}'>{}</text></svg>\n",
        height - 6.0,
        escape(machine)
    )
}

/// Where a speed is on the axis.
fn place(speed: f64) -> f64 {
    let share = (speed.clamp(LEAST, MOST) / LEAST).log2() / (MOST / LEAST).log2();
    TITLES + share * (WIDTH - TITLES - 60.0)
}

fn line(body: &mut String, number: u32, title: &str, speed: f64, bar: Option<f64>) {
    let y = TOP + LINE * f64::from(number);
    let (from, to) = (place(1.0), place(speed));
    let class = if speed >= 0.98 { "fast" } else { "slow" };
    let (x, width) = (from.min(to), (to - from).abs().max(1.5));
    let base = y + 15.0;
    let title = escape(&title.trim().replace('`', ""));
    let _ = write!(body, "<text x='{:.1}' y='{base}' text-anchor='end'>{title}</text>", TITLES - 10.0);
    let _ =
        write!(body, "<rect class='{class}' x='{x:.1}' y='{:.1}' width='{width:.1}' height='14'/>", y + 4.0);
    let label = from.max(to).max(bar.map_or(0.0, place)) + 6.0;
    let _ = write!(body, "<text x='{label:.1}' y='{base}'>{speed:.2}</text>");
    if let Some(goal) = bar.map(place) {
        let (top, bottom) = (y + 2.0, y + 20.0);
        let _ = write!(body, "<line class='goal' x1='{goal:.1}' x2='{goal:.1}' y1='{top}' y2='{bottom}'/>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
