//! Making walks from seeds.
//!
//! Left out, for the kernel's answer depends on what userspace cannot see, or on time:
//! - edges of OUT on pipes, unix and datagram sockets (the kernel tells of room whenever a peer reads;
//!   we may, or may not): no walk has both such an OUT and an edge-triggered item that could see it,
//!   its own or that of an outer set;
//! - SHUT_RD on a unix stream (tells its peer of nothing new, and by no signal);
//! - pseudo-terminals (a kernel thread carries the data);
//! - a child's write to an eventfd.
//!
//! A walk keeps a few descriptors of each sort alive, and does with them what programs do, most of the
//! time sensibly.

use std::collections::BTreeMap;

use super::step::{Kind, Step};
use libc::{
    EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDHUP,
    EPOLLRDNORM,
};

/// splitmix64: a seed means the same walk for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const FILES: [Kind; 7] =
    [Kind::Pipe, Kind::Unix, Kind::Dgram, Kind::Tcp, Kind::Tcp, Kind::Udp, Kind::Eventfd];

/// A walk in the making.
struct Maker {
    random: Random,
    steps: Vec<Step>,
    table: Table,
    epolls: Vec<usize>,
    /// Whether epolls are watched for edges in this walk.
    outer_edges: bool,
}

/// The descriptor table as the kernel will have it: new numbers are the lowest free ones.
#[derive(Default)]
struct Table {
    open: BTreeMap<i32, Kind>,
    /// The number at each place of the runner's list.
    places: Vec<i32>,
}

impl Table {
    fn lowest(&self) -> i32 {
        (3..).find(|number| !self.open.contains_key(number)).unwrap_or(-1)
    }

    fn open(&mut self, kind: Kind) -> i32 {
        let number = self.lowest();
        self.open.insert(number, kind);
        number
    }

    fn make(&mut self, kind: Kind) {
        let first = self.open(kind);
        if matches!(kind, Kind::Eventfd | Kind::Epoll) {
            return self.places.push(first);
        }
        let second = self.open(kind);
        if kind == Kind::Tcp {
            // The listening socket is closed once the third one is accepted.
            let accepted = self.open(kind);
            self.open.remove(&first);
            return self.places.extend([accepted, second]);
        }
        self.places.extend([first, second]);
    }

    fn kind(&self, place: usize) -> Option<Kind> {
        self.open.get(self.places.get(place)?).copied()
    }

    fn close(&mut self, place: usize) {
        self.open.remove(&self.places[place]);
    }

    fn close_range(&mut self, first: usize, last: usize) {
        let number = |place: usize| self.places.get(place).copied().unwrap_or(-1);
        let (first, last) = (number(first), number(last));
        if (3..=last).contains(&first) {
            self.open.retain(|number, _| !(first..=last).contains(number));
        }
    }

    fn dup(&mut self, place: usize) {
        let number = match self.kind(place) {
            Some(kind) => self.open(kind),
            None => -1,
        };
        self.places.push(number);
    }

    fn dup2(&mut self, place: usize, onto: usize) {
        if let (Some(kind), 3..) = (self.kind(place), self.places[onto]) {
            self.open.insert(self.places[onto], kind);
        }
    }
}

/// The walk of a seed.
pub fn generate(seed: u64, length: usize) -> Vec<Step> {
    let mut random = Random(seed);
    let outer_edges = random.chance(50);
    let mut maker =
        Maker { random, steps: Vec::new(), table: Table::default(), epolls: Vec::new(), outer_edges };
    maker.make(Kind::Epoll);
    let kind = maker.random.pick(&FILES);
    maker.make(kind);
    while maker.steps.len() < length {
        maker.step();
    }
    maker.steps
}

impl Maker {
    fn make(&mut self, kind: Kind) {
        if kind == Kind::Epoll {
            self.epolls.push(self.table.places.len());
        }
        self.table.make(kind);
        self.steps.push(Step::Make(kind));
    }

    /// A descriptor: mostly a recent one, for those are more often alive.
    fn descriptor(&mut self) -> usize {
        let all = self.table.places.len();
        let back = if self.random.chance(10) { all } else { all.min(8) };
        all - 1 - self.random.below(back)
    }

    fn step(&mut self) {
        let ep = self.random.pick(&self.epolls);
        let f = self.descriptor();
        let step = match self.random.below(100) {
            0..3 => {
                let kind = self.random.pick(&FILES);
                return self.make(kind);
            }
            3 if self.epolls.len() < 6 => return self.make(Kind::Epoll),
            3..24 => self.ctl(ep, f),
            24..47 => {
                let max = if self.random.chance(30) { 1 + self.random.below(2) as i32 } else { 16 };
                Step::Wait { ep, max }
            }
            47..63 => Step::Write { f, bytes: 1 + self.random.below(10) },
            63..75 => Step::Read { f, bytes: 1 + self.random.below(12) },
            75..81 => Step::Drain { f },
            81..83 => Step::Fill { f },
            83..86 => Step::Poll { f: if self.random.chance(50) { ep } else { f }, events: 0x1f },
            86 => Step::Select { f: ep },
            87..89 => {
                let least = usize::from(self.table.kind(f) == Some(Kind::Unix));
                Step::Shutdown { f, how: (least + self.random.below(3 - least)) as i32 }
            }
            89..92 => {
                self.table.close(f);
                Step::Close { f }
            }
            92..94 => {
                self.table.dup(f);
                Step::Dup { f }
            }
            94 => {
                let onto = self.descriptor();
                self.table.dup2(f, onto);
                Step::Dup2 { f, onto }
            }
            95 => {
                let last = f + self.random.below(2);
                self.table.close_range(f, last);
                Step::CloseRange { first: f, last }
            }
            96 if self.table.kind(f) != Some(Kind::Eventfd) => Step::Fork { f },
            97 => Step::Wait { ep, max: self.random.pick(&[0, -1, i32::MAX]) },
            _ => Step::Wait { ep, max: 8 },
        };
        self.steps.push(step);
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
        let kind = self.table.kind(f);
        let tells_of_room = matches!(kind, Some(Kind::Pipe | Kind::Unix | Kind::Dgram | Kind::Udp));
        if tells_of_room && (self.outer_edges || events & EPOLLET as u32 != 0) {
            events &= !(EPOLLOUT as u32);
        }
        if kind == Some(Kind::Epoll) && !self.outer_edges {
            events &= !(EPOLLET as u32);
        }
        let data = self.random.next() >> self.random.below(64);
        // The text keeps 63 bits.
        Step::Ctl { ep, op, f, events, data: data >> 1 }
    }
}

/// Each bit of an interest, and in how many of a hundred it stands.
const BITS: [(i32, usize); 11] = [
    (EPOLLIN, 75),
    (EPOLLOUT, 35),
    (EPOLLRDHUP, 20),
    (EPOLLPRI, 10),
    (EPOLLRDNORM, 5),
    (EPOLLERR, 5),
    (EPOLLHUP, 5),
    (EPOLLET, 40),
    (EPOLLONESHOT, 15),
    (EPOLLEXCLUSIVE, 3),
    (1 << 20, 2),
];
