//! The listing for people: a heading for each process and each set, then a line for each item.

use std::io::{self, IsTerminal, Write};

use super::{Item, Listed, Set};
use crate::text::units::{clean, count};
use crate::text::{self, rough, span};

const TITLES: [&str; 7] = ["FD", "WHAT", "INTEREST", "STATE", "EVENTS", "LAST", "AGE"];
/// The column that is shortened.
const WHAT: usize = 1;
/// Its least width.
const NARROWEST: usize = 12;
/// The columns of numbers, which are aligned to the right.
const NUMBERS: [bool; 7] = [true, false, false, false, true, false, false];

/// The width of the terminal; None if stdout is no terminal.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    ratatui::crossterm::terminal::size()
        .ok()
        .map(|(columns, _)| usize::from(columns))
        .filter(|columns| *columns > 0)
}

pub fn print(processes: &[Listed], width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    let fit = |line: &str| width.map_or_else(|| line.to_owned(), |width| text::short(line, width));
    for (at, process) in processes.iter().enumerate() {
        if at != 0 {
            writeln!(out)?;
        }
        let name = if process.command.is_empty() { &process.comm } else { &process.command };
        writeln!(out, "{}", fit(&format!("{} {}", process.pid, clean(name))))?;
        if process.left_out != 0 {
            writeln!(
                out,
                "  {} items are not listed: there was no room for them",
                count(process.left_out.into())
            )?;
        }
        for set in &process.sets {
            writeln!(out, "{}", fit(&heading(set)))?;
            print_items(&set.items, width, out)?;
        }
        if process.sets.is_empty() {
            writeln!(out, "  no epoll instance now")?;
        }
    }
    Ok(())
}

fn heading(set: &Set) -> String {
    let epfd = set.epfd.map_or("?".into(), |epfd| epfd.to_string());
    let plural = |number: usize, what: &str| {
        format!("{} {what}{}", count(number as u64), if number == 1 { "" } else { "s" })
    };
    let waiting = match &set.waiting[..] {
        [] => "nobody is waiting".into(),
        [one] => format!("{} {} is waiting", clean(&one.name), one.tid),
        many => format!("{} are waiting", plural(many.len(), "thread")),
    };
    let (items, waits) = (plural(set.items.len(), "item"), plural(set.waits as usize, "wait"));
    format!("  epoll {}, fd {epfd}: {items}, {waits}, {waiting}", set.epoll)
}

fn print_items(items: &[Item], width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(items.iter().map(row));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    if let Some(width) = width {
        let others: usize =
            widths.iter().sum::<usize>() - widths[WHAT] + INDENT.len() + 2 * (widths.len() - 1);
        widths[WHAT] = widths[WHAT].min(width.saturating_sub(others).max(NARROWEST));
    }
    for mut row in rows {
        if row[WHAT].chars().count() > widths[WHAT] {
            // The most common address is the first to be left out.
            row[WHAT] = text::short(&row[WHAT].replace("127.0.0.1:", ":"), widths[WHAT]);
        }
        let cells = row.iter().zip(widths).zip(NUMBERS);
        let cells: Vec<String> = cells
            .map(
                |((cell, width), is_number)| {
                    if is_number {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                },
            )
            .collect();
        writeln!(out, "{INDENT}{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

const INDENT: &str = "  ";

fn row(item: &Item) -> [String; 7] {
    let state = match item.ready_ns {
        Some(ns) => format!("{} {}", item.state.name(), span(ns)),
        None => item.state.name().into(),
    };
    let last = match item.last_ns {
        Some(ns) if rough(ns) == "now" => "now".into(),
        Some(ns) => format!("{} ago", rough(ns)),
        None if item.delivered == 0 => "never".into(),
        None => "-".into(),
    };
    let [least, most] = item.age_ns;
    let about = if rough(least) == rough(most) { "" } else { "~" };
    [
        item.fd.to_string(),
        item.what.as_deref().map_or("-".into(), clean),
        item.interest.clone(),
        state,
        count(item.delivered.into()),
        last,
        format!("{about}{}", rough(most)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{State, Thread};
    use super::*;

    fn listed() -> Listed {
        let item = |fd, what: &str, interest: &str, state, delivered| Item {
            fd,
            item: fd as u32,
            what: Some(what.into()),
            interest: interest.into(),
            state,
            delivered,
            ready_ns: (state == State::Ready).then_some(5_000_000),
            last_ns: (state != State::Ready && delivered != 0).then_some(3_400_000_000),
            age_ns: [300_000_000_000, 301_000_000_000],
        };
        let long =
            "tcp [2001:db8:1234:5678:9abc:def0:1234:5678]:6379 ← [2001:db8:1234:5678:9abc:def0:1:2]:51514";
        let items = vec![
            item(7, "tcp 127.0.0.1:6379 listening", "IN", State::Cold, 0),
            item(8, long, "IN|RDHUP", State::Ready, 1_234_567),
            item(12, "evil \x1b[2J", "IN", State::Disarmed, 1),
        ];
        let waiting = vec![Thread { tid: 4711, name: "redis-server".into() }];
        let set = Set { epoll: 1, epfd: Some(5), waits: 40_557, waiting, items };
        Listed {
            pid: 4711,
            comm: "redis-server".into(),
            command: "redis-server *:6379".into(),
            exact: false,
            age_ns: 0,
            left_out: 0,
            sets: vec![set],
        }
    }

    fn printed(width: Option<usize>) -> String {
        let mut out = Vec::new();
        print(&[listed()], width, &mut out).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_listing_is_whole_where_there_is_room() {
        let text = printed(None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "4711 redis-server *:6379");
        assert_eq!(lines[1], "  epoll 1, fd 5: 3 items, 40,557 waits, redis-server 4711 is waiting");
        assert!(lines[2].starts_with("  FD  WHAT  "));
        assert!(lines[3].ends_with("  never    5 min"), "{text}");
        assert!(lines[4].contains("9abc:def0:1:2]:51514  IN|RDHUP  ready 5 ms  1,234,567  -"), "{text}");
        assert!(lines[5].contains("3 s ago"));
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn a_listing_fits_in_80_columns() {
        let text = printed(Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("tcp :6379 listening"), "{text}");
        assert!(text.contains('…'));
    }
}
