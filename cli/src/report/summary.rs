//! A process in a few lines: what its loops did, how fast, and for which files.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use glasspoll_record::file::Named;
use glasspoll_record::histogram::Histogram;
use glasspoll_record::layout;
use glasspoll_record::ring::Header;
use glasspoll_record::{Entry, Process};

use crate::replay::{share, Item, Latency, Loop, Period, Replay, World};
use crate::text::units::{bytes, clean, count, duration, fit, longest, percent, quantile};
use crate::text::OBSERVED;

/// How many ended items are kept.
const KEEP: usize = 1000;
/// How many items a table has, and how many threads it names.
const ROWS: usize = 5;
const THREADS: usize = 8;

/// What adds up to a summary, as it comes.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pid: u32,
    /// The kernel's epoll answers it.
    observed: bool,
    comm: String,
    lost_blocks: u64,
    end: Option<u64>,
    replay: Replay,
    threads: BTreeMap<u32, String>,
}

impl Summary {
    /// A process in which nothing happened yet.
    pub fn new(header: &Header) -> Self {
        Self { pid: header.pid, observed: header.observed, ..Self::default() }
    }

    /// All that was recorded of a process.
    pub fn of(process: &Process) -> Self {
        Self {
            pid: process.pid(),
            observed: process.header.observed,
            comm: process.comm.clone(),
            lost_blocks: process.lost_blocks,
            end: Some(process.end_ns()),
            replay: Replay::of(process),
            threads: process.threads.clone(),
        }
    }

    /// The next event.
    pub fn event(&mut self, entry: &Entry) {
        self.replay.event(entry);
        self.replay.sums.forget(KEEP);
    }

    /// Something has a name.
    pub fn named(&mut self, named: Named, text: &str) {
        match named {
            Named::Comm => self.comm = text.into(),
            Named::Command => {}
            Named::Thread(tid) => drop(self.threads.insert(tid, text.into())),
            Named::File(fd) => self.replay.name(fd, text),
        }
    }

    /// Blocks are missing before the next event.
    pub fn lost(&mut self, blocks: u64) {
        if blocks != 0 {
            self.lost_blocks = self.lost_blocks.saturating_add(blocks);
            self.replay.gap();
        }
    }

    /// When the process ended, or was looked at last.
    pub fn end(&mut self, ns: u64) {
        self.end = Some(ns);
    }

    /// What is known of the process at the end.
    pub fn world(&self) -> &World {
        &self.replay.world
    }

