//! Files are made, end, move to other fds, and are closed, while other threads write and wait.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::broker::broker;
use super::calls;
use super::cookies::{Target, EDGE, ONESHOT};
use super::fault::Fault;
use super::files::{Kind, Traits};
use super::threads::Deed;
use super::waiting::Me;
use super::world::{alone, lock, shared, Pair};

const OUT: u32 = libc::EPOLLOUT as u32;

impl Me<'_> {
    fn traits(&mut self, slot: usize) -> Traits {
        let plan = &self.world.plan;
        let mut kind = self.random.pick(&plan.kinds);
        // A lost event of a pulse would count as deaf, not as lost.
        let pulses = !self.world.options.fault.is_some_and(Fault::loses);
        if kind == Kind::Ticker && !pulses {
            kind = Kind::Timerfd;
        }
        // A signalfd belongs to its process. Closing an inotify takes the kernel so long that the broker would do
        // nothing else.
        let shared = !matches!(kind, Kind::Signalfd | Kind::Inotify) && self.random.chance(plan.shared);
        let pulse = kind == Kind::Ticker || pulses && self.random.chance(plan.pulse);
        let period = Duration::from_micros(self.random.pick(&[20, 50, 100, 300, 1000, 5000]));
        let flow = kind.ends() && !shared && !pulse && self.random.chance(plan.flow);
        // All signalfds of a process share one wait queue, so a wakeup of one may go to the exclusive item of another.
        let exclusive = kind != Kind::Signalfd && self.random.chance(plan.exclusive);
        Traits { kind, slot, flow, exclusive, pulse, shared, exposed: shared || plan.children, period }
    }

    /// Fills an empty slot, and adds the file to a set or two; other threads may add it at the same time.
    pub fn make_file(&mut self, slot: usize) {
        let world = self.world;
        {
            let mut pair = alone(&world.slots[slot].pair);
            if pair.is_some() {
                return;
            }
            let traits = self.traits(slot);
            let (kind, flow) = (traits.kind, traits.flow);
            let Some(file) = world.new_file(traits) else { return };
            self.status.now(Deed::Make, 0);
            let made = {
                let _fds = shared(&world.fds);
                if traits.shared {
                    broker().make(file, traits)
                } else {
                    kind.make(slot)
                }
            };
            self.status.now(Deed::Nothing, 0);
            let Some([reader, writer]) = made else { return };
            if kind == Kind::Ticker {
                world.file(file).start(reader);
            }
            self.set_anew(reader, file);
            world.slots[slot].current.store(file + 1, SeqCst);
            *pair = Some(Pair { file, kind, reader, writer, orphans: Vec::new() });
            if flow {
                let set = self.random.below(world.sets.len());
                let epoll = shared(&world.sets[set].epoll);
                let mask = OUT | self.random.pick(&[EDGE, EDGE, ONESHOT]);
                let item = self.add(&epoll, set, writer, Target::Writer { slot, file }, mask);
                *lock(&world.slots[slot].out) = Some(item);
            }
        }
        for _ in 0..1 + self.random.below(2) {
            let set = self.random.below(world.sets.len());
            self.change_item(slot, set);
        }
    }

    /// Closes the writing end.
    pub fn end_file(&mut self, slot: usize) {
        let world = self.world;
        let mut pair = alone(&world.slots[slot].pair);
        let Some(pair) = pair.as_mut().filter(|pair| pair.writer >= 0 && pair.kind.ends()) else { return };
        let file = world.file(pair.file);
        // There is no end as long as another process has the file too.
        if file.traits.flow || file.traits.pulse || file.traits.shared {
            return;
        }
        file.ended.store(true, SeqCst);
        if self.random.chance(50) {
            calls::shutdown_write(pair.writer);
            if self.random.chance(50) {
                return;
            }
        }
        self.status.now(Deed::Close, pair.writer);
        calls::close(pair.writer);
        self.status.now(Deed::Nothing, pair.writer);
        pair.writer = -1;
    }

    /// Moves the reading end to another fd; its items stay under the old one.
    pub fn swap_fd(&mut self, slot: usize) {
        let world = self.world;
        let mut pair = alone(&world.slots[slot].pair);
        let Some(pair) = pair.as_mut().filter(|pair| pair.orphans.len() < 4) else { return };
        let old = pair.reader;
        self.status.now(Deed::Dup, old);
        let new = {
            let _fds = shared(&world.fds);
            calls::dup(old)
        };
        if new < 0 {
            return self.status.now(Deed::Nothing, old);
        }
        pair.orphans.extend(world.slots[slot].items.iter().filter_map(|item| lock(item).take()));
        self.status.now(Deed::Close, old);
        calls::close(old);
        self.status.now(Deed::Nothing, old);
        pair.reader = new;
        // The file may get an fd that it had before: then its items under that fd can be reached again.
        pair.orphans.retain(|item| {
            let back = item.fd == new;
            if back {
                *lock(&world.slots[slot].items[item.set]) = Some(*item);
            }
            !back
        });
        if pair.kind.is_single() {
            pair.writer = new;
        }
    }

    /// Closes a slot's file, if it is still this one; its items are deleted before, or go with it.
    pub fn close_file(&mut self, slot: usize, number: Option<usize>) {
        let world = self.world;
        let place = &world.slots[slot];
        let mut pair = alone(&place.pair);
        if pair.as_ref().is_none_or(|pair| number.is_some_and(|number| number != pair.file)) {
            return;
        }
        // A child's copies keep the file alive, and an orphan has no fd by which it could be deleted.
        let has_orphans = pair.as_ref().is_some_and(|pair| !pair.orphans.is_empty());
        let childless = match has_orphans {
            true => Some(shared(&world.children)),
            false => world.children.try_read().ok(),
        };
        let Some(pair) = pair.take() else { return };
        place.current.store(0, SeqCst);
        let mut items = pair.orphans;
        let leave = usize::from(childless.is_some() && self.random.chance(70));
        let all = childless.is_some() && self.random.chance(30);
        for item in place.items.iter().chain([&place.out]).filter_map(|item| lock(item).take()) {
            items.push(item);
        }
        let mut left = Vec::new();
        for item in items {
            let epoll = shared(&world.sets[item.set].epoll);
            let has_fd = item.fd == pair.reader || item.fd == pair.writer;
            if item.life != epoll.life || !has_fd || all || left.len() < leave {
                left.push(item);
            } else {
                self.delete(&epoll, &item);
            }
        }
        self.status.now(Deed::Close, pair.reader);
        // The broker closes its copies first: then the last ones are ours, and the file goes with them.
        if world.file(pair.file).traits.shared {
            broker().close(pair.file);
        }
        calls::close(pair.reader);
        if pair.writer >= 0 && pair.writer != pair.reader {
            calls::close(pair.writer);
        }
        self.status.now(Deed::Nothing, pair.reader);
        world.counts.closes.fetch_add(1, SeqCst);
        if let [item] = left[..] {
            return world.bury(item.cookie);
        }
        // A wait on one set that polls the file right now keeps it alive for the other sets until the poll ends.
        let now = world.start.elapsed().as_millis();
        lock(&world.closed).extend(left.iter().map(|item| (now, item.cookie)));
    }
}
