//! `dump`: prints a record, an event a line, as text or as JSON.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use glasspoll_record::event::{Event, Injection, Known, Mask, Op};
use glasspoll_record::layout;
use glasspoll_record::{Entry, Process, Recording};
use serde_json::{json, Map, Value};

use crate::args::Dump;
use crate::collect::snapshot::Snapshot;
use crate::collect::source::Source;
use crate::commands::attach;
use crate::text::units::{clean, count, counted, errno};
use crate::text::{span, SHARED};

pub fn main(args: &Dump) -> Result<ExitCode, String> {
    let processes = match Source::of(&args.from) {
        Source::File(path) => {
            attach::no_process(&args.attachment)?;
            let recording = Recording::open(&path)?;
            if let Some(trouble) = recording.trouble {
                eprintln!("glasspoll: {}: {trouble}", path.display());
            }
            recording.processes
        }
        Source::Process(pid) => {
            let look = attach::look(pid, &args.attachment, None)?;
            if let Some(look) = &look {
                look.wait(args.period.period);
            }
            let snapshot = Snapshot::of(pid);
            if let Some(look) = look {
                look.end();
            }
            match snapshot {
                Ok(snapshot) => vec![snapshot.process],
                Err(missing) => {
                    eprintln!("glasspoll: process {pid}: {missing}");
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = print(&processes, args.json, &mut out).and_then(|()| out.flush());
    written.map_err(|error| format!("stdout: {error}"))?;
    for process in &processes {
        say_what_is_missing(process);
    }
    Ok(ExitCode::SUCCESS)
}

fn say_what_is_missing(process: &Process) {
    let who = format!("{} {}", clean(&process.comm), process.pid());
    let lost = layout::records(process.lost_blocks);
    if lost != 0 {
        eprintln!(
            "glasspoll: {who}: up to {} events more were overwritten before they were read",
            count(lost)
        );
    }
    if process.torn != 0 {
        eprintln!("glasspoll: {who}: left out, because torn: {}", counted(process.torn, "record"));
    }
}

/// Prints the events of all processes, in the order of time.
pub fn print(processes: &[Process], as_json: bool, out: &mut impl Write) -> io::Result<()> {
    let mut order: Vec<(u64, u32, u32)> = Vec::new();
    for (at, process) in processes.iter().enumerate() {
        order.extend(process.events.iter().enumerate().map(|(n, entry)| (entry.ns, at as u32, n as u32)));
    }
    order.sort_unstable();
    let begin = order.first().map_or(0, |(ns, ..)| *ns);
    for (_, process, entry) in order {
        let process = &processes[process as usize];
        let entry = &process.events[entry as usize];
        if as_json {
            print_json(process, entry, out)?;
        } else {
            print_text(process, entry, begin, out)?;
        }
    }
    Ok(())
}

/// A field of an event: as text, and as JSON.
enum Field {
    Number(i64),
    /// The `data` of an item, as the program gave it.
    Data(u64),
    Mask(u32),
    Errno(u16),
    Word(&'static str),
    Yes(bool),
    /// Nanoseconds; text has a unit.
    Time(u64),
    /// Nanoseconds; -1 means for ever.
    Timeout(i64),
}

impl Field {
    fn text(&self) -> String {
        match *self {
            Field::Number(number) => number.to_string(),
            Field::Data(data) => format!("{data:#x}"),
            Field::Mask(mask) => Mask(mask).to_string(),
            Field::Errno(number) => errno(number),
            Field::Word(word) => word.into(),
            Field::Yes(yes) => if yes { "yes" } else { "no" }.into(),
            Field::Time(ns) => span(ns).replace(' ', ""),
            Field::Timeout(ns) => u64::try_from(ns).map_or("forever".into(), |ns| span(ns).replace(' ', "")),
        }
    }

    fn json(&self) -> Value {
        match *self {
            Field::Number(number) | Field::Timeout(number) => number.into(),
            Field::Data(number) | Field::Time(number) => number.into(),
            Field::Yes(yes) => yes.into(),
            Field::Mask(_) | Field::Errno(_) | Field::Word(_) => self.text().into(),
        }
    }
}

/// The station, its fields, and the descriptor that it is about.
fn parts(process: &Process, event: Event) -> (&'static str, Vec<(&'static str, Field)>, Option<i32>) {
    let number = |value: i32| Field::Number(value.into());
    let epoll = |value: u32| ("epoll", Field::Number(value.into()));
    let fd = |value: i32| ("fd", Field::Number(value.into()));
    let item = |value: u32| ("item", Field::Number(value.into()));
    let source = |value: glasspoll_record::event::Source| ("source", Field::Word(value.name()));
    let (name, mut fields, about, errno) = match event {
        Event::Create { epoll: set, epfd, inherited } => {
            let observed = Field::Yes(process.header.observed);
            let inherited = Field::Yes(inherited);
            let fields =
                vec![epoll(set), ("epfd", number(epfd)), ("inherited", inherited), ("observed", observed)];
            ("create", fields, None, 0)
        }
        Event::Ctl { epoll: set, op, fd: about, events, data, errno, item: serial } => {
            let op = ("op", Field::Word(op.map_or("?", |op| op.name())));
            let rest =
                [fd(about), ("events", Field::Mask(events)), ("data", Field::Data(data)), item(serial)];
            ("ctl", [epoll(set), op].into_iter().chain(rest).collect(), Some(about), errno)
        }
        Event::Arm { fd: about, source: by, on } => {
            (if on { "arm" } else { "disarm" }, vec![fd(about), source(by)], Some(about), 0)
        }
        Event::Wakeup { fd: about, source: by, events } => {
            ("wakeup", vec![fd(about), source(by), ("events", Field::Mask(events))], Some(about), 0)
        }
        Event::Ready { epoll: set, fd: about, item: serial, overflow } => {
            let list = Field::Word(if overflow { "ovflist" } else { "rdllist" });
            ("ready", vec![epoll(set), fd(about), item(serial), ("list", list)], Some(about), 0)
        }
        Event::WaitEnter { epoll: set, maxevents, timeout_ns } => {
            let most = ("maxevents", Field::Number(maxevents.into()));
            ("wait_enter", vec![epoll(set), most, ("timeout_ns", Field::Timeout(timeout_ns))], None, 0)
        }
        Event::Deliver { epoll: set, fd: about, item: serial, events, nth, ready_ns, known } => {
            let exactly = ("exact", Field::Yes(known == Known::Exactly));
            let fields = vec![
                epoll(set),
                fd(about),
                ("events", Field::Mask(events)),
                item(serial),
                ("nth", Field::Number(nth.into())),
                ("ready_ns", Field::Time(ready_ns)),
                exactly,
            ];
            ("deliver", fields, Some(about), 0)
        }
        Event::WaitReturn { epoll: set, n, waited_ns } => {
            let waited = ("waited_ns", Field::Time(waited_ns));
            let errno = u16::try_from(n.saturating_neg()).unwrap_or(0);
            ("wait_return", vec![epoll(set), ("n", number(n.max(-1))), waited], None, errno)
        }
        Event::Release { fd: about, items, shared } => {
            let fields =
                vec![fd(about), ("items", Field::Number(items.into())), ("shared", Field::Yes(shared))];
            ("release", fields, Some(about), 0)
        }
        Event::Close { fd: about, lives_as, errno } => {
            ("close", vec![fd(about), ("lives_as", number(lives_as))], Some(about), errno)
        }
        Event::CloseUnwatched { fd: about, maker } => {
            let watched = ("watched", Field::Yes(false));
            ("close", vec![fd(about), watched, ("maker", Field::Number(maker.into()))], Some(about), 0)
        }
        Event::Dup { old, new } => ("dup", vec![("old", number(old)), ("new", number(new))], Some(old), 0),
        Event::Io { fd: about, op, result, asked, errno } => {
            let mut fields = vec![fd(about), ("result", Field::Number(result))];
            if matches!(op, Op::Read | Op::Write) {
                fields.push(("asked", Field::Number(asked as i64)));
            }
            (op.name(), fields, Some(about), errno)
        }
        Event::Fork { child } => ("fork", vec![("child", number(child))], None, 0),
        Event::Exec => ("exec", Vec::new(), None, 0),
        Event::Chaos { epoll: set, wait, what, fd: about, amount } => {
            let mut fields =
                vec![epoll(set), ("wait", Field::Number(wait.into())), ("what", Field::Word(what.name()))];
            match what {
                Injection::Short => fields.push(("left", Field::Number(amount.into()))),
                Injection::Reorder => fields.push(("moved", Field::Number(amount.into()))),
                Injection::Delay | Injection::Eintr => {
                    fields.push(("after_ns", Field::Time(u64::from(amount) * 1_000)));
                }
                Injection::Spurious | Injection::Coalesce | Injection::Repeat => {
                    fields.extend([fd(about), ("events", Field::Mask(amount))]);
                }
            }
            ("chaos", fields, (about >= 0).then_some(about), 0)
        }
        Event::Blocked { fd: about, call, ns, result, errno } => {
            let took = ("took_ns", Field::Time(ns));
            let fields =
                vec![("call", Field::Word(call.name())), fd(about), took, ("result", Field::Number(result))];
            ("blocked", fields, (about >= 0).then_some(about), errno)
        }
        Event::WaitedForNothing { epoll: set, maxevents } => {
            ("wait_nothing", vec![epoll(set), ("maxevents", Field::Number(maxevents.into()))], None, 0)
        }
    };
    if errno != 0 {
        fields.push(("errno", Field::Errno(errno)));
    }
    (name, fields, about)
}

fn print_text(process: &Process, entry: &Entry, begin: u64, out: &mut impl Write) -> io::Result<()> {
    let (name, fields, about) = parts(process, entry.event);
    let at = entry.ns - begin;
    let (seconds, nanos) = (at / 1_000_000_000, at % 1_000_000_000);
    write!(out, "{seconds:4}.{nanos:09} {}/{} {name:<11}", process.pid(), entry.tid)?;
    for (key, field) in fields {
        // The text has a unit.
        write!(out, " {}={}", key.trim_end_matches("_ns"), field.text())?;
    }
    let file = about.and_then(|fd| process.file_at(fd, entry.ns)).map(clean);
    let lives = matches!(entry.event, Event::Release { shared: true, .. }).then(|| SHARED.to_owned());
    let notes: Vec<String> = file.into_iter().chain(lives).collect();
    match notes.is_empty() {
        true => writeln!(out),
        false => writeln!(out, "  ({})", notes.join("; ")),
    }
}

fn print_json(process: &Process, entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let (name, fields, about) = parts(process, entry.event);
    let unix = process.header.realtime.saturating_add(entry.ns.saturating_sub(process.header.begin.ns));
    let mut line = Map::new();
    for (key, value) in [
        ("ns", json!(entry.ns)),
        ("unix_ns", json!(unix)),
        ("pid", json!(process.pid())),
        ("tid", json!(entry.tid)),
        ("event", json!(name)),
    ] {
        line.insert(key.into(), value);
    }
    line.extend(fields.iter().map(|(key, field)| ((*key).to_owned(), field.json())));
    if let Some(file) = about.and_then(|fd| process.file_at(fd, entry.ns)) {
        line.insert("file".into(), file.into());
    }
    writeln!(out, "{}", Value::Object(line))
}
