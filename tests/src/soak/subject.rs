//! A server on one of the two epolls, with its clients and its measurements.

use super::asker::{page, PAGES};
use super::crowd::{Address, Crowd, Shed};
use super::fault::{Book, Fault, Report};
use super::kind::{self, Kind};
use super::proc::{self, Usage};
use crate::{Mode, Server};
use glasspoll_record::event::Known;
use glasspoll_record::histogram::Histogram;
use glasspoll_record::stream::Stream;
use glasspoll_record::{find, Event};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A measurement at rest.
#[derive(Clone, Copy, Debug)]
pub struct AtRest {
    /// How long after the start.
    pub at: Duration,
    /// What it used.
    pub usage: Usage,
}

/// All measurements.
#[derive(Debug, Default)]
pub struct Seen {
    /// After a while with no connections except those that are kept.
    pub at_rest: Vec<AtRest>,
    /// How often all its threads together went to sleep in a second, in each idle window.
    pub wakeups: Vec<f64>,
    /// Which threads woke, and how often, in the last idle window.
    pub woken: String,
    /// The maximum of each value.
    pub most: Usage,
    /// The time from becoming ready to being delivered, where it is known exactly.
    pub ready: Histogram,
    /// The same, where only an upper bound is known.
    pub bound: Histogram,
    streams: BTreeMap<u32, Stream>,
}

/// A server under test.
pub struct Subject {
    /// Which server.
    pub kind: Kind,
    /// On which epoll.
    pub mode: Mode,
    /// Its folder.
    pub dir: PathBuf,
    /// The server itself.
    pub server: Server,
    /// Its clients.
    pub crowd: Mutex<Crowd>,
    /// When it may close connections.
    pub shed: Arc<Shed>,
    /// Where faults are reported.
    pub report: Report,
    /// The measurements.
    pub seen: Mutex<Seen>,
    /// How often tokio's server got a signal.
    pub signals: Mutex<u64>,
}

/// The pages that HTTP servers serve.
pub fn pages() -> Arc<Vec<Arc<[u8]>>> {
    Arc::new(PAGES.iter().map(|(_, length)| page(*length).into()).collect())
}

impl Subject {
    /// Starts one in a folder of its own below `dir`.
    pub fn start(
        kind: Kind,
        mode: Mode,
        dir: &std::path::Path,
        book: &Arc<Book>,
        deadline: Duration,
    ) -> Self {
        let epoll = if mode == Mode::Native { "kernel" } else { "glasspoll" };
        let dir = dir.join(format!("{}-{epoll}", kind.name()));
        fs::create_dir_all(&dir).expect("our own directory");
        let server = kind.start(mode, &dir);
        let report = Report::new(book, kind, mode, &dir, server.pid());
        let address = Address { kind, port: server.port, socket: kind.socket(&dir) };
        let crowd = Crowd::new(address, pages(), deadline, report.clone(), "c");
        let shed = crowd.shed.clone();
        let (crowd, seen, signals) = (Mutex::new(crowd), Mutex::default(), Mutex::new(0));
        Self { kind, mode, dir, server, crowd, shed, report, seen, signals }
    }

    /// Its processes.
    pub fn pids(&self) -> Vec<u32> {
        proc::pids(self.server.pid(), &self.dir)
    }

    /// The process that must live as long as the run.
    pub fn main_pid(&self) -> Option<u32> {
        match self.kind {
            Kind::Nginx => kind::master(&self.dir).map(|pid| pid as u32),
            _ => Some(self.server.pid()),
        }
    }

    /// Whether its main process lives.
    pub fn lives(&self) -> bool {
        self.main_pid().is_none_or(proc::lives)
    }

    /// Measures what it uses now, and reads what its processes have recorded.
    pub fn look(&self) {
        let pids = self.pids();
        let usage = proc::usage(&pids);
        let mut seen = self.seen.lock().expect("nobody panics with it");
        let most = &mut seen.most;
        most.bytes = most.bytes.max(usage.bytes);
        most.descriptors = most.descriptors.max(usage.descriptors);
        most.threads = most.threads.max(usage.threads);
        most.queued = most.queued.max(usage.queued);
        most.queue = usage.queue;
        if self.mode == Mode::Preloaded {
            seen.read_records(&pids);
        }
    }

    /// Measures what it uses at rest.
    pub fn rest(&self, at: Duration) {
        let mut usage = proc::usage(&self.pids());
        // The descriptors of the connections that clients keep do not count.
        let kept = self.crowd.lock().expect("nobody panics with it").connections();
        usage.descriptors = usage.descriptors.saturating_sub(kept);
        self.seen.lock().expect("nobody panics with it").at_rest.push(AtRest { at, usage });
    }

    /// Judges its output and logs.
    pub fn check_logs(&self) {
        let errors = self.server.stderr();
        let suspicious = |line: &&str| {
            line.contains("glasspoll")
                || line.contains("panicked")
                || self.kind == Kind::Node && !line.is_empty()
        };
        let mut said: Vec<String> = errors.lines().filter(suspicious).map(str::to_owned).collect();
        if self.kind == Kind::Nginx {
            let log = fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
            let bad = ["exited on signal", "[emerg]", "[crit]", "glasspoll"];
            said.extend(
                log.lines().filter(|line| bad.iter().any(|word| line.contains(word))).map(str::to_owned),
            );
        }
        if self.kind == Kind::Redis {
            let log = self.server.stdout();
            let bad = ["BUG REPORT", "ASSERTION", "crashed", "Can't save"];
            said.extend(
                log.lines().filter(|line| bad.iter().any(|word| line.contains(word))).map(str::to_owned),
            );
        }
        let clients = fs::read_to_string(self.dir.join("clients.log")).unwrap_or_default();
        said.extend(clients.lines().map(str::to_owned));
        said.into_iter().take(5).for_each(|line| self.report.tell(Fault::Said, line));
    }
}

impl Seen {
    fn read_records(&mut self, pids: &[u32]) {
        self.streams.retain(|pid, _| pids.contains(pid));
        for pid in pids {
            if !self.streams.contains_key(pid) {
                if let Ok(live) = find::open(*pid) {
                    self.streams.insert(*pid, Stream::new(live));
                }
            }
        }
        for stream in self.streams.values_mut() {
            for entry in stream.poll().unwrap_or_default() {
                if let Event::Deliver { ready_ns, known, .. } = entry.event {
                    match known {
                        Known::Exactly => self.ready.add(ready_ns),
                        _ => self.bound.add(ready_ns),
                    }
                }
            }
        }
    }
}
