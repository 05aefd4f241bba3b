//! ADD, MOD, DEL, dup and close of files, while others write and wait; children and signals.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use libc::{c_int, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};

use super::broker::broker;
use super::calls::{self, Child};
use super::cookies::{Target, EDGE, EXCLUSIVE, IN, ONESHOT};
use super::fault::Fault;
use super::files::{Kind, Nature};
use super::threads::Deed;
use super::waiting::Me;
use super::world::{alone, lock, shared, Epoll, Item, Pair};

const OUT: u32 = libc::EPOLLOUT as u32;

impl Me<'_> {
    fn rest(&mut self) {
        let most = self.world.plan.rest;
        if most > 0 {
            std::thread::sleep(Duration::from_micros(self.random.below(most) as u64));
        }
    }

    /// Writes here and there until the era is over.
    pub fn write_all_the_time(&mut self) {
        while self.world.pace.work() {
            let slot = self.random.below(self.world.slots.len());
            self.write(slot);
            if self.random.chance(3) {
                self.steal(slot);
            }
            self.rest();
        }
    }

    /// Changes this and that until the era is over.
    pub fn change_all_the_time(&mut self) {
        let sets = self.world.sets.len();
        while self.world.pace.work() {
            if self.world.cookies.has_room() {
                let (slot, set) = (self.random.below(self.world.slots.len()), self.random.below(sets));
                match self.random.below(100) {
                    0..4 => self.close_file(slot, None),
                    4..7 => self.end_file(slot),
                    7..9 => self.swap_number(slot),
                    9..14 => self.change_link(),
                    14..16 if self.world.plan.closes_sets => self.replace_set(set),
                    16..20 => self.make_file(slot),
                    _ => self.change_item(slot, set),
                }
            }
            self.rest();
        }
    }

    /// Makes children until the era is over.
    pub fn fork_all_the_time(&mut self) {
        while self.world.pace.work() {
            std::thread::sleep(Duration::from_millis(self.random.below(60) as u64));
            let way = self.random.pick(&[Child::Exits, Child::Closes, Child::Execs, Child::Spawned]);
            let _closes_wait = alone(&self.world.children);
            self.status.now(Deed::Fork, 0);
            let well = calls::child(way);
            self.status.now(Deed::Nothing, 0);
            self.world.counts.forks.fetch_add(1, SeqCst);
            if !well {
                self.world.fail("answer", &format!("a child that {way:?} failed"));
            }
        }
    }

    /// Interrupts threads that wait until the era is over.
    pub fn interrupt_all_the_time(&mut self) {
        while self.world.pace.work() {
            let tid = self.any_waiter();
            if tid > 0 {
                calls::interrupt(tid);
            }
            std::thread::sleep(Duration::from_micros(self.random.below(2000) as u64));
        }
    }

    fn any_waiter(&mut self) -> c_int {
        let waiters = self.world.plan.roles.len();
        self.world.threads[self.random.below(waiters)].tid.load(SeqCst)
    }

    /// Reads without having been told.
    fn steal(&mut self, slot: usize) {
        let pair = shared(&self.world.slots[slot].pair);
        let Some(pair) = pair.as_ref() else { return };
        // The end is for those who were told.
        if !self.world.file(pair.file).ended.load(SeqCst) {
            self.read(pair.reader, pair.file, 65536);
        }
    }

    fn ctl(&mut self, deed: Deed, epfd: c_int, op: c_int, fd: c_int, mask: u32, data: u64) {
        self.status.now(deed, fd);
        let mut done = calls::epoll_ctl(epfd, op, fd, mask, data);
        self.status.now(Deed::Nothing, fd);
        self.world.counts.changes.fetch_add(1, SeqCst);
        if self.world.options.fault == Some(Fault::Answer) && self.random.chance(1) {
            done = -(libc::EEXIST as isize);
        }
        if done != 0 {
            let what = format!("{deed:?} of fd {fd} ({mask:#x}) in epoll {epfd} gives errno {}", -done);
            self.world.fail("answer", &what);
        }
    }

    pub fn mask(&mut self, exclusive: bool) -> u32 {
        let plan = &self.world.plan;
        let mut mask = IN;
        if self.random.chance(plan.edge) {
            mask |= EDGE;
        }
        if exclusive && self.random.chance(plan.exclusive) {
            return mask | EXCLUSIVE;
        }
        if self.random.chance(plan.oneshot) {
            mask |= ONESHOT;
        }
        if self.random.chance(30) {
            mask |= libc::EPOLLRDHUP as u32;
        }
        mask
    }

    pub fn add(&mut self, epoll: &Epoll, set: usize, fd: c_int, target: Target, mask: u32) -> Item {
        let cookie = self.world.cookie(set, epoll.life, target, mask);
        self.ctl(Deed::Add, epoll.fd, EPOLL_CTL_ADD, fd, mask, self.world.cookies.data(cookie));
        Item { cookie, fd, set, life: epoll.life }
    }

    pub fn modify(&mut self, epoll: &Epoll, item: &mut Item, target: Target, mask: u32) {
        let cookie = self.world.cookie(item.set, epoll.life, target, mask);
        self.ctl(Deed::Mod, epoll.twin, EPOLL_CTL_MOD, item.fd, mask, self.world.cookies.data(cookie));
        self.world.bury(item.cookie);
        item.cookie = cookie;
    }

    pub fn delete(&mut self, epoll: &Epoll, item: &Item) {
        self.ctl(Deed::Del, epoll.fd, EPOLL_CTL_DEL, item.fd, 0, 0);
        self.world.bury(item.cookie);
    }

    /// Arms a oneshot item again, if it is still the one that was reported.
    /// False: it is not, or the era has had enough of them.
    pub fn rearm(&mut self, slot: usize, set: usize, cookie: usize) -> bool {
        let world = self.world;
        let mut item = lock(&world.slots[slot].items[set]);
        let epoll = shared(&world.sets[set].epoll);
        let item = item.as_mut().filter(|item| item.cookie == cookie && item.life == epoll.life);
        let Some(item) = item.filter(|_| world.cookies.has_room()) else { return false };
        let Some(cookie) = world.cookies.get(cookie) else { return false };
        self.modify(&epoll, item, cookie.target, cookie.mask);
        true
    }

    /// Has the writing end of a full file told when there is room.
    pub fn rearm_writer(&mut self, slot: usize) {
        let world = self.world;
        let mut item = lock(&world.slots[slot].out);
        let Some(item) = item.as_mut() else { return };
        let epoll = shared(&world.sets[item.set].epoll);
        let cookie = world.cookies.get(item.cookie);
        if let Some(cookie) = cookie.filter(|cookie| !cookie.is_armed() && item.life == epoll.life) {
            self.modify(&epoll, item, cookie.target, cookie.mask);
        }
    }

    /// ADD, MOD or DEL of a slot's file in a set.
    fn change_item(&mut self, slot: usize, set: usize) {
        let world = self.world;
        let pair = shared(&world.slots[slot].pair);
        let Some(pair) = pair.as_ref() else {
            drop(pair);
            return self.make_file(slot);
        };
        let mut item = lock(&world.slots[slot].items[set]);
        let epoll = shared(&world.sets[set].epoll);
        let exclusive = world.file(pair.file).nature.exclusive;
        let mask = self.mask(exclusive);
        let target = Target::Reader { slot, file: pair.file };
        match item.as_mut().filter(|item| item.life == epoll.life) {
            None => *item = Some(self.add(&epoll, set, pair.reader, target, mask)),
            Some(there) => {
                let before = world.cookies.get(there.cookie).map_or(0, |cookie| cookie.mask);
                if (before | mask) & EXCLUSIVE != 0 {
                    return;
                }
                if exclusive || self.random.chance(60) {
                    self.modify(&epoll, there, target, mask);
                } else {
                    self.delete(&epoll, there);
                    *item = None;
                }
            }
        }
    }

    fn nature(&mut self, slot: usize) -> Nature {
        let plan = &self.world.plan;
        let kind = self.random.pick(&plan.kinds);
        let shared = kind != Kind::Signalfd && self.random.chance(plan.shared);
        let pulse = kind == Kind::Ticker || self.random.chance(plan.pulse);
        let period = Duration::from_micros(self.random.pick(&[20, 50, 100, 300, 1000, 5000]));
        let flow = kind.ends() && !shared && !pulse && self.random.chance(plan.flow);
        Nature { kind, slot, flow, exclusive: self.random.chance(plan.exclusive), pulse, shared, period }
    }

    /// Fills an empty slot, and adds the file to a set or two; others may do so at the same time.
    pub fn make_file(&mut self, slot: usize) {
        let world = self.world;
        {
            let mut pair = alone(&world.slots[slot].pair);
            if pair.is_some() {
                return;
            }
            let nature = self.nature(slot);
            let (kind, flow) = (nature.kind, nature.flow);
            let Some(file) = world.new_file(nature) else { return };
            self.status.now(Deed::Make, 0);
            let made = {
                let _numbers = shared(&world.numbers);
                if nature.shared {
                    broker().make(file, nature)
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
    fn end_file(&mut self, slot: usize) {
        let world = self.world;
        let mut pair = alone(&world.slots[slot].pair);
        let Some(pair) = pair.as_mut().filter(|pair| pair.writer >= 0 && pair.kind.ends()) else { return };
        let file = world.file(pair.file);
        // The end is not there as long as another process has it, too.
        if file.nature.flow || file.nature.pulse || file.nature.shared {
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

    /// The reading end goes on under another number; its items stay under the old one.
    fn swap_number(&mut self, slot: usize) {
        let world = self.world;
        let mut pair = alone(&world.slots[slot].pair);
        let Some(pair) = pair.as_mut().filter(|pair| pair.orphans.len() < 4) else { return };
        let old = pair.reader;
        self.status.now(Deed::Dup, old);
        let new = {
            let _numbers = shared(&world.numbers);
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
        // The number may be one that it had before: what was added by it can be reached again.
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

    /// Closes a slot's file, if it is still this one: the items go with it, or before.
    pub fn close_file(&mut self, slot: usize, number: Option<usize>) {
        let world = self.world;
        let place = &world.slots[slot];
        let mut pair = alone(&place.pair);
        if pair.as_ref().is_none_or(|pair| number.is_some_and(|number| number != pair.file)) {
            return;
        }
        // A child's copies keep the file, and an orphan has no number to delete it by.
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
            let number = item.fd == pair.reader || item.fd == pair.writer;
            if item.life != epoll.life || !number || all || left.len() < leave {
                left.push(item);
            } else {
                self.delete(&epoll, &item);
            }
        }
        self.status.now(Deed::Close, pair.reader);
        // The last copies are ours: with them the file goes.
        if world.file(pair.file).nature.shared {
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
        // A wait on one set that asks the file right now keeps it alive for the other sets that long.
        let now = world.start.elapsed().as_millis();
        lock(&world.closed).extend(left.iter().map(|item| (now, item.cookie)));
    }
}
