//! Which thread spins: a descriptor is delivered to it over and over, and not dealt with. This is only to know when a
//! look pays: `doctor::rules::spin` judges.

use glasspoll_record::event::{Event, Op};
use glasspoll_record::Entry;

/// As many deliveries in a row, for as long: less is nothing to the doctor either.
const OFTEN: u32 = 100;
const LONG_NS: u64 = 100_000_000;
/// Deliveries further apart than that are no spin.
const APART_NS: u64 = 50_000_000;
/// Larger fds than this are not followed.
const LARGEST: usize = 1 << 16;

const OUT: u32 = libc::EPOLLOUT as u32;

/// Deliveries of one fd in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    count: u32,
    tid: u32,
    first_ns: u64,
    last_ns: u64,
    /// Room to write is all that was told.
    of_room: bool,
    /// Events were lost since.
    has_gap: bool,
}

/// A thread that spins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spinning {
    pub tid: u32,
    pub fd: i32,
    pub since_ns: u64,
}

/// The runs of a process.
#[derive(Debug, Default)]
pub struct Spins {
    runs: Vec<Run>,
    /// The fd with a run that became long last.
    long: Option<i32>,
}

impl Spins {
    /// Takes an event of the process.
    pub fn event(&mut self, entry: &Entry) {
        match entry.event {
            Event::Deliver { fd, events, .. } => self.deliver(entry, fd, events & !OUT == 0),
            Event::Io { fd, op, result, errno, .. } => {
                let deals = match op {
                    Op::Read => result > 0 || i32::from(errno) == libc::EAGAIN,
                    Op::Accept => result >= 0 || i32::from(errno) == libc::EAGAIN,
                    Op::Write | Op::Connect | Op::Shutdown => true,
                    Op::Wait => false,
                };
                if let Some(run) = self.run(fd).filter(|run| deals && (op != Op::Write || run.of_room)) {
                    *run = Run::default();
                }
            }
            Event::Close { fd, .. } | Event::Dup { new: fd, .. } | Event::Release { fd, .. } => {
                if let Some(run) = self.run(fd) {
                    *run = Run::default();
                }
            }
            _ => {}
        }
    }

    fn run(&mut self, fd: i32) -> Option<&mut Run> {
        usize::try_from(fd).ok().and_then(|at| self.runs.get_mut(at))
    }

    fn deliver(&mut self, entry: &Entry, fd: i32, of_room: bool) {
        let Some(at) = usize::try_from(fd).ok().filter(|at| *at < LARGEST) else { return };
        if self.runs.len() <= at {
            self.runs.resize(at + 1, Run::default());
        }
        let run = &mut self.runs[at];
        let is_near = run.has_gap || entry.ns.saturating_sub(run.last_ns) < APART_NS;
        let goes_on = run.count > 0 && run.of_room == of_room && is_near;
        if !goes_on {
            *run = Run { first_ns: entry.ns, of_room, ..Run::default() };
        }
        run.count = run.count.saturating_add(1);
        (run.tid, run.last_ns, run.has_gap) = (entry.tid, entry.ns, false);
        if run.count >= OFTEN && run.last_ns.saturating_sub(run.first_ns) >= LONG_NS {
            self.long = Some(fd);
        }
    }

    /// The thread that spins since the last time, if one does.
    pub fn take(&mut self) -> Option<Spinning> {
        let fd = self.long.take()?;
        let run = self.run(fd).filter(|run| run.count >= OFTEN)?;
        Some(Spinning { tid: run.tid, fd, since_ns: run.first_ns })
    }

    /// Events were lost.
    pub fn gap(&mut self) {
        // What fills a ring is a spin more often than not: the run goes on, however long the gap is.
        self.runs.iter_mut().filter(|run| run.count >= OFTEN).for_each(|run| run.has_gap = true);
        self.long = None;
    }
}

#[cfg(test)]
mod tests {
    use glasspoll_record::event::Known;

    use super::*;

    fn deliver(ns: u64, fd: i32, events: u32) -> Entry {
        let known = Known::Exactly;
        Entry {
            ns,
            tid: 7,
            event: Event::Deliver { epoll: 1, fd, item: 1, events, nth: 0, ready_ns: 0, known },
        }
    }

    fn io(ns: u64, op: Op, result: i64) -> Entry {
        Entry { ns, tid: 7, event: Event::Io { fd: 4, op, result, asked: 10, errno: 0 } }
    }

    #[test]
    fn a_descriptor_that_nobody_deals_with_is_a_spin() {
        let mut spins = Spins::default();
        for n in 0..200 {
            spins.event(&deliver(n * 1_000_000, 4, 0x10));
            spins.event(&io(n * 1_000_000, Op::Read, 0));
            spins.event(&io(n * 1_000_000, Op::Write, 1));
        }
        assert_eq!(spins.take(), Some(Spinning { tid: 7, fd: 4, since_ns: 0 }));
        assert_eq!(spins.take(), None);
    }

    #[test]
    fn a_spin_that_is_too_fast_to_be_read_whole_goes_on_across_the_gaps() {
        let mut spins = Spins::default();
        for (from, found) in [(0, None), (200_000_000, Some(Spinning { tid: 7, fd: 4, since_ns: 0 }))] {
            (0..200).for_each(|n| spins.event(&deliver(from + n * 1_000, 4, 0x10)));
            assert_eq!(spins.take(), found);
            spins.gap();
        }
    }

    #[test]
    fn one_that_is_read_or_comes_seldom_is_none() {
        let mut spins = Spins::default();
        for n in 0..200 {
            spins.event(&deliver(n * 1_000_000, 4, 1));
            spins.event(&io(n * 1_000_000, Op::Read, 10));
            spins.event(&deliver(n * 60_000_000, 5, 1));
            spins.event(&deliver(n * 1_000, 6, 1));
        }
        assert_eq!(spins.take(), None);
        for n in 200..400 {
            spins.event(&deliver(n * 1_000_000, 4, OUT));
            spins.event(&io(n * 1_000_000, Op::Write, 10));
        }
        assert_eq!(spins.take(), None);
    }
}
