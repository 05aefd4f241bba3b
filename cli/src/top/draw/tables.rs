//! The tables of loops and of items.

use ratatui::style::{Color, Style};
use ratatui::text::Line;

use super::{whole, Choice, HEAD, QUIET};
use crate::text::units::{count, duration, fit, percent};
use crate::top::columns::{header, row, Column};
use crate::top::view::{sorted, ItemRow, LoopRow, View};

/// The loops, the busiest first, in `most` lines.
pub(super) fn loops<'a>(view: &View, width: usize, most: u16) -> Vec<Line<'a>> {
    let columns: [Column<LoopRow>; 8] = [
        Column::left("loop", 24, 0, |row| row.thread.clone()),
        Column::right("epoll", 5, 5, |row| row.epoll.clone()),
        Column::right("util", 5, 1, |row| row.utilisation.map_or("-".into(), percent)),
        Column::right("events/s", 9, 2, |row| whole(row.rate)),
        Column::right("per wait", 8, 6, |row| format!("{:.1}", row.per_wait)),
        Column::right("p99", 8, 4, |row| duration(row.p99)),
        Column::right("longest", 8, 7, |row| duration(row.longest)),
        Column::rest("now", 16, 3, |row| row.state.clone()),
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

/// The items, beginning with the first that is not scrolled past.
pub(super) fn items<'a>(view: &View, choice: &Choice, width: usize, room: u16) -> Vec<Line<'a>> {
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
