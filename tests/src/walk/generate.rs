//! Makes walks from seeds.
//!
//! A walk keeps a few descriptors of each sort alive, and uses them as programs do, mostly in sensible ways. `world`
//! says which steps no walk has.

use crate::random::Random;

use super::step::{Kind, Step, Work};
use super::terms::{Terms, WIDE};
use super::world::{World, ROOM};
use libc::{
    EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLMSG, EPOLLONESHOT, EPOLLOUT, EPOLLPRI,
    EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM, EPOLLWAKEUP, EPOLLWRBAND, EPOLLWRNORM,
};

/// The kinds of watched files; a kind that is listed more often is made more often.
const FILES: [Kind; 16] = [
    Kind::Pipe,
    Kind::Pipe,
    Kind::Fifo,
    Kind::Unix,
    Kind::Unix,
    Kind::Dgram,
    Kind::Tcp,
    Kind::Tcp,
    Kind::Tcp,
    Kind::Listener,
    Kind::Udp,
    Kind::Eventfd,
    Kind::Timerfd,
    Kind::Inotify,
    Kind::Pty,
    Kind::Regular,
];

/// A walk that is being made.
struct Maker {
    random: Random,
    steps: Vec<Step>,
    world: World,
    terms: Terms,
    /// The kinds of this walk: each walk has few, and over many walks every kind occurs.
    kinds: Vec<Kind>,
    epolls: Vec<usize>,
    /// Whether outer epolls watch for edges in this walk; if so, no item asks for OUT where it is vague.
    outer_edges: bool,
    /// Whether most steps are those of a busy set: many files, which come and go, get data and are drained.
    busy: bool,
}

/// The walk of a seed.
pub fn generate(seed: u64, length: usize, terms: Terms) -> Vec<Step> {
    let mut random = Random(seed);
    let outer_edges = random.chance(50);
    let kinds = (0..4).map(|_| random.pick(&FILES)).collect();
    // Only if it matters, so that a seed keeps its walk.
    let busy = terms.any_order && random.chance(70);
    let (world, epolls) = (World::new(terms), Vec::new());
    let mut maker = Maker { random, steps: Vec::new(), world, terms, kinds, epolls, outer_edges, busy };
    maker.go(Step::Make(Kind::Epoll));
    maker.epolls.push(0);
    while maker.steps.len() < length {
        if maker.world.places() < 3 {
            maker.make_file();
        } else {
            maker.step();
        }
    }
    maker.steps
}

impl Maker {
    /// Takes a step, if a walk may have it here.
    fn go(&mut self, step: Step) -> bool {
        let step = if self.terms.any_order { self.without_order(step) } else { step };
        let fair = self.world.go(&step);
        if fair {
            self.steps.push(step);
        }
        fair
    }

    /// A step like this one whose result is known whatever the order of events.
    fn without_order(&self, step: Step) -> Step {
        match step {
            Step::Wait { ep, max: max @ 1..=2 } => {
                Step::Rounds { ep, max, waits: 2 * self.world.additions() + 2 }
            }
            Step::Wait { ep, max: 3..=16 } => Step::Wait { ep, max: WIDE },
            Step::Sleep { ep, .. } => Step::Sleep { ep, max: WIDE },
            Step::Ctl { ep, op, f, events, .. } => {
                Step::Ctl { ep, op, f, events, data: self.steps.len() as u64 }
            }
            _ => step,
        }
    }

    fn make_file(&mut self) {
        let kind = self.random.pick(&self.kinds.clone());
        self.go(Step::Make(kind));
    }

    /// A descriptor: mostly a recent one, because recent ones are more often open.
    fn descriptor(&mut self) -> usize {
        let all = self.world.places();
        let back = if self.random.chance(10) { all } else { all.min(8) };
        all - 1 - self.random.below(back)
    }

    /// What a program with a set of many busy files does.
    fn busy_step(&mut self) {
        let ep = self.random.pick(&self.epolls.clone());
        let mut found = None;
        for _ in 0..8 {
            let f = self.random.below(self.world.places());
            found = found.or(self.world.kind(f).filter(|kind| *kind != Kind::Epoll).map(|_| f));
        }
        let Some(f) = found else { return self.make_file() };
        let step = match self.random.below(100) {
            0..8 => return self.make_file(),
            8..25 => self.ctl(ep, f),
            25..55 => return self.feed(f),
            55..70 => Step::Wait { ep, max: 16 },
            70..85 => Step::Wait { ep, max: 1 + self.random.below(2) as i32 },
            85..93 => Step::Drain { f },
            93..98 => Step::Read { f, bytes: 1 + self.random.below(12) },
            _ => Step::Sleep { ep, max: 16 },
        };
        self.go(step);
    }

