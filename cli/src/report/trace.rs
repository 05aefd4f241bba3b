//! The timeline for ui.perfetto.dev and chrome://tracing, as trace event JSON: a track for each thread with slices for
//! waiting and serving, small slices for wakeups, items that become ready, and deliveries, and arrows between them.
//!
//! An arrow begins where an item became ready, or at the wakeup that made it so, and ends at its delivery. Both ends
//! are written together, at the delivery, so that each arrow has both.

use std::collections::HashMap;
use std::io::{self, Write};

use glasspoll_record::event::{Known, Mask};
use glasspoll_record::{Event as Station, Process, Recording};
use serde::Serialize;

use crate::doctor;
use crate::replay::{Did, Key, Replay, Span};
use crate::text::OBSERVED;

/// The longest slice for a moment, in nanoseconds: a slice of no length cannot be seen.
const MOMENT: u64 = 1000;
/// How soon a thread that takes a wakeup puts items on the ready list.
const AT_ONCE: u64 = 100_000;

/// One event, as the format has it.
#[derive(Serialize)]
struct Event<'a, A: Serialize> {
    ph: &'a str,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'a str,
    /// The number of the arrow.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    /// An arrow ends in the slice around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'a str>,
    /// In which part of the view a moment is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<A>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Labels<'a> {
    labels: &'a str,
}

#[derive(Serialize)]
struct Wait {
    epoll: u32,
    n: i32,
}

#[derive(Serialize)]
struct Serve<'a> {
    epoll: u32,
    what: Option<&'a str>,
}

#[derive(Serialize)]
struct Wakeup {
    source: &'static str,
    events: String,
}

#[derive(Serialize)]
struct Ready {
    epoll: u32,
    list: &'static str,
}

#[derive(Serialize)]
struct Deliver {
    epoll: u32,
    events: String,
    nth: u16,
    ready_us: f64,
    at_most: bool,
}

#[derive(Serialize)]
struct Found<'a> {
    severity: &'a str,
    count: u64,
    fds: &'a [i32],
    evidence: &'a [String],
    advice: &'a str,
}

/// Writes trace events, one a line.
struct Trace<'a, W: Write> {
    out: &'a mut W,
    begin: u64,
    pid: u32,
    first: bool,
    arrows: u64,
}

/// Nanoseconds as microseconds. Up to 2^53 ns, which is 104 days, all digits are right.
fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

impl<W: Write> Trace<'_, W> {
    fn event<'a, A: Serialize>(&self, ph: &'a str, tid: u32, name: &'a str, args: Option<A>) -> Event<'a, A> {
        let (pid, cat) = (self.pid, "");
        Event { ph, pid, tid, ts: None, dur: None, name, cat, id: None, bp: None, s: None, args }
    }

    fn at(&self, ns: u64) -> Option<f64> {
        Some(us(ns.saturating_sub(self.begin)))
    }

    fn put<A: Serialize>(&mut self, event: &Event<'_, A>) -> io::Result<()> {
        self.out.write_all(if std::mem::take(&mut self.first) { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *self.out, event)?;
        Ok(())
    }

    fn slice<A: Serialize>(
        &mut self,
        tid: u32,
        (from, to): (u64, u64),
        name: &str,
        cat: &str,
        args: A,
    ) -> io::Result<()> {
        let dur = Some(us(to.saturating_sub(from)));
        self.put(&Event { ts: self.at(from), dur, cat, ..self.event("X", tid, name, Some(args)) })
    }

    /// One end of an arrow, or a place on its way.
    fn arrow(&mut self, ph: &str, (ns, tid): (u64, u32)) -> io::Result<()> {
        let (ts, id, bp) = (self.at(ns), Some(self.arrows), (ph != "s").then_some("e"));
        self.put(&Event { ts, id, bp, cat: "flow", ..self.event(ph, tid, "ready", None::<()>) })
    }
}

/// Writes it.
pub fn write(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    let begin = recording.processes.iter().filter_map(|process| process.events.first()).map(|entry| entry.ns);
    let version = env!("CARGO_PKG_VERSION");
    write!(out, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"made by\":\"glasspoll {version}\"}},\"traceEvents\":[")?;
    let mut trace = Trace { begin: begin.min().unwrap_or(0), pid: 0, first: true, arrows: 0, out };
    for process in &recording.processes {
        trace.pid = process.pid();
        names(process, &mut trace)?;
        slices(process, &mut trace)?;
        flow(process, &mut trace)?;
    }
    for finding in doctor::examine(recording) {
        trace.pid = finding.pid;
        let tid = finding.tids.first().copied().unwrap_or(finding.pid);
        let args = Found {
            severity: finding.severity.name(),
            count: finding.count,
            fds: &finding.fds,
            evidence: &finding.evidence,
            advice: finding.advice,
        };
        let (ts, s) = (trace.at(finding.first_ns), Some("p"));
        trace.put(&Event { ts, s, cat: "finding", ..trace.event("i", tid, &finding.title, Some(args)) })?;
    }
    writeln!(trace.out, "\n]}}")
}

fn names<W: Write>(process: &Process, trace: &mut Trace<'_, W>) -> io::Result<()> {
    let name = if process.comm.is_empty() { "process" } else { &process.comm };
    trace.put(&trace.event("M", process.pid(), "process_name", Some(Name { name })))?;
    if process.header.observed {
        let labels = Labels { labels: OBSERVED };
        trace.put(&trace.event("M", process.pid(), "process_labels", Some(labels)))?;
    }
    for (tid, name) in &process.threads {
        trace.put(&trace.event("M", *tid, "thread_name", Some(Name { name })))?;
    }
    Ok(())
}

