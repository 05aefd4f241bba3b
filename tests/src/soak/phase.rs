//! The plan: what happens to which servers and when. A seed always gives the same plan, for both epolls.

use super::kind::Kind;
use crate::random::Random;
use std::time::Duration;

/// What the clients of one server do for a while.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// How long.
    pub length: Duration,
    /// How many connections.
    pub connections: usize,
    /// How many requests each has under way at most.
    pub depth: usize,
    /// How long each pauses between an answer and the next request.
    pub pause: Duration,
    /// After how many requests a connection is closed and replaced; 0: never.
    pub requests: usize,
    /// Percent of the connections that send long requests and do not read for a while, or never.
    pub stall: usize,
    /// Percent of the connections that send their first request in two parts.
    pub halves: usize,
    /// Percent of the closed connections that are closed by a reset, even with answers outstanding.
    pub resets: usize,
}

/// What happens to a server during its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// SIGSTOP to all its processes, and SIGCONT after this many milliseconds.
    Stop(u64),
    /// A client in a process of its own, which is killed.
    KillClient(u64),
    /// redis: BGSAVE (true) or BGREWRITEAOF (false).
    Fork(bool),
    /// redis: a command that takes this many milliseconds.
    Slow(u64),
    /// A signal that the server handles: nginx USR1, memcached HUP, tokio USR1.
    Signal,
    /// nginx: reload; node: a worker is replaced.
    Reload,
    /// nginx: the program is replaced.
    Upgrade,
}

/// A stretch of time in which some servers are under load.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The number of the phase, from 0.
    pub number: usize,
    /// The servers under load.
    pub active: Vec<Kind>,
    /// The seed of all random numbers in it.
    pub seed: u64,
    /// What their clients do.
    pub steps: Vec<Step>,
    /// What happens and when, to each server that can do it.
    pub events: Vec<(Duration, Event)>,
    /// How many idle connections stay open at the end.
    pub keep: usize,
    /// How long all servers are left alone and watched after the phase, if at all.
    pub idle: Option<Duration>,
}

/// How long things take in a run of this length.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The longest phase.
    pub phase: Duration,
    /// How long a server rests before it is measured at rest.
    pub settle: Duration,
    /// An idle window.
    pub idle: Duration,
}

impl Times {
    /// The times of a run of this many seconds.
    pub fn of(seconds: f64) -> Self {
        let share =
            |part: f64, least: f64, most: f64| Duration::from_secs_f64((seconds / part).clamp(least, most));
        Self { phase: share(12.0, 2.0, 20.0), settle: share(40.0, 0.7, 4.0), idle: share(8.0, 3.0, 12.0) }
    }
}

impl Phase {
    /// The phase of that number.
    pub fn of(number: usize, seed: u64, kinds: &[Kind], times: Times) -> Self {
        let mut random = Random(seed ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95));
        random.number();
        let planted = |kind: &Kind| matches!(kind, Kind::Planted(_));
        let all = random.chance(35) || kinds.len() == 1 || kinds.iter().any(planted);
        let mut active: Vec<Kind> = if all {
            kinds.to_vec()
        } else {
            // The servers take turns; now and then another one joins.
            let mut some = vec![kinds[number % kinds.len()]];
            some.extend(random.chance(40).then(|| random.pick(kinds)));
            some
        };
        active.sort_unstable();
        active.dedup();
        let length = times.phase.mul_f64(0.5 + random.below(51) as f64 / 100.0);
        let mut steps = Vec::new();
        let mut left = length;
        while left > Duration::ZERO {
            let step =
                Step::random(&mut random, active.len(), left.min(length / 3 + Duration::from_millis(10)));
            left = left.saturating_sub(step.length);
            steps.push(step);
        }
        let mut events = Vec::new();
        for _ in 0..1 + random.below(4) {
            let at = length.mul_f64(random.below(80) as f64 / 100.0);
            events.push((at, Event::random(&mut random, number)));
        }
        events.sort_by_key(|(at, _)| *at);
        let keep = if random.chance(50) { random.below(20) } else { 0 };
        // The first idle window comes soon; later every third phase has one.
        let idle = (number % 3 == 1).then_some(times.idle);
        Self { number, active, seed: random.number(), steps, events, keep, idle }
    }

    /// The servers under load and the events, in a few words.
    pub fn title(&self) -> String {
        self.active.iter().map(|kind| kind.name()).collect::<Vec<_>>().join("+")
    }
}

impl Step {
    fn random(random: &mut Random, together: usize, length: Duration) -> Self {
        let connections = match random.below(10) {
            0..=1 => 1 + random.below(3),
            2..=6 => 5 + random.below(45),
            _ => 50 + random.below(200) / together,
        };
        let micros = match random.below(10) {
            0..=2 => 0,
            3..=5 => 200 + random.below(2000),
            6..=8 => 2000 + random.below(30_000),
            _ => 300_000,
        };
        Self {
            length,
            connections,
            depth: random.pick(&[1, 1, 1, 2, 8, 16]),
            pause: Duration::from_micros(micros as u64),
            requests: random.pick(&[0, 0, 0, 200, 20, 3, 1]),
            stall: random.pick(&[0, 0, 10, 20]),
            halves: random.pick(&[0, 0, 20]),
            resets: random.pick(&[0, 20, 50]),
        }
    }
}

impl Event {
    fn random(random: &mut Random, phase: usize) -> Self {
        // A replaced worker has no past in which it could have grown, so there are stretches without replacement.
        let replaces = (phase / 8).is_multiple_of(2);
        match random.below(12) {
            0..=1 => Event::Stop(20 + random.below(300) as u64),
            2..=4 => Event::KillClient(100 + random.below(900) as u64),
            5..=6 => Event::Fork(random.chance(50)),
            7 => Event::Slow(20 + random.below(200) as u64),
            8..=9 if replaces => Event::Reload,
            10 if replaces => Event::Upgrade,
            _ => Event::Signal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_plan_in_which_every_server_has_its_turn() {
        let times = Times::of(3600.0);
        let plan = |seed| -> Vec<String> {
            (0..40).map(|number| format!("{:?}", Phase::of(number, seed, &Kind::ALL, times))).collect()
        };
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        for kind in Kind::ALL {
            let alone = |number| Phase::of(number, 1, &Kind::ALL, times).active == [kind];
            assert!((0..40).any(alone), "{kind:?} alone");
        }
        assert!((0..40).any(|number| Phase::of(number, 1, &Kind::ALL, times).active == Kind::ALL));
    }
}
