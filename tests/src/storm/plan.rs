//! What an era does, drawn from its seed.

use super::files::Kind;
use super::kind::KINDS;
use crate::random::Random;

/// How a thread waits.
#[derive(Clone, Debug)]
pub enum Role {
    /// In epoll_wait on one set.
    Wait { set: usize, style: Style },
    /// In poll(2) on several.
    Poll { sets: Vec<usize> },
}

/// For how long a thread waits at a time. In a lull all wait without a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Forever,
    Short,
    Mixed,
    Spin,
}

#[derive(Clone, Debug)]
pub struct Plan {
    /// The level of each set: only a set of a higher level may contain it.
    pub levels: Vec<usize>,
    pub roles: Vec<Role>,
    pub writers: usize,
    pub changers: usize,
    pub kinds: Vec<Kind>,
    pub files: usize,
    /// Chances of EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE.
    pub edge: usize,
    pub oneshot: usize,
    pub exclusive: usize,
    /// Chance of a file that a writer fills and a reader drains, with its writing end watched for EPOLLOUT.
    pub flow: usize,
    /// Chance of a file that becomes ready again each time it is drained.
    pub pulse: usize,
    /// Chance of a file that another process has too.
    pub shared: usize,
    /// Chances of a handler that reads once for an event, and of one that leaves data.
    pub once: usize,
    pub partial: usize,
    /// How many writes may be unread.
    pub unread: u64,
    pub closes_sets: bool,
    pub children: bool,
    pub signals: bool,
    /// Microseconds that writers and changers rest, at most.
    pub rest: usize,
    /// Milliseconds of a gust, at most.
    pub gust: usize,
    /// Milliseconds of the era.
    pub length: usize,
}

impl Plan {
    pub fn draw(random: &mut Random) -> Self {
        let count = random.pick(&[1, 1, 2, 3, 4, 6]);
        let nested = count > 1 && random.chance(60);
        let levels: Vec<usize> = (0..count).map(|_| if nested { random.below(3) } else { 0 }).collect();
        let waiters = 1 + random.below(6);
        let roles = (0..waiters).map(|_| role(random, &levels)).collect();
        let exclusive = if random.chance(25) { 70 } else { 0 };
        let kinds = if random.chance(60) {
            KINDS.to_vec()
        } else {
            (0..1 + random.below(2)).map(|_| random.pick(&KINDS)).collect()
        };
        Self {
            levels,
            roles,
            writers: 1 + random.below(2),
            changers: random.pick(&[0, 1, 1, 2, 3]),
            kinds,
            files: 1 + random.below(super::world::SLOTS),
            edge: random.pick(&[0, 50, 100]),
            oneshot: random.pick(&[0, 30, 100]),
            exclusive,
            flow: random.pick(&[0, 0, 20, 60]),
            pulse: random.pick(&[0, 20, 60]),
            shared: random.pick(&[0, 0, 30, 100]),
            once: random.pick(&[0, 50, 100]),
            partial: random.pick(&[0, 0, 30]),
            unread: random.pick(&[1, 1, 1, 4]),
            // A wakeup that went to an exclusive item of a closed set is not reported to any other item.
            closes_sets: exclusive == 0 && random.chance(40),
            children: random.chance(25),
            signals: random.chance(25),
            rest: random.pick(&[0, 50, 500, 3000]),
            gust: random.pick(&[3, 20, 100]),
            length: 300 + random.below(1500),
        }
    }
    /// Whether waits may end with EINTR. While a parent blocks all signals, as posix_spawn does, the end of its child
    /// interrupts another thread, even if SIGCHLD is ignored.
    pub fn interrupts(&self) -> bool {
        self.signals || self.children
    }
}

fn role(random: &mut Random, levels: &[usize]) -> Role {
    let sets = levels.len();
    if random.chance(20) {
        let first = random.below(sets);
        return Role::Poll { sets: (first..sets.min(first + 1 + random.below(3))).collect() };
    }
    let styles = [Style::Forever, Style::Forever, Style::Short, Style::Mixed, Style::Spin];
    // Mostly one of the outermost sets.
    let mut set = random.below(sets);
    for _ in 0..2 {
        let other = random.below(sets);
        if levels[other] > levels[set] {
            set = other;
        }
    }
    Role::Wait { set, style: random.pick(&styles) }
}
