//! A process that was running before we came: its ring.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use glasspoll_record::find::{self, Missing};
use glasspoll_record::ring::Live;
use glasspoll_record::stream::Stream;
use glasspoll_record::{clock, Event};

use crate::procfs::describe::Files;
use crate::procfs::names;
use crate::program::ENDING;
use crate::sample::Sampler;
use crate::sys;
use crate::sys::signals::Signals;
use crate::top::known::Known;

/// Describing files takes at most this part of the time: 1 / `SHARE`.
const SHARE: u32 = 20;

/// A process that was running before we came.
pub struct Running {
    pid: u32,
    exit: Option<OwnedFd>,
    pub(super) signals: Signals,
    stream: Stream,
    sampler: Sampler,
    /// The number of the ring: one more after each exec.
    ring: u32,
    lost: u64,
    is_over: bool,
    /// The process has called exec: the new program gets a ring of its own when it makes a set.
    execs: bool,
    files_due: Instant,
}

impl Running {
    pub(super) fn open(pid: u32, ptrace: bool, known: &mut Known) -> Result<Self, String> {
        let failed = |missing: Missing| format!("process {pid}: {missing}");
        let live = find::open(pid).map_err(failed)?;
        let exit = sys::pidfd(pid).ok();
        let signals = Signals::take(&ENDING).map_err(|error| format!("signalfd: {error}"))?;
        let mut running = Self {
            pid,
            exit,
            signals,
            stream: Stream::new(live),
            sampler: Sampler::new(ptrace),
            ring: 0,
            lost: 0,
            is_over: false,
            execs: false,
            files_due: Instant::now(),
        };
        running.begin(known);
        Ok(running)
    }

    fn begin(&mut self, known: &mut Known) {
        let live = self.stream.live();
        self.sampler.begin(self.ring, self.pid, live.header());
        let table = live.read_items().map(|(_, items)| items).unwrap_or_default();
        let model = known.begin(self.ring, live.header(), &table);
        model.pid = self.pid;
        model.comm = names::comm(self.pid).unwrap_or_default();
        model.command = names::command(self.pid).unwrap_or_default();
    }

    pub(super) fn poll(&mut self, known: &mut Known) -> io::Result<()> {
        let was_over = self.is_over;
        // Ask first, then read: if the process has ended, the read has all that it did.
        self.is_over = match &self.exit {
            Some(exit) => sys::wait_readable(&[exit.as_fd()], Duration::ZERO) == [true],
            None => true,
        };
        let events = self.stream.poll()?;
        let lost = self.stream.lost_blocks - self.lost;
        for sample in self.sampler.take(self.ring, &events, lost != 0) {
            known.sample(self.ring, &sample);
        }
        for (ring, sample) in self.sampler.told() {
            known.sample(ring, &sample);
        }
        known.lost(self.ring, lost);
        self.lost = self.stream.lost_blocks;
        self.execs |= events.iter().any(|entry| entry.event == Event::Exec);
        known.events(self.ring, &events);
        if self.is_over && !was_over {
            known.ended(self.ring, "ended".into(), clock::now_ns());
            self.sampler.end(self.ring);
        }
        Ok(())
    }

    pub(super) fn look(&mut self, known: &mut Known) {
        if self.execs && !self.is_over {
            self.follow_exec(known);
        }
        self.look_at_items(known);
        if self.is_over {
            return;
        }
        let Some(model) = known.models.get_mut(&self.ring) else { return };
        for this in &model.sums.loops {
            model.threads.entry(this.tid).or_insert_with(|| {
                names::thread(self.pid, this.tid).filter(|name| !name.is_empty()).unwrap_or("thread".into())
            });
        }
        let begin = Instant::now();
        if begin >= self.files_due {
            let unnamed = model.unnamed();
            let sets =
                known.world(self.ring).map(|world| world.sets.values().filter_map(|set| set.epfd).collect());
            let mut files = Files::of(self.pid, sets.unwrap_or_default());
            for fd in unnamed {
                if let Some(what) = files.describe(fd) {
                    known.name(self.ring, fd, &what);
                }
            }
            self.files_due = Instant::now() + begin.elapsed() * SHARE;
        }
    }

    fn look_at_items(&mut self, known: &mut Known) {
        // A file that cannot be read is tried again at the next look.
        if let Ok((_, items)) = self.stream.live().read_items() {
            known.items(self.ring, items, clock::now_ns());
        }
    }

    fn follow_exec(&mut self, known: &mut Known) {
        let is_new = |live: &Live| live.header().begin != self.stream.live().header().begin;
        if let Some(live) = find::open(self.pid).ok().filter(is_new) {
            known.ended(self.ring, "became another program".into(), clock::now_ns());
            self.stream = Stream::new(live);
            (self.execs, self.lost) = (false, 0);
            self.sampler.end(self.ring);
            self.ring += 1;
            self.begin(known);
        }
    }
}
