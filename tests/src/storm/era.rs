//! An era from its plan to the last close.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::broker::broker;
use super::calls;
use super::plan::Plan;
use super::threads::{Deed, Status};
use super::waiting::Me;
use super::world::{alone, shared, World};
use super::{Options, Summary};
use crate::random::Random;

/// Runs the era of a seed, and adds its counts to `summary`.
pub fn run(seed: u64, options: &Options, summary: &mut Summary) {
    let mut random = Random(seed);
    let plan = Plan::draw(&mut random);
    let (waiters, pulses) = (plan.roles.len(), usize::from(plan.pulse > 0));
    let names = plan.roles.iter().map(|role| format!("{role:?}"));
    let helpers = |count, name: &'static str| std::iter::repeat_n(name.to_owned(), count);
    let names = names
        .chain(helpers(plan.writers, "writer"))
        .chain(helpers(plan.changers, "changer"))
        .chain(helpers(plan.children.into(), "parent"))
        .chain(helpers(plan.signals.into(), "interrupter"))
        .chain(helpers(pulses, "pulse"))
        .chain(["main".to_owned()]);
    let names: Vec<String> = names.collect();
    // Without the threads that do not rest in a lull: the waiters, the pulses, and the one that declares it.
    let workers = names.len() - waiters - pulses - 1;
    let statuses = names.iter().map(|name| Status::new(name.clone())).collect();
    let world = &World::new(seed, plan, *options, statuses, workers);
    let me = |at: usize, salt: u64| Me {
        world,
        status: &world.threads[at],
        random: Random(seed ^ salt.wrapping_mul(0x9e37_79b9)),
    };
    let mut main = me(names.len() - 1, 1);
    (0..world.sets.len()).for_each(|set| main.make_set(set));
    (0..world.slots.len()).for_each(|slot| main.make_file(slot));
    for _ in 0..world.sets.len() {
        main.change_link();
    }
    std::thread::scope(|scope| {
        let spawn = |at: usize| {
            let mut me = me(at, at as u64 + 2);
            let name = names[at].as_str();
            scope.spawn(move || {
                me.status.begin();
                match name {
                    _ if at < waiters => me.wait_all_the_time(&me.world.plan.roles[at]),
                    "writer" => me.write_all_the_time(),
                    "changer" => me.change_all_the_time(),
                    "pulse" => me.pulse_all_the_time(),
                    "parent" => me.fork_all_the_time(),
                    _ => me.interrupt_all_the_time(),
                }
                me.status.now(Deed::Gone, 0);
            })
        };
        let mut threads: Vec<_> = (0..names.len() - 1).map(spawn).collect();
        let end = Instant::now() + Duration::from_millis(world.plan.length as u64);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1 + random.below(world.plan.gust) as u64));
            world.lull();
            summary.lulls += 1;
        }
        // The threads that write and change end first, then those that wait.
        world.pace.end();
        await_end(world, waiters..names.len() - 1);
        threads.drain(waiters..).for_each(|thread| drop(thread.join()));
        for set in &world.sets {
            let epoll = *shared(&set.epoll);
            main.nudge(&epoll);
        }
        await_end(world, 0..waiters);
    });
    close_all(world);
    let counts = &world.counts;
    summary.events += counts.events.load(SeqCst);
    summary.waits += counts.waits.load(SeqCst);
    summary.writes += counts.writes.load(SeqCst);
    summary.changes += counts.changes.load(SeqCst);
    summary.closes += counts.closes.load(SeqCst);
    summary.closed_sets += counts.closed_sets.load(SeqCst);
    summary.forks += counts.forks.load(SeqCst);
}

fn await_end(world: &World, threads: std::ops::Range<usize>) {
    let start = Instant::now();
    let is_there = |status: &Status| status.deed() != Deed::Gone;
    while world.threads[threads.clone()].iter().any(is_there) {
        if start.elapsed() > world.options.patience {
            world.fail("stuck", "a thread does not come to its end");
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn close_all(world: &World) {
    for set in &world.sets {
        let epoll = *alone(&set.epoll);
        [epoll.fd, epoll.twin, epoll.nudge].into_iter().for_each(|fd| {
            calls::close(fd);
        });
    }
    for slot in &world.slots {
        let Some(pair) = alone(&slot.pair).take() else { continue };
        if world.file(pair.file).traits.shared {
            broker().close(pair.file);
        }
        calls::close(pair.reader);
        if pair.writer >= 0 && pair.writer != pair.reader {
            calls::close(pair.writer);
        }
    }
}
