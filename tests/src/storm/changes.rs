//! ADD, MOD, DEL, dup and close of files, while other threads write and wait; children and signals.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use libc::{c_int, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};

use super::calls;
use super::children::{self, Child};
use super::cookies::{Target, EDGE, EXCLUSIVE, IN, ONESHOT};
use super::fault::Fault;
use super::threads::Deed;
use super::waiting::Me;
use super::world::{alone, lock, shared, Epoll, Item};

impl Me<'_> {
    fn rest(&mut self) {
        let most = self.world.plan.rest;
        if most > 0 {
            std::thread::sleep(Duration::from_micros(self.random.below(most) as u64));
        }
    }

    /// Writes to random slots until the era is over.
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

    /// Makes random changes until the era is over.
    pub fn change_all_the_time(&mut self) {
        let sets = self.world.sets.len();
        while self.world.pace.work() {
            if self.world.cookies.has_room() {
                let (slot, set) = (self.random.below(self.world.slots.len()), self.random.below(sets));
                match self.random.below(100) {
                    0..4 => self.close_file(slot, None),
                    4..7 => self.end_file(slot),
                    7..9 => self.swap_fd(slot),
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
            let well = children::child(way);
            self.status.now(Deed::Nothing, 0);
            self.world.counts.forks.fetch_add(1, SeqCst);
            if !well {
                self.world.fail("answer", &format!("a child that {way:?} failed"));
            }
        }
    }

    /// Interrupts waiting threads until the era is over.
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

    /// Reads without an event.
    fn steal(&mut self, slot: usize) {
        let pair = shared(&self.world.slots[slot].pair);
        let Some(pair) = pair.as_ref() else { return };
        // Only a thread with an event reads the end.
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

    /// Arms a oneshot item again, if it is still the one that was reported. False: it is another item, or the era has
    /// no more cookies.
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

    /// Arms the item of a full file's writing end again, so that room is reported.
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
    pub fn change_item(&mut self, slot: usize, set: usize) {
        let world = self.world;
        let pair = shared(&world.slots[slot].pair);
        let Some(pair) = pair.as_ref() else {
            drop(pair);
            return self.make_file(slot);
        };
        let mut item = lock(&world.slots[slot].items[set]);
        let epoll = shared(&world.sets[set].epoll);
        let exclusive = world.file(pair.file).traits.exclusive;
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
}
