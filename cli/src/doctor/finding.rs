//! What the doctor says: a finding, and the classes of bugs that it is of.

use std::collections::BTreeSet;

use crate::symbols::Frame;
use crate::text::units::count;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Severity {
    /// Worth knowing; the program may intend it.
    Note,
    /// Most likely a bug, or one that did no harm yet.
    Warning,
    /// Surely a bug, and it had consequences.
    Error,
}

impl Severity {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One bug, as seen in a record. Times are CLOCK_MONOTONIC, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The number of the class.
    pub class: u8,
    /// The name of the class.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in one line, with numbers.
    pub title: String,
    /// The evidence.
    pub evidence: Vec<String>,
    /// What to do.
    pub advice: &'static str,
    /// What the record cannot tell.
    pub unknown: Option<String>,
    /// The process.
    pub pid: u32,
    /// When it was seen first.
    pub first_ns: u64,
    /// And last.
    pub last_ns: u64,
    /// How often.
    pub count: u64,
    /// The descriptors.
    pub fds: Vec<i32>,
    /// The threads.
    pub tids: Vec<u32>,
    /// Which code added the descriptors to a set, if that is recorded.
    pub code: Vec<Code>,
    /// What shows more of that code.
    pub hint: Option<String>,
    /// It depends on what its descriptors are, in words. What is not known is no finding then.
    pub only: Option<fn(&str) -> bool>,
    /// It tells of time alone, and that it was then: it is a note if the process had no processor.
    pub timed: Option<Timed>,
}

/// What took this long asleep in the kernel took it by itself, however busy the machine is.
pub const BY_ITSELF_NS: u64 = 500_000_000;

/// When what a finding tells took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    pub from_ns: u64,
    pub to_ns: u64,
    /// The thread was looked at meanwhile: what it did is known.
    pub is_seen: bool,
    /// It tells that something was left for so long, and so it was if this much is left of the time without what its
    /// threads had no processor for.
    pub enough_ns: Option<u64>,
}

/// The code that added descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The descriptors.
    pub fds: Vec<i32>,
    /// The functions, the innermost first.
    pub frames: Vec<Frame>,
    /// There are more frames than were recorded.
    pub goes_on: bool,
}

impl Code {
    /// The function that called epoll_ctl(2), if its source is known.
    pub fn source(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.file.is_some())
    }
}

impl Finding {
    /// A finding of a class, without evidence yet.
    pub fn new(class: u8, severity: Severity, pid: u32, title: String, tally: &Tally) -> Self {
        let known = CLASSES.iter().find(|(number, ..)| *number == class);
        let (_, name, advice) = *known.unwrap_or(&CLASSES[0]);
        Self {
            class,
            name,
            severity,
            title,
            evidence: Vec::new(),
            advice,
            unknown: None,
            pid,
            first_ns: tally.first_ns,
            last_ns: tally.last_ns,
            count: tally.count,
            fds: tally.fds.iter().copied().collect(),
            tids: tally.tids.iter().copied().collect(),
            code: Vec::new(),
            hint: None,
            only: None,
            timed: None,
        }
    }