    /// All items, in no order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.replay.sums.items.values()
    }

    /// Prints it.
    ///
    /// # Errors
    /// What writing gives.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Replay { world, sums } = &self.replay;
        let (begin, last) = sums.span.unwrap_or_default();
        let now = self.end.unwrap_or(last).max(last);
        let records = count(sums.counts.records);
        let over = duration(now - begin);
        let name = if self.comm.is_empty() { "process".into() } else { clean(&self.comm) };
        let how = if self.observed { format!(", {OBSERVED}") } else { String::new() };
        writeln!(out, "{name} {}: {records} records in {over}{how}", self.pid)?;
        if self.lost_blocks != 0 {
            let lost = count(layout::records(self.lost_blocks));
            writeln!(
                out,
                "  up to {lost} more were overwritten before they were read: a larger --ring keeps more"
            )?;
        }
        let mut of_set: BTreeMap<u32, Vec<&Loop>> = BTreeMap::new();
        for this in &sums.loops {
            of_set.entry(this.epoll).or_default().push(this);
        }
        let mut items_of: BTreeMap<u32, Vec<&Item>> = BTreeMap::new();
        for item in sums.items.values().filter(|item| item.deliveries != 0) {
            items_of.entry(item.epoll).or_default().push(item);
        }
        let mut silent = 0;
        for epoll in world.sets.keys() {
            let Some(mut loops) = of_set.remove(epoll) else {
                silent += 1;
                continue;
            };
            loops.sort_by_key(|this| Reverse(this.events));
            let items = items_of.remove(epoll).unwrap_or_default();
            self.print_set(out, *epoll, &loops, items, (begin, now))?;
        }
        if silent != 0 {
            writeln!(out, "  {} that nobody waited at", plural(silent, "set", "sets"))?;
        }
        Ok(())
    }

    fn print_set(
        &self,
        out: &mut impl Write,
        epoll: u32,
        loops: &[&Loop],
        items: Vec<&Item>,
        (begin, now): (u64, u64),
    ) -> io::Result<()> {
        let (mut per_wait, mut latency) = (Histogram::default(), Latency::default());
        let mut sum = Loop::default();
        for this in loops {
            let (waiting, serving) = this.times(now);
            sum.waits += this.waits;
            sum.empty += this.empty;
            sum.interrupted += this.interrupted;
            sum.full += this.full;
            sum.events += this.events;
            sum.waiting_ns = sum.waiting_ns.saturating_add(waiting);
            sum.serving_ns = sum.serving_ns.saturating_add(serving);
            per_wait.merge(&this.per_wait);
            latency.merge(&this.latency);
        }
        let set = self.replay.world.sets.get(&epoll);
        let inherited = if set.is_some_and(|set| set.inherited) { ", inherited" } else { "" };
        writeln!(out, "\n  {}{inherited}", self.replay.world.set_name(epoll))?;
        let line = |out: &mut dyn Write, what: &str, text: &str| writeln!(out, "    {what:<16} {text}");
        let mut waits = count(sum.waits);
        for (number, what) in
            [(sum.empty, "empty"), (sum.interrupted, "ended by EINTR"), (sum.full, "full to maxevents")]
        {
            if number != 0 {
                waits += &format!(", {} {what}", count(number));
            }
        }
        line(out, "waits", &waits)?;
        let each = match per_wait.count() {
            0 => String::new(),
            _ => format!(
                "; for each wait {:.1}, p50 {}, p99 {}, max {}",
                per_wait.mean(),
                per_wait.quantile(0.5),
                per_wait.quantile(0.99),
                per_wait.max()
            ),
        };
        line(out, "events", &format!("{}{each}", count(sum.events)))?;
        if latency.histogram.count() != 0 {
            let at_most = if latency.is_bound() { "at most " } else { "" };
            let [p50, p99] = [0.5, 0.99].map(|share| duration(latency.histogram.quantile(share)));
            let max = duration(latency.histogram.max());
            line(out, "ready→delivered", &format!("{at_most}p50 {p50}, p99 {p99}, max {max}"))?;
        }
        line(out, "time", &times(sum.waiting_ns, sum.serving_ns))?;
        if loops.len() > 1 {
            for this in loops.iter().take(THREADS) {
                let (waiting, serving) = this.times(now);
                let name = self.threads.get(&this.tid).map_or(String::new(), |name| fit(name, 16));
                let events = count(this.events);
                let text = format!("{events} events, {}  {name}", times(waiting, serving));
                line(out, &format!("thread {}", this.tid), text.trim_end())?;
            }
            if loops.len() > THREADS {
                line(out, "", &format!("and {} more", plural(loops.len() - THREADS, "thread", "threads")))?;
            }
        }
        let longest = loops.iter().flat_map(|this| &this.longest).max_by_key(|period| period.ns);
        if let Some(period) = longest.filter(|period| period.ns != 0) {
            line(out, "longest serving", &self.period(period, begin))?;
        }
        print_items(out, items, self.replay.sums.forgotten(epoll))
    }

    fn period(&self, period: &Period, begin: u64) -> String {
        let events = plural(period.events as usize, "event", "events");
        let at = duration(period.from_ns.saturating_sub(begin));
        let mut text = format!("{} for {events}, {at} after the begin", duration(period.ns));
        for (key, ns) in period.shares.iter().take(2) {
            if let Some(item) = self.replay.sums.items.get(key) {
                text += &format!("; fd {} {}", item.fd, duration(*ns));
            }
        }
        text
    }
}

/// The items of a set that events came for.
fn print_items(out: &mut impl Write, mut items: Vec<&Item>, forgotten: u64) -> io::Result<()> {
    let total = items.len() as u64 + forgotten;
    items.sort_by_key(|item| (Reverse(item.deliveries), item.serial));
    print_table(out, "busiest", &items)?;
    if items.len() > 1 {
        items.sort_by_key(|item| (Reverse(item.latency.histogram.max()), item.serial));
        print_table(out, "slowest", &items)?;
    }
    if total > ROWS as u64 {
        writeln!(out, "    of {} items that events came for", count(total))?;
    }
    Ok(())
}