    fn step(&mut self) {
        if self.busy && self.random.chance(85) {
            return self.busy_step();
        }
        let ep = self.random.pick(&self.epolls.clone());
        let f = self.descriptor();
        let step = match self.random.below(120) {
            0..4 => return self.make_file(),
            4 if self.epolls.len() < 6 => {
                self.epolls.push(self.world.places());
                Step::Make(Kind::Epoll)
            }
            4..25 => self.ctl(ep, f),
            25..50 => {
                let max = if self.random.chance(30) { 1 + self.random.below(2) as i32 } else { 16 };
                Step::Wait { ep, max }
            }
            50..72 => return self.feed(f),
            72..84 => Step::Read { f, bytes: 1 + self.random.below(12) },
            84..90 => Step::Drain { f },
            90..92 => Step::Fill { f },
            92..95 => {
                let events = self.random.pick(&[0x1f, 0x2fff, 0x1, 0x4]);
                Step::Poll { f: if self.random.chance(50) { ep } else { f }, events }
            }
            95 => Step::Select { f: ep },
            96..98 => Step::Shutdown { f, how: self.random.below(3) as i32 },
            98..102 => Step::Close { f },
            102..104 => match self.random.chance(80) {
                true => Step::Dup { f },
                false => Step::DupFrom { f, from: 3 + self.random.below(40) as i32 },
            },
            104 => Step::Dup2 { f, onto: self.descriptor() },
            105 => Step::CloseRange { first: f, last: f + self.random.below(2) },
            106 => Step::Fork { f, work: self.random.pick(&[Work::Write, Work::Watch, Work::Close]) },
            107 => self.odd(ep, f),
            108..110 => Step::Sleep { ep, max: 8 },
            110 => Step::Flags { f },
            111 => match self.world.peer(f) {
                Some(to) => Step::Pass { over: f, to, what: self.descriptor() },
                None => Step::Flags { f },
            },
            _ => Step::Wait { ep, max: 8 },
        };
        self.go(step);
    }

    fn feed(&mut self, f: usize) {
        let step = self.food(f);
        if !self.go(step) && self.terms.polled {
            // If there is something to read already, the walk drains it first.
            self.go(Step::Drain { f: self.world.peer(f).unwrap_or(f) });
        }
    }

    /// The step that makes a file ready, by its kind.
    fn food(&mut self, f: usize) -> Step {
        match self.world.kind(f) {
            Some(Kind::Timerfd) => Step::Expire { f },
            Some(Kind::Inotify | Kind::Regular) => Step::Touch {},
            Some(Kind::Listener) if self.random.chance(50) => Step::Connect { f },
            Some(Kind::Listener) => Step::Accept { f },
            Some(Kind::Tcp) if self.random.chance(5) => Step::Oob { f },
            _ => Step::Write { f, bytes: 1 + self.random.below(10) },
        }
    }

    /// Odd and bad arguments.
    fn odd(&mut self, ep: usize, f: usize) -> Step {
        let op = self.random.pick(&[libc::EPOLL_CTL_ADD, libc::EPOLL_CTL_MOD, libc::EPOLL_CTL_DEL, 7]);
        match self.random.below(5) {
            0 => Step::CtlNull { ep, op, f },
            1 => Step::WaitNull { ep },
            2 => Step::Wait { ep: f, max: 4 },
            3 => Step::Ctl { ep: f, op, f: ep, events: EPOLLIN as u32, data: 1 },
            _ => Step::Wait { ep, max: self.random.pick(&[0, -1, i32::MAX]) },
        }
    }

    fn ctl(&mut self, ep: usize, f: usize) -> Step {
        let op = match self.random.below(20) {
            0..12 => libc::EPOLL_CTL_ADD,
            12..16 => libc::EPOLL_CTL_MOD,
            16..19 => libc::EPOLL_CTL_DEL,
            _ => self.random.pick(&[0, 4, -1, libc::EPOLL_CTL_MOD]),
        };
        let mut events = 0;
        for (bit, percent) in BITS {
            if self.random.chance(percent) {
                events |= bit as u32;
            }
        }
        let kind = self.world.kind(f);
        let edge = events & EPOLLET as u32 != 0;
        if kind.is_some_and(Kind::tells_of_room) && (self.outer_edges || edge) {
            events &= !ROOM;
        }
        if kind == Some(Kind::Epoll) && !self.outer_edges {
            events &= !(EPOLLET as u32);
        }
        let data = self.random.number() >> self.random.below(64);
        // The text format keeps 63 bits.
        Step::Ctl { ep, op, f, events, data: data >> 1 }
    }
}

/// Each bit of an interest, and the percentage of interests that have it.
const BITS: [(i32, usize); 18] = [
    (EPOLLIN, 75),
    (EPOLLOUT, 35),
    (EPOLLRDHUP, 20),
    (EPOLLPRI, 10),
    (EPOLLRDNORM, 5),
    (EPOLLRDBAND, 3),
    (EPOLLWRNORM, 3),
    (EPOLLWRBAND, 3),
    (EPOLLMSG, 2),
    (EPOLLERR, 5),
    (EPOLLHUP, 5),
    (EPOLLET, 40),
    (EPOLLONESHOT, 15),
    (EPOLLEXCLUSIVE, 3),
    (EPOLLWAKEUP, 2),
    // Bits without a meaning.
    (libc::POLLNVAL as i32, 1),
    (1 << 11, 1),
    (1 << 20, 2),
];