/// What threads did from one moment to another.
fn slices<W: Write>(process: &Process, trace: &mut Trace<'_, W>) -> io::Result<()> {
    let mut spans = Vec::new();
    let replay = Replay::tell(process, |span| spans.push(span));
    let mut ends: HashMap<u32, u64> = HashMap::new();
    for Span { tid, epoll, from, to, did } in spans {
        // Times that were rounded may overlap by a nanosecond.
        let end = ends.entry(tid).or_default();
        let (from, to) = (from.max(*end), to.max(*end));
        *end = to;
        match did {
            Did::Wait(n) => trace.slice(tid, (from, to), "waiting", "wait", Wait { epoll, n })?,
            Did::Serve(key) => {
                let item = key.and_then(|key| replay.sums.items.get(&key));
                let name = item.map_or("serving".into(), |item| format!("fd {}", item.fd));
                let what = item.and_then(|item| item.what.as_deref());
                trace.slice(tid, (from, to), &name, "serve", Serve { epoll, what })?;
            }
        }
    }
    Ok(())
}

/// What happened at a moment.
fn flow<W: Write>(process: &Process, trace: &mut Trace<'_, W>) -> io::Result<()> {
    // The next event of the same thread ends a slice.
    let mut next: HashMap<u32, u64> = HashMap::new();
    let mut lengths = vec![0; process.events.len()];
    for (length, entry) in lengths.iter_mut().zip(&process.events).rev() {
        let following = next.insert(entry.tid, entry.ns);
        *length = following.map_or(MOMENT, |ns| ns.saturating_sub(entry.ns).min(MOMENT));
    }
    let mut wakeups: HashMap<i32, (u64, u32)> = HashMap::new();
    let mut ready: HashMap<Key, Vec<(u64, u32)>> = HashMap::new();
    for (entry, length) in process.events.iter().zip(lengths) {
        let (ns, tid) = (entry.ns, entry.tid);
        let time = (ns, ns.saturating_add(length));
        match entry.event {
            Station::Wakeup { fd, source, events } => {
                let args = Wakeup { source: source.name(), events: Mask(events).to_string() };
                trace.slice(tid, time, &format!("wakeup fd {fd}"), "wakeup", args)?;
                wakeups.insert(fd, (ns, tid));
            }
            Station::Ready { epoll, fd, item, overflow } => {
                let list = if overflow { "ovflist" } else { "rdllist" };
                trace.slice(tid, time, &format!("ready fd {fd}"), "ready", Ready { epoll, list })?;
                // A wakeup belongs to it if the same thread went on to it at once.
                let wakeup =
                    wakeups.get(&fd).filter(|(when, by)| *by == tid && ns.saturating_sub(*when) < AT_ONCE);
                ready
                    .entry((epoll, item))
                    .or_insert_with(|| wakeup.copied().into_iter().chain([(ns, tid)]).collect());
            }
            Station::Deliver { epoll, fd, item, events, nth, ready_ns, known } => {
                let at_most = known == Known::NotBefore;
                let (events, ready_us) = (Mask(events).to_string(), us(ready_ns));
                let args = Deliver { epoll, events, nth, ready_us, at_most };
                trace.slice(tid, time, &format!("deliver fd {fd}"), "deliver", args)?;
                if let Some(way) = ready.remove(&(epoll, item)) {
                    trace.arrows += 1;
                    for (at, place) in way.into_iter().enumerate() {
                        trace.arrow(if at == 0 { "s" } else { "t" }, place)?;
                    }
                    trace.arrow("f", (ns, tid))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::script::Script;
    use glasspoll_record::event::Source;
    use serde_json::Value;

    #[test]
    fn it_is_json_whose_slices_nest_and_whose_arrows_pair() {
        let mut script = Script::new();
        script.process.threads.insert(4711, "main \"loop\"\n".into());
        script.add(5, 1, 1).add(6, 2, 1);
        for _ in 0..5 {
            script.tid = 4712;
            script.does(Station::Wakeup { fd: 5, source: Source::Signal, events: 1 });
            script.does(Station::Ready { epoll: 1, fd: 5, item: 1, overflow: false }).after(1);
            script.does(Station::Ready { epoll: 1, fd: 6, item: 2, overflow: true });
            script.tid = 4711;
            script.wait(10, &[(5, 1, 2), (6, 2, 3)]).after(3).read(5, 7).after(4).write(6, 9).after(2);
        }
        // This event is never delivered: no arrow begins here.
        script.does(Station::Ready { epoll: 1, fd: 5, item: 1, overflow: false });
        let mut out = Vec::new();
        let recording = Recording { processes: vec![script.process], ..Recording::default() };
        write(&recording, &mut out).expect("memory");
        let trace: Value = serde_json::from_slice(&out).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events");
        let of = |ph: &str| events.iter().filter(|event| event["ph"] == ph).collect::<Vec<_>>();
        let ids = |ph| of(ph).iter().map(|event| event["id"].as_u64()).collect::<Vec<_>>();
        assert_eq!((ids("s"), ids("s").len()), (ids("f"), 10));
        assert_eq!(of("t").len(), 5);
        assert!(events.iter().any(|event| event["args"]["name"] == "main \"loop\"\n"));
        let mut slices: Vec<(u64, i64)> = of("X")
            .iter()
            .filter(|event| event["tid"] == 4711)
            .map(|event| {
                let ns = |name: &str| (event[name].as_f64().expect("a time") * 1000.0).round() as u64;
                (ns("ts"), -((ns("ts") + ns("dur")) as i64))
            })
            .collect();
        slices.sort_unstable();
        let mut open: Vec<u64> = Vec::new();
        for (from, to) in slices {
            let to = -to as u64;
            open.retain(|end| *end > from);
            assert!(open.iter().all(|end| to <= *end), "{from} {to} {open:?}");
            open.push(to);
        }
    }
}