fn print_table(out: &mut impl Write, what: &str, items: &[&Item]) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let titles = ["events", "p50", "p99", "max", "read", "written", "served"];
    let widths = [11, 9, 9, 9, 10, 10, 9];
    write!(out, "    {what:<8} {:>6}", "fd")?;
    for (title, width) in titles.into_iter().zip(widths) {
        write!(out, " {title:>width$}")?;
    }
    writeln!(out, "  what")?;
    for item in items.iter().take(ROWS) {
        let served = if item.serving_ns == 0 { "-".into() } else { duration(item.serving_ns) };
        let columns = [
            count(item.deliveries),
            quantile(&item.latency, 0.5),
            quantile(&item.latency, 0.99),
            longest(&item.latency),
            bytes(item.bytes.0),
            bytes(item.bytes.1),
            served,
        ];
        write!(out, "    {:<8} {:>6}", "", item.fd)?;
        for (column, width) in columns.into_iter().zip(widths) {
            write!(out, " {column:>width$}")?;
        }
        writeln!(out, "  {}", item.what.as_deref().map_or("-".into(), clean))?;
    }
    Ok(())
}

fn times(waiting: u64, serving: u64) -> String {
    let utilisation = share(serving, waiting).map_or("unknown".into(), percent);
    format!("waiting {}, serving {}: utilisation {utilisation}", duration(waiting), duration(serving))
}

fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::script::Script;
    use glasspoll_record::event::Event;

    #[test]
    fn it_says_what_the_loop_did_and_for_whom() {
        let mut script = Script::new();
        script.process.files.insert(5, vec![(1_000_000_000, "tcp 127.0.0.1:6379 ← :51514".into())]);
        script.does(Event::Create { epoll: 1, epfd: 4, inherited: false }).add(5, 1, 1).add(6, 2, 1);
        for _ in 0..1000 {
            script.wait(900, &[(5, 1, 20)]).read(5, 100).after(50).write(5, 200).after(50);
        }
        script.wait(0, &[(6, 2, 3000)]).after(7000).wait(0, &[]);
        let mut out = Vec::new();
        Summary::of(&script.process).print(&mut out).expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        let has = |line: &str| assert!(text.lines().any(|other| other == line), "no {line:?} in\n{text}");
        has("tester 4711: 5,008 records in 1.01 s");
        has("  epoll 4");
        has("    waits            1,002, 1 empty");
        has("    events           1,001; for each wait 1.0, p50 1, p99 1, max 1");
        has("    ready→delivered  p50 20.0 µs, p99 20.0 µs, max 3.00 ms");
        has("    time             waiting 900 ms, serving 107 ms: utilisation 11%");
        has("    longest serving  7.00 ms for 1 event, 1.00 s after the begin; fd 6 7.00 ms");
        let row = text.lines().find(|line| line.contains(":51514")).expect("the busiest");
        let columns: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(columns[..2], ["5", "1,000"]);
        assert!(row.contains("97.7 KiB") && row.contains("195 KiB"), "{row}");
    }

    #[test]
    fn as_it_comes_it_is_the_same() {
        let mut script = Script::new();
        script.add(5, 1, 1).wait(10, &[(5, 1, 20)]).read(5, 100).after(50).wait(10, &[]);
        let mut summary = Summary::new(&script.process.header);
        summary.named(Named::Comm, "tester");
        for entry in &script.process.events {
            summary.event(entry);
        }
        summary.end(script.now);
        let print = |summary: &Summary| {
            let mut out = Vec::new();
            summary.print(&mut out).expect("memory");
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(print(&summary), print(&Summary::of(&script.process)));
        summary.lost(3);
        assert!(print(&summary).contains("93 more were overwritten"));
    }

    #[test]
    fn of_a_process_that_did_nothing_there_is_a_line() {
        let mut header = Script::new().process.header;
        for (observed, how) in [(false, ""), (true, ", observed: the kernel's epoll")] {
            header.observed = observed;
            let mut out = Vec::new();
            Summary::new(&header).print(&mut out).expect("memory");
            let expected = format!("process 4711: 0 records in 0 ns{how}\n");
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        }
    }
}