    /// Adds a line of evidence.
    pub fn because(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// It tells of nothing but that something took long, then.
    pub fn timed(mut self, from_ns: u64, to_ns: u64, is_seen: bool) -> Self {
        self.timed = Some(Timed { from_ns, to_ns, is_seen, enough_ns: None });
        self
    }

    /// It tells that nothing was done about something, then, while a process that gets to run does so sooner than this.
    pub fn left_for(mut self, from_ns: u64, to_ns: u64, enough_ns: u64) -> Self {
        self.timed = Some(Timed { from_ns, to_ns, is_seen: true, enough_ns: Some(enough_ns) });
        self
    }

    /// Adds what the record cannot tell.
    pub fn unknown(mut self, what: impl Into<String>) -> Self {
        self.unknown = Some(what.into());
        self
    }
}

/// The number and the name of each class, and what to do about it, in the order of their numbers.
pub const CLASSES: &[(u8, &str, &str)] = &[
    (
        1,
        "closed while a dup lives on",
        "Take the descriptor out of the set with EPOLL_CTL_DEL before close(2): closing it does not, as long as another descriptor of the same file is open.",
    ),
    (
        2,
        "edge not drained",
        "With EPOLLET, read or accept until EAGAIN before the next wait, or remember that more may be there.",
    ),
    (
        3,
        "hang-up spin",
        "Treat EPOLLHUP, EPOLLERR and a read of 0 as the end: close the descriptor or take it out of the set.",
    ),
    (
        4,
        "EPOLLOUT left armed",
        "Ask for EPOLLOUT only while there is something to write, and take it back with EPOLL_CTL_MOD once all is written.",
    ),
    (
        5,
        "one-shot not re-armed",
        "Re-arm with EPOLL_CTL_MOD on every way out of the handler, errors included.",
    ),
    (
        6,
        "descriptor reuse, ctl race",
        "Let one owner add, change and remove a descriptor, and remove it before it is closed, so that no number is taken for an earlier file.",
    ),
    (
        7,
        "stale event in the batch",
        "When a handler closes another descriptor, strike that one's events from the rest of the batch, or put the closing off to the end of it.",
    ),
    (
        8,
        "set shared over fork",
        "Create the set anew in the child, and open it with EPOLL_CLOEXEC: what the child changes in an inherited set, it changes for its parent.",
    ),
    (
        9,
        "thundering herd",
        "Wake one: EPOLLEXCLUSIVE for a shared listener, a listener for each worker with SO_REUSEPORT, or one thread that accepts for all.",
    ),
    (
        10,
        "imbalance among waiters",
        "Spread the connections: a listener for each worker with SO_REUSEPORT, fewer accepts in a turn, or handing connections over to the idle workers.",
    ),
    (
        11,
        "timeout truncated to 0",
        "Round the time to the next timer up, not down, when it is made the milliseconds of epoll_wait(2); or use epoll_pwait2(2) or a timerfd.",
    ),
    (
        12,
        "accept meets the descriptor limit",
        "Raise the limit (ulimit -n), and on EMFILE take the listener out of the set until a descriptor is closed again.",
    ),
    (
        13,
        "regular file in the set",
        "Do not add regular files: they are always ready; read them directly or in a thread.",
    ),
    (
        14,
        "starved behind small batches",
        "Ask for more events at once (maxevents of some hundreds), or do less for each event before the next wait.",
    ),
    (
        15,
        "wait not retried after EINTR",
        "Take EINTR for no error: go back to the wait, after looking at what the signal handler has set.",
    ),
    (
        16,
        "slow callback",
        "Move the long work to another thread, or do it in pieces with waits between them.",
    ),
    (
        17,
        "double close",
        "Close each descriptor in one place alone, and forget its number there (set it to -1).",
    ),
    (
        18,
        "ready and not dealt with",
        "Read what is there until it is gone, or take the descriptor out of the set for as long as it is not to be read.",
    ),
    (
        19,
        "refused write not taken up",
        "After EAGAIN ask for EPOLLOUT, keep it until all is written, and arm a one-shot item again on every way out of the handler.",
    ),
    (
        20,
        "one descriptor keeps the loop",
        "Read a bounded amount for each event, and come back to the rest after a wait: by level triggering, EPOLL_CTL_MOD, or a list of the program's own.",
    ),
    (
        21,
        "timeout begun anew after EINTR",
        "After EINTR wait for what is left of the timeout: keep the moment at which it ends, not its length.",
    ),
    (
        22,
        "waits for nothing",
        "Wait until the next timer, or for ever, and have other threads wake the loop by an eventfd.",
    ),
    (
        23,
        "two threads serve one descriptor",
        "With several threads on one set use EPOLLONESHOT and arm the item again when its handler is done, or give each descriptor to one thread.",
    ),
    (
        24,
        "epoll instances pile up",
        "Close each epoll descriptor when its last item is served, or use one for all.",
    ),
    (
        25,
        "blocking call in the loop",
        "Make the call in another thread, or wait for its result in the loop.",
    ),
    (
        26,
        "accept queue overflows",
        "Come back to the listener sooner, or give listen(2) a larger backlog and raise net.core.somaxconn.",
    ),
    (
        27,
        "descriptors taken in and never touched",
        "Serve or close each connection that accept(2) returns and each descriptor that comes with a message, on the ways out for errors too.",
    ),
];

/// The most descriptors, and threads, that a finding names.
pub const NAMED: usize = 16;

/// How often something was seen, when, and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// When first.
    pub first_ns: u64,
    /// When last.
    pub last_ns: u64,
    /// On which descriptors: some of them.
    pub fds: BTreeSet<i32>,
    /// By which threads: some of them.
    pub tids: BTreeSet<u32>,
}

impl Tally {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Seen once, and so until `until_ns`.
    pub fn once(ns: u64, until_ns: u64, fd: i32, tid: u32) -> Self {
        let mut tally = Self::new();
        tally.add(ns, fd, tid);
        tally.last_ns = until_ns;
        tally
    }

    /// Seen once more.
    pub fn add(&mut self, ns: u64, fd: i32, tid: u32) {
        if self.count == 0 {
            self.first_ns = ns;
        }
        self.count += 1;
        self.last_ns = self.last_ns.max(ns);
        self.with_fd(fd);
        self.with_tid(tid);
    }

    /// Adds a descriptor that it concerns; a negative fd adds nothing.
    pub fn with_fd(&mut self, fd: i32) {
        if fd >= 0 && self.fds.len() < NAMED {
            self.fds.insert(fd);
        }
    }

    /// Adds a thread that it concerns; 0 adds nothing.
    pub fn with_tid(&mut self, tid: u32) {
        if tid != 0 && self.tids.len() < NAMED {
            self.tids.insert(tid);
        }
    }

    /// How long it went on.
    pub fn lasted(&self) -> u64 {
        self.last_ns.saturating_sub(self.first_ns)
    }
}

/// How often a second, as in `4,000/s`; nothing if it was too short to tell, or less than once.
pub fn rate(tally: &Tally) -> String {
    let each_second = tally.count as f64 * 1e9 / tally.lasted().max(1) as f64;
    match tally.lasted() {
        0..=999_999 => String::new(),
        _ if each_second < 1.0 => String::new(),
        _ => format!(", {}/s", count(each_second as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_has_no_rate() {
        let of = |count, seconds: u64| Tally { count, last_ns: seconds * 1_000_000_000, ..Tally::new() };
        assert_eq!([of(57, 3), of(3, 60), of(3, 0)].map(|tally| rate(&tally)), [", 19/s", "", ""]);
    }

    #[test]
    fn a_tally_keeps_first_and_last_and_names_no_more_than_some() {
        let mut tally = Tally::new();
        for n in 0..100 {
            tally.add(10 + n, n as i32, 1);
        }
        assert_eq!((tally.count, tally.first_ns, tally.last_ns), (100, 10, 109));
        assert_eq!(tally.fds.len(), NAMED);
        assert_eq!(tally.lasted(), 99);
    }
}
