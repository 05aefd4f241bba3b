//! A set, from its creation to its close: which threads wait on it, and for how long.

/// A set.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// Its descriptor, if it is known; after its close, the one that it had.
    pub epfd: Option<i32>,
    /// It is a copy of the parent's.
    pub inherited: bool,
    /// When it was made, if that is known.
    pub made: Option<u64>,
    /// When it was closed.
    pub closed: Option<u64>,
    /// How many threads wait on it.
    pub waiting: usize,
    /// How many waits have begun.
    pub turns: u64,
    /// When the last one began.
    pub last_ns: u64,
    /// Since when a thread waits, if one does.
    since_ns: u64,
    /// How long a thread waited before that, in all.
    before_ns: u64,
}

/// How far a set's loop was at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    ns: u64,
    waited: u64,
    turns: u64,
}

/// A loop that goes round this often has looked at all that it means to look at.
const TURNS: u64 = 10;

impl Set {
    /// How far its loop is.
    pub fn mark(&self, ns: u64) -> Mark {
        Mark { ns, waited: self.waited(ns), turns: self.turns }
    }

    /// For how long its loop has gone on since: it slept in waits, or it went round. A process that is stopped, or
    /// a thread that is busy with something else, does not.
    pub fn went_on(&self, since: Mark, now_ns: u64) -> u64 {
        let waited = self.waited(now_ns).saturating_sub(since.waited);
        let is_round = self.turns.saturating_sub(since.turns) >= TURNS;
        if is_round {
            waited.max(now_ns.saturating_sub(since.ns))
        } else {
            waited
        }
    }

    /// One that is made at `ns`.
    pub(super) fn of(epfd: i32, inherited: bool, ns: u64) -> Self {
        Self { epfd: Some(epfd), inherited, made: Some(ns), ..Self::default() }
    }

    /// How long a thread has waited on it, in all.
    pub fn waited(&self, now_ns: u64) -> u64 {
        let now = if self.waiting > 0 { now_ns.saturating_sub(self.since_ns) } else { 0 };
        self.before_ns.saturating_add(now)
    }

    pub(super) fn enter(&mut self, ns: u64) {
        if self.waiting == 0 {
            self.since_ns = ns;
        }
        self.waiting += 1;
    }

    pub(super) fn leave(&mut self, ns: u64) {
        if self.waiting == 1 {
            self.before_ns = self.waited(ns);
        }
        self.waiting = self.waiting.saturating_sub(1);
    }
}
