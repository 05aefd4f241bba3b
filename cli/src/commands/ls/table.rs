//! The listing for people: a heading for each process and each set, then a line for each item.

use std::io::{self, IsTerminal, Write};

use super::kernel::{self, Place};
use super::{Item, Listed, Set, Thread};
use crate::text::units::{clean, count};
use crate::text::{self, rough, span, OBSERVED};

/// The columns of a listing.
struct Columns<const N: usize> {
    titles: [&'static str; N],
    /// The one that is shortened.
    what: usize,
    /// Those of numbers, which are aligned to the right.
    numbers: [bool; N],
}

const OURS: Columns<7> = Columns {
    titles: ["FD", "WHAT", "INTEREST", "STATE", "EVENTS", "LAST", "AGE"],
    what: 1,
    numbers: [true, false, false, false, true, false, false],
};

const KERNELS: Columns<5> = Columns {
    titles: ["FD", "WHAT", "INTEREST", "DATA", "WAITING"],
    what: 1,
    numbers: [true, false, false, true, false],
};

/// The least width of the column that is shortened.
const NARROWEST: usize = 12;

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
        if let Some(record) = &process.record {
            for set in &record.sets {
                writeln!(out, "{}", fit(&heading(set, record.observed)))?;
                OURS.print(set.items.iter().map(row).collect(), width, out)?;
            }
        }
        for set in &process.kernel_sets {
            let Some(listed) = process.record.as_ref().and_then(|record| record.observed(set)) else {
                writeln!(out, "{}", fit(&kernel_heading(set)))?;
                KERNELS.print(set.items.iter().map(kernel_row).collect(), width, out)?;
                continue;
            };
            let others = besides(set, listed);
            if !others.is_empty() {
                let (items, epoll) = (plural(others.len(), "more item"), called(listed));
                writeln!(out, "{}", fit(&format!("  of {epoll} the kernel has {items}:")))?;
                KERNELS.print(others.into_iter().map(kernel_row).collect(), width, out)?;
            }
        }
        match &process.record {
            Some(record) if record.left_out != 0 => {
                let left_out = plural(record.left_out as usize, "item");
                writeln!(out, "  not listed, because there was no room: {left_out}")?;
            }
            Some(record) if record.sets.is_empty() && process.kernel_sets.is_empty() => {
                writeln!(out, "  no epoll instance now")?;
            }
            Some(_) => {}
            None => {
                let why = process.unreachable.as_deref().unwrap_or("It does not run on glasspoll");
                writeln!(out, "  {}: of the kernel's sets, rates and times are not known.", clean(why))?;
            }
        }
    }
    Ok(())
}

/// The items of a set of the kernel's that its record does not have: their files are no longer here, or a call that the
/// library does not see added them.
fn besides<'a>(set: &'a kernel::Set, listed: &Set) -> Vec<&'a kernel::Item> {
    let is_listed = |item: &&kernel::Item| {
        item.place == Place::Here && listed.items.iter().any(|other| other.fd == item.fd)
    };
    set.items.iter().filter(|item| !is_listed(item)).collect()
}

/// A set is called by its descriptor, as the doctor, `top` and reports call it.
fn called(set: &Set) -> String {
    match set.epfd {
        Some(epfd) => format!("epoll {epfd}"),
        None => format!("epoll #{}", set.epoll),
    }
}

fn heading(set: &Set, observed: bool) -> String {
    let (items, waits) = (plural(set.items.len(), "item"), plural(set.waits as usize, "wait"));
    let how = if observed { format!(", {OBSERVED}") } else { String::new() };
    format!("  {}: {items}, {waits}, {}{how}", called(set), waiting(&set.waiting))
}

fn kernel_heading(set: &kernel::Set) -> String {
    let epfds: Vec<String> = set.epfds.iter().map(i32::to_string).collect();
    let items = plural(set.items.len(), "item");
    format!("  epoll of the kernel's, fd {}: {items}, {}", epfds.join(" and "), waiting(&set.waiting))
}

