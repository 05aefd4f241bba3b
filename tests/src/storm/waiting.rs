//! Waits on sets: the calls, and checks of what they return.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use libc::{c_int, epoll_event, pollfd, EBADF, EINTR, EINVAL};

use super::calls::{self, Call};
use super::cookies::Target;
use super::plan::{Role, Style};
use super::threads::{Deed, Status};
use super::world::{shared, World};
use crate::random::Random;

const MOST: usize = 32;
/// Enough rounds that each file of a set gets its turn.
const ROUNDS: usize = 200;

/// A thread of an era.
pub struct Me<'a> {
    pub world: &'a World,
    pub status: &'a Status,
    pub random: Random,
}

impl Me<'_> {
    /// Waits until the era is over.
    pub fn wait_all_the_time(&mut self, role: &Role) {
        while !self.world.pace.is_over() {
            match role {
                Role::Wait { set, style } => {
                    let timeout = self.timeout(*style);
                    if let Some(events) = self.wait(*set, timeout) {
                        self.handle(&events, 0);
                    }
                    if *style == Style::Spin && self.random.chance(50) {
                        std::thread::yield_now();
                    }
                }
                Role::Poll { sets } => self.poll(sets),
            }
        }
    }

    fn timeout(&mut self, style: Style) -> c_int {
        let short = 1 + self.random.below(8) as c_int;
        match style {
            _ if self.world.pace.is_lull() => -1,
            Style::Forever => -1,
            Style::Short => short,
            Style::Spin => 0,
            Style::Mixed => self.random.pick(&[-1, 0, short]),
        }
    }

    /// Waits on a set; returns the cookies of what was reported. None: the set is being closed.
    pub fn wait(&mut self, at: usize, timeout: c_int) -> Option<Vec<usize>> {
        let world = self.world;
        let set = &world.sets[at];
        let epoll = {
            let epoll = shared(&set.epoll);
            set.users.fetch_add(1, SeqCst);
            *epoll
        };
        let fd = self.random.pick(&[epoll.fd, epoll.twin]);
        let call = self.random.pick(&[Call::Wait, Call::Wait, Call::Pwait, Call::Pwait2]);
        let most = self.random.pick(&[1, 2, 8, MOST]);
        let mut events = [epoll_event { events: 0, u64: u64::MAX }; MOST];
        let wait = world.wait(at, epoll.life);
        self.status.now(if timeout < 0 { Deed::Wait } else { Deed::TimedWait }, fd);
        let start = Instant::now();
        let mut got = calls::epoll_wait(call, fd, &mut events[..most], timeout);
        let took = start.elapsed();
        self.status.now(Deed::Nothing, fd);
        set.users.fetch_sub(1, SeqCst);
        world.counts.waits.fetch_add(1, SeqCst);
        let gone = set.closing.load(SeqCst) || set.epoll.try_read().is_ok_and(|now| now.life != epoll.life);
        self.meddle(&wait, &mut events[..most], &mut got, timeout);
        match got {
            0 if timeout < 0 => {
                world.fail("answer", &format!("a wait without end gives 0: {call:?} {wait:?}"))
            }
            0 if took < Duration::from_millis(timeout as u64) => world
                .fail("answer", &format!("a wait of {timeout} ms ended after {took:?}: {call:?} {wait:?}")),
            0.. if got as usize > most => world.fail("answer", &format!("{got} events where {most} fit")),
            0.. => {}
            _ if gone && [EBADF, EINVAL].contains(&(-got as c_int)) => return None,
            _ if -got as c_int == EINTR && world.plan.interrupts() => return None,
            _ => world.fail("answer", &format!("{call:?} on fd {fd} gives errno {}: {wait:?}", -got)),
        }
        world.counts.events.fetch_add(got as u64, SeqCst);
        let events = events[..got as usize].iter().filter(|event| !self.is_silenced(event.u64));
        Some(events.map(|event| world.judge(&wait, *event)).collect())
    }

    fn poll(&mut self, sets: &[usize]) {
        let world = self.world;
        let mut fds = Vec::new();
        {
            // Takes all locks before it uses the first epoll: a thread that closes one waits for its users, so a user
            // must not wait for that thread.
            let epolls: Vec<_> = sets.iter().map(|set| shared(&world.sets[*set].epoll)).collect();
            for (set, epoll) in sets.iter().zip(epolls) {
                world.sets[*set].users.fetch_add(1, SeqCst);
                let fd = self.random.pick(&[epoll.fd, epoll.twin]);
                fds.push(pollfd { fd, events: libc::POLLIN, revents: 0 });
            }
        }
        let timeout = self.timeout(Style::Mixed);
        self.status.now(if timeout < 0 { Deed::Poll } else { Deed::TimedPoll }, fds[0].fd);
        let start = Instant::now();
        let got = calls::poll(&mut fds, timeout);
        let took = start.elapsed();
        self.status.now(Deed::Nothing, fds[0].fd);
        for set in sets {
            world.sets[*set].users.fetch_sub(1, SeqCst);
        }
        match got {
            0 if timeout < 0 => world.fail("answer", "a poll without end gives 0"),
            0 if took < Duration::from_millis(timeout as u64) => {
                world.fail("answer", &format!("a poll of {timeout} ms ended after {took:?}"))
            }
            0.. => {}
            _ if -got as c_int == EINTR && world.plan.interrupts() => return,
            _ => world.fail("answer", &format!("poll gives errno {}", -got)),
        }
        for (set, pollfd) in sets.iter().zip(fds) {
            if pollfd.revents != 0 {
                self.serve(*set, true, 0);
            }
        }
    }

    /// Handles what a set has to report now: all of it, or the events of one wait. False: there may be more, as always
    /// with pulses.
    pub fn serve(&mut self, set: usize, all: bool, depth: usize) -> bool {
        for _ in 0..ROUNDS {
            match self.wait(set, 0) {
                Some(events) if !events.is_empty() => {
                    self.handle(&events, depth);
                    // Only the nudge stays ready forever.
                    let nudged =
                        |at: &usize| self.world.cookies.get(*at).is_some_and(|c| c.target == Target::Nudge);
                    if events.iter().any(nudged) {
                        return true;
                    }
                }
                // Interrupted.
                None if self.world.plan.interrupts() => {}
                _ => return true,
            }
            if !all && !self.world.pace.is_lull() {
                return true;
            }
        }
        false
    }
}
