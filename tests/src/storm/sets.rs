//! Sets in sets, and closing a set on which other threads wait.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::calls;
use super::cookies::{Target, IN};
use super::descriptors;
use super::threads::Deed;
use super::waiting::Me;
use super::world::{alone, lock, shared, Epoll, Item};

impl Me<'_> {
    /// ADD, MOD or DEL of a set in a set of a higher level.
    pub fn change_link(&mut self) {
        let world = self.world;
        let sets = world.sets.len();
        let (outer, inner) = (self.random.below(sets), self.random.below(sets));
        if world.plan.levels[outer] <= world.plan.levels[inner] {
            return;
        }
        let mut link = lock(world.link(outer, inner));
        if self.random.chance(30) {
            let (epoll, of) = (shared(&world.sets[outer].epoll), shared(&world.sets[inner].epoll));
            if let Some((item, _)) = link.filter(|(item, life)| item.life == epoll.life && *life == of.life) {
                self.delete(&epoll, &item);
                *link = None;
            }
            return;
        }
        self.modify_link(&mut link, outer, inner);
    }

    /// ADD or MOD of a set in a set.
    pub fn modify_link(&mut self, link: &mut Option<(Item, u32)>, outer: usize, inner: usize) {
        let world = self.world;
        let epoll = shared(&world.sets[outer].epoll);
        let of = shared(&world.sets[inner].epoll);
        let target = Target::Set { set: inner, life: of.life };
        let mask = self.mask(false);
        match link.as_mut().filter(|(item, life)| item.life == epoll.life && *life == of.life) {
            Some((item, _)) => self.modify(&epoll, item, target, mask),
            None => *link = Some((self.add(&epoll, outer, of.fd, target, mask), of.life)),
        }
    }

    /// Makes the epoll of a set.
    pub fn make_set(&mut self, set: usize) {
        let mut epoll = alone(&self.world.sets[set].epoll);
        *epoll = self.new_epoll(set, 1);
    }

    fn new_epoll(&mut self, set: usize, life: u32) -> Epoll {
        let fd = calls::epoll_create();
        let epoll = Epoll { life, fd, twin: calls::dup(fd), nudge: descriptors::eventfd(0, 0) };
        if epoll.fd < 0 || epoll.twin < 0 || epoll.nudge < 0 {
            self.world.fail("answer", &format!("no epoll: {epoll:?}"));
        }
        self.add(&epoll, set, epoll.nudge, Target::Nudge, IN);
        epoll
    }

    /// Ends all waits on an epoll.
    pub fn nudge(&mut self, epoll: &Epoll) {
        self.status.now(Deed::Nudge, epoll.nudge);
        if calls::write(epoll.nudge, &1u64.to_ne_bytes()) != 8 {
            self.world.fail("answer", "an eventfd takes no 1");
        }
        self.status.now(Deed::Nothing, epoll.nudge);
    }

    /// Closes an epoll on which other threads wait, and puts a new one in its place. A waiting thread stays in its wait
    /// until an event comes.
    pub fn replace_set(&mut self, at: usize) {
        let world = self.world;
        let set = &world.sets[at];
        let mut epoll = alone(&set.epoll);
        set.closing.store(true, SeqCst);
        self.status.now(Deed::CloseSet, epoll.fd);
        // A thread that begins its wait late must not find another epoll under the fd. So either another file takes the
        // fd, or no thread makes a descriptor until the waits have ended.
        let buried = self.random.chance(50);
        let fds = if buried {
            let stone = {
                let _fds = shared(&world.fds);
                descriptors::eventfd(1, 0)
            };
            calls::dup2(stone, epoll.fd);
            calls::dup2(stone, epoll.twin);
            calls::close(stone);
            None
        } else {
            let fds = alone(&world.fds);
            calls::close(epoll.fd);
            calls::close(epoll.twin);
            Some(fds)
        };
        self.nudge(&epoll);
        self.status.now(Deed::AwaitUsers, epoll.fd);
        let end = Instant::now() + world.options.patience;
        while set.users.load(SeqCst) > 0 {
            if Instant::now() > end {
                world.fail("stuck", &format!("waits on a closed epoll are not woken: {epoll:?}"));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        drop(fds);
        let _fds = shared(&world.fds);
        if buried {
            calls::close(epoll.fd);
            calls::close(epoll.twin);
        }
        calls::close(epoll.nudge);
        self.status.now(Deed::Nothing, epoll.fd);
        *epoll = self.new_epoll(at, epoll.life + 1);
        set.closing.store(false, SeqCst);
        world.counts.closed_sets.fetch_add(1, SeqCst);
    }
}