fn plural(number: usize, what: &str) -> String {
    format!("{} {what}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

fn waiting(threads: &[Thread]) -> String {
    match threads {
        [] => "nobody is waiting".into(),
        [one] => format!("{} {} is waiting", clean(&one.name), one.tid),
        many => format!("{} are waiting", plural(many.len(), "thread")),
    }
}

impl<const N: usize> Columns<N> {
    fn print(&self, items: Vec<[String; N]>, width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let rows = [vec![self.titles.map(str::to_owned)], items].concat();
        let what = self.what;
        let mut widths = [0; N];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        if let Some(width) = width {
            let others = widths.iter().sum::<usize>() - widths[what] + INDENT.len() + 2 * (N - 1);
            widths[what] = widths[what].min(width.saturating_sub(others).max(NARROWEST));
        }
        for mut row in rows {
            if row[what].chars().count() > widths[what] {
                // The most common address is the first to be left out.
                row[what] = text::short(&row[what].replace("127.0.0.1:", ":"), widths[what]);
            }
            let cells = row.iter().zip(widths).zip(self.numbers);
            let cells: Vec<String> = cells
                .map(|((cell, width), is_number)| match is_number {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                })
                .collect();
            writeln!(out, "{INDENT}{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
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

fn kernel_row(item: &kernel::Item) -> [String; 5] {
    let what = item.what.as_deref().map_or("-".into(), clean);
    let what = match item.place {
        Place::Here => what,
        Place::Closed => format!("closed here, open elsewhere: {what}"),
        Place::Reused => format!("another file now; open elsewhere: {what}"),
    };
    let interest =
        if item.disarmed { format!("{} (disarmed)", item.interest) } else { item.interest.clone() };
    let waiting = item.queue.map_or("-".into(), |queue| queue.to_string());
    [item.fd.to_string(), what, interest, data(item.data), waiting]
}

/// Small numbers are fds, mostly, and large ones addresses.
fn data(data: u64) -> String {
    match data {
        0..1_000_000 => data.to_string(),
        _ => format!("{data:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Recorded, State};
    use super::*;
    use crate::procfs::queue::Queue;

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
            record: Some(Recorded { exact: false, observed: false, age_ns: 0, left_out: 0, sets: vec![set] }),
            unreachable: None,
            kernel_sets: Vec::new(),
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
        assert_eq!(lines[1], "  epoll 5: 3 items, 40,557 waits, redis-server 4711 is waiting");
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

    #[test]
    fn of_an_observed_set_the_kernel_adds_what_the_record_lacks() {
        let mut listed = listed();
        let record = listed.record.as_mut().expect("a record");
        record.observed = true;
        record.sets[0].items.iter_mut().for_each(|item| {
            (item.state, item.ready_ns, item.last_ns) = (State::Unknown, None, None);
        });
        let item = |fd, place| kernel::Item {
            fd,
            what: Some(format!("file of {fd}")),
            place,
            interest: "IN".into(),
            disarmed: false,
            data: 1,
            queue: None,
        };
        let set = |epfds: &[i32], items| kernel::Set { epfds: epfds.into(), waiting: Vec::new(), items };
        listed.kernel_sets = vec![
            set(&[5, 9], vec![item(7, Place::Here), item(8, Place::Reused), item(30, Place::Here)]),
            set(&[6], vec![item(7, Place::Here)]),
        ];
        let mut out = Vec::new();
        print(&[listed], None, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("  epoll 5: 3 items, "), "{text}");
        assert!(lines[1].ends_with("is waiting, observed: the kernel's epoll"), "{text}");
        assert!(!text.contains("cold"), "{text}");
        assert_eq!(lines[6], "  of epoll 5 the kernel has 2 more items:", "{text}");
        assert!(lines[8].contains("open elsewhere: file of 8") && lines[9].contains("file of 30"), "{text}");
        assert!(lines[10].starts_with("  epoll of the kernel's, fd 6: 1 item, "), "{text}");
    }

    #[test]
    fn sets_of_the_kernel_are_listed_without_rates() {
        let item = |fd, place, interest: &str, data, queue| kernel::Item {
            fd,
            what: Some("tcp 127.0.0.1:80 ← 127.0.0.1:40000".into()),
            place,
            interest: interest.into(),
            disarmed: interest == "ONESHOT",
            data,
            queue,
        };
        let items = vec![
            item(7, Place::Here, "IN|ET", 7, Some(Queue::Bytes { unread: 2_900, unsent: 0 })),
            item(8, Place::Closed, "IN", 0x7fff_0000_1234, None),
            item(9, Place::Reused, "ONESHOT", 1, None),
        ];
        let waiting = vec![Thread { tid: 12, name: "nginx".into() }];
        let kernel_sets = vec![kernel::Set { epfds: vec![5, 6], waiting, items }];
        let listed = Listed { record: None, kernel_sets, ..listed() };
        let mut out = Vec::new();
        print(&[listed], None, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "  epoll of the kernel's, fd 5 and 6: 3 items, nginx 12 is waiting");
        assert!(lines[3].ends_with("IN|ET                            7  2,900 B unread"), "{text}");
        assert!(
            lines[4].contains("closed here, open elsewhere: tcp") && lines[4].ends_with("0x7fff00001234  -"),
            "{text}"
        );
        assert!(lines[5].contains("another file now") && lines[5].contains("ONESHOT (disarmed)"), "{text}");
        assert!(lines[6].contains("rates and times are not known"), "{text}");
    }
}
