//! The lies of a [`Fault`]: they change what a wait returned before it is judged.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use libc::{c_int, epoll_event};

use super::cookies::{Target, Wait, EDGE, IN, ONESHOT};
use super::fault::Fault;
use super::threads::Deed;
use super::waiting::Me;

impl Me<'_> {
    pub fn is_silenced(&self, data: u64) -> bool {
        let world = self.world;
        let is_pulse =
            |target| matches!(target, Target::Reader { file, .. } if world.file(file).traits.pulse);
        world.options.fault == Some(Fault::Deaf)
            && world.cookies.get(data as u32 as usize).is_some_and(|cookie| is_pulse(cookie.target))
    }

    pub fn meddle(&mut self, wait: &Wait, events: &mut [epoll_event], got: &mut isize, timeout: c_int) {
        let Some(fault) = self.world.options.fault else { return };
        let count = (*got).max(0) as usize;
        let world = self.world;
        let cookie = |at: usize| world.cookies.get(at);
        let reported = |event: &epoll_event| cookie(event.u64 as u32 as usize);
        let is_file = |target: Target| matches!(target, Target::Reader { .. });
        // The first cookie from a random place on that is as wanted.
        let start = self.random.below(world.cookies.len());
        let find = |wanted: &dyn Fn(&super::cookies::Cookie) -> bool| {
            let all = (start..world.cookies.len()).take(2000);
            all.filter(|at| cookie(*at).is_some_and(wanted)).map(|at| world.cookies.data(at)).next()
        };
        let first_once = events[..count].iter().position(|event| {
            reported(event).is_some_and(|c| is_file(c.target) && c.mask & (EDGE | ONESHOT) != 0)
        });
        let alive = |dead: u64| dead == 0;
        match fault {
            Fault::Drop => {
                if let Some(at) = first_once.filter(|_| timeout < 0 && count > 1) {
                    events.copy_within(at + 1..count, at);
                    *got -= 1;
                }
            }
            Fault::Oversleep if timeout < 0 && count > 0 && self.random.chance(1) => {
                self.status.now(Deed::Wait, -1);
                while !world.pace.is_over() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Fault::Again | Fault::AgainOnce => {
                let bit = if fault == Fault::Again { EDGE } else { ONESHOT };
                let at = events[..count].iter().position(|event| {
                    reported(event).is_some_and(|c| is_file(c.target) && c.mask & (EDGE | ONESHOT) == bit)
                });
                if let Some(at) = at.filter(|_| count > 0 && count < events.len()) {
                    events[count] = events[at];
                    *got += 1;
                }
            }
            Fault::Stale if count > 0 => {
                let gone = |c: &super::cookies::Cookie| {
                    let dead = c.dead.load(SeqCst);
                    dead != 0 && dead < wait.began && (c.set, c.life) == (wait.set, wait.life)
                };
                if let Some(data) = find(&gone) {
                    events[0].u64 = data;
                }
            }
            Fault::Foreign if count > 0 => {
                if let Some(data) = find(&|c| c.set != wait.set && alive(c.dead.load(SeqCst))) {
                    events[0].u64 = data;
                }
            }
            Fault::Bits if count > 0 => events[0].events |= libc::EPOLLPRI as u32,
            Fault::Idle if count > 0 => {
                let idle = |c: &super::cookies::Cookie| {
                    let Target::Reader { file, .. } = c.target else { return false };
                    let file = world.file(file);
                    if file.traits.pulse {
                        return false;
                    }
                    let empty = file.begun.load(SeqCst) == file.read.load(SeqCst) && !file.ended.load(SeqCst);
                    let same = (c.set, c.life) == (wait.set, wait.life);
                    same && empty && alive(c.dead.load(SeqCst)) && c.is_armed()
                };
                if let Some(data) = find(&idle) {
                    events[0] = epoll_event { events: IN, u64: data };
                }
            }
            Fault::Empty if timeout < 0 => *got = 0,
            _ => {}
        }
    }
}
