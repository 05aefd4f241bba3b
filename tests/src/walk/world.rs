//! What a walk has open: the descriptor table as the kernel will have it, and which steps a walk may have.
//!
//! Walks leave out some steps, because the kernel's answer depends on time or on what userspace cannot see:
//! - Edges of OUT on pipes, FIFOs, terminals, unix and datagram sockets: the kernel reports room whenever a peer reads,
//!   even if there was room before; the signals of a file do so more rarely (sockets) or more often (pipes). So no walk
//!   has both such an OUT and an edge-triggered item that could see it, in its own set or in an outer one.
//! - Edges on a TCP socket that shut itself down: the kernel wakes it without a new event when its FIN is acknowledged,
//!   which may be 40 ms later, or when a FIN comes that the socket no longer wants.
//! - SHUT_RD on a unix stream: its peer gets no new event, and no signal.
//! - A terminal that is filled: a kernel thread decides how much it takes, and when there is room again.
//! - Edges on terminals: a terminal hangs up without a signal, so the library misses it below an outer edge.
//! - A timer set anew before it was read, below an outer edge: the library does not poll an item that is on a ready
//!   list.
//! - Both ends of a file closed by one close_range: the kernel closes the last one first, and an outer set sees that
//!   end.
//! - A write to an eventfd, or the expiry of a timer, by a child: this process sees no second edge.
//!
//! A mode in which events come in no order leaves out more (`unasked`), and so does a mode that polls every file
//! (`polled`).

use std::collections::BTreeMap;

use super::step::{Kind, Step, Work};
use super::terms::{Terms, WIDE};
use super::unasked::Untold;
use libc::{EPOLLET, EPOLLOUT, EPOLLWRBAND, EPOLLWRNORM};

/// Room to write.
pub const ROOM: u32 = (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND) as u32;

/// How many connections may wait on a listening socket.
pub const BACKLOG: usize = 4;

/// An open file description.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) kind: Kind,
    /// The other end.
    pub(super) peer: Option<usize>,
    /// An edge-triggered item has watched it.
    pub(super) edge: bool,
    /// It was shut down.
    pub(super) shut: bool,
    /// Its timer was set.
    set: bool,
    /// Connections that wait to be accepted.
    pending: usize,
    /// There may be something to read.
    pub(super) unread: bool,
}

impl File {
    /// Whether the library could report too many or too few edges of it.
    fn is_vague(&self, events: u32) -> bool {
        self.kind == Kind::Pty || self.kind.tells_of_room() && events & ROOM != 0
    }
}

/// What is open after the steps so far.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub(super) files: Vec<File>,
    /// Which file each fd stands for.
    open: BTreeMap<i32, usize>,
    /// The fd at each place of the runner's list.
    places: Vec<i32>,
    /// Whether an outer item watches an epoll for edges.
    outer_edge: bool,
    terms: Terms,
    pub(super) untold: Untold,
    /// How many ADDs there were, successful or not.
    additions: usize,
    /// Whether an outer item could report too many or too few edges of a watched file.
    vague: bool,
}

impl World {
    /// Nothing is open yet.
    pub fn new(terms: Terms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// How many items there are at most.
    pub fn additions(&self) -> usize {
        self.additions
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    pub(super) fn file_at(&self, place: usize) -> Option<usize> {
        self.open.get(self.places.get(place)?).copied()
    }

    /// The kind of the file at a place.
    pub fn kind(&self, place: usize) -> Option<Kind> {
        self.file_at(place).map(|file| self.files[file].kind)
    }

    /// A place of the other end of the file at a place.
    pub fn peer(&self, place: usize) -> Option<usize> {
        let peer = self.files[self.file_at(place)?].peer?;
        (0..self.places.len()).rev().find(|place| self.file_at(*place) == Some(peer))
    }

    fn lowest(&self, from: i32) -> i32 {
        (from..).find(|fd| !self.open.contains_key(fd)).unwrap_or(-1)
    }

    fn file(&mut self, kind: Kind) -> usize {
        self.files.push(File {
            kind,
            peer: None,
            edge: false,
            shut: false,
            set: false,
            pending: 0,
            unread: false,
        });
        self.files.len() - 1
    }

    fn give_fd(&mut self, file: usize, from: i32) -> i32 {
        let fd = self.lowest(from);
        self.open.insert(fd, file);
        fd
    }

    fn make(&mut self, kind: Kind) {
        let first = self.file(kind);
        let fd = self.give_fd(first, 3);
        if kind.places() == 1 {
            return self.places.push(fd);
        }
        let second = self.file(kind);
        self.files[first].peer = Some(second);
        self.files[second].peer = Some(first);
        let other = self.give_fd(second, 3);
        if kind == Kind::Tcp {
            // The listening socket is closed once the third one is accepted.
            let accepted = self.give_fd(first, 3);
            self.open.remove(&fd);
            return self.places.extend([accepted, other]);
        }
        self.places.extend([fd, other]);
    }

    fn fd(&self, place: usize) -> i32 {
        self.places.get(place).copied().unwrap_or(-1)
    }

    /// Another fd for a file; it gets a place even if the call fails.
    fn duplicate(&mut self, place: usize, from: i32) {
        let fd = match self.file_at(place) {
            Some(file) => self.give_fd(file, from),
            None => -1,
        };
        self.places.push(fd);
    }

    /// Takes a step. False: a walk must not have this step here, and nothing has changed.
    pub fn go(&mut self, step: &Step) -> bool {
        if !self.may(step) {
            return false;
        }
        self.note_untold(step);
        for fed in self.fed_by(step) {
            self.files[fed].unread = true;
        }
        match *step {
            Step::Make(kind) => self.make(kind),
            Step::Ctl { f, op, events, .. } if op != libc::EPOLL_CTL_DEL => {
                self.additions += usize::from(op == libc::EPOLL_CTL_ADD);
                self.note_interest(f, events);
            }
            Step::Shutdown { f, how } => {
                if let Some(file) = self.file_at(f).map(|file| &mut self.files[file]) {
                    file.shut |= how != libc::SHUT_RD || file.kind != Kind::Unix;
                    self.vague |= file.shut && file.kind == Kind::Tcp;
                }
            }
            Step::Expire { f } => {
                if let Some(file) = self.file_at(f) {
                    self.files[file].set = true;
                }
            }
            Step::Drain { f } => {
                if let Some(file) = self.file_at(f).map(|file| &mut self.files[file]) {
                    file.unread &= file.kind == Kind::Listener;
                }
            }
            Step::Close { f } => {
                self.open.remove(&self.fd(f));
            }
            Step::Dup { f } => self.duplicate(f, 3),
            Step::DupFrom { f, from } => self.duplicate(f, from),
            Step::Dup2 { f, onto } => {
                if let (Some(file), onto @ 3..) = (self.file_at(f), self.fd(onto)) {
                    self.open.insert(onto, file);
                }
            }
            Step::CloseRange { first, last } => {
                let (first, last) = (self.fd(first), self.fd(last));
                if (3..=last).contains(&first) {
                    self.open.retain(|fd, _| !(first..=last).contains(fd));
                }
            }
            Step::Pass { what, .. } => self.duplicate(what, 3),
            Step::Connect { f } => self.connect(f),
            Step::Accept { f } => self.accept(f),
            _ => {}
        }
        true
    }

    fn connect(&mut self, place: usize) {
        if let Some(listener) = self.file_at(place).map(|file| &mut self.files[file]) {
            listener.pending += usize::from(!listener.shut);
        }
        let file = self.file(Kind::Tcp);
        let fd = self.give_fd(file, 3);
        self.places.push(fd);
    }

    fn accept(&mut self, place: usize) {
        let listener = self.file_at(place).map(|file| &mut self.files[file]);
        let fd = match listener {
            Some(listener) if !listener.shut && listener.pending > 0 => {
                listener.pending -= 1;
                listener.unread = listener.pending > 0;
                let file = self.file(Kind::Tcp);
                self.give_fd(file, 3)
            }
            _ => -1,
        };
        self.places.push(fd);
    }

    fn note_interest(&mut self, place: usize, events: u32) {
        let Some(file) = self.file_at(place) else { return };
        let edge = events & EPOLLET as u32 != 0;
        self.files[file].edge |= edge;
        self.outer_edge |= edge && self.files[file].kind == Kind::Epoll;
        self.vague |= self.files[file].is_vague(events);
    }

    fn may(&self, step: &Step) -> bool {
        if self.terms.polled && !self.may_polled(step) || self.terms.any_order && !self.may_unasked(step) {
            return false;
        }
        match *step {
            Step::Ctl { f, events, op, .. } if op != libc::EPOLL_CTL_DEL => {
                let Some(file) = self.file_at(f).map(|file| self.files[file]) else { return true };
                let edge = events & EPOLLET as u32 != 0;
                let outer_edge = edge && file.kind == Kind::Epoll;
                let seen_by_edge = edge || self.outer_edge;
                let anything_vague = self.vague || self.files.iter().any(|file| file.set);
                let shut = file.kind == Kind::Tcp && file.shut;
                !(seen_by_edge && file.is_vague(events) || outer_edge && anything_vague || edge && shut)
            }
            // Which events come first is not known.
            Step::Wait { max: 1..WIDE, .. } | Step::Sleep { max: 1..WIDE, .. } => !self.terms.any_order,
            Step::CloseRange { first, last } => {
                let (first, last) = (self.fd(first), self.fd(last));
                let inside = |fd: i32| (first..=last).contains(&fd);
                let files: Vec<usize> =
                    self.open.iter().filter(|(n, _)| inside(**n)).map(|(_, f)| *f).collect();
                !files.iter().any(|file| self.files[*file].peer.is_some_and(|peer| files.contains(&peer)))
            }
            Step::Fill { f } => self.kind(f) != Some(Kind::Pty),
            Step::Expire { f } => {
                !(self.outer_edge && self.file_at(f).is_some_and(|file| self.files[file].set))
            }
            Step::Shutdown { f, how } => {
                let Some(file) = self.file_at(f).map(|file| self.files[file]) else { return true };
                match file.kind {
                    Kind::Unix => how != libc::SHUT_RD,
                    Kind::Tcp => !file.edge && !self.outer_edge,
                    _ => true,
                }
            }
            Step::Fork { f, work: Work::Write } => {
                !matches!(self.kind(f), Some(Kind::Eventfd | Kind::Timerfd))
            }
            // The child has a copy of a set that the kernel would share: a limit.
            Step::Fork { f, work: Work::Watch } => self.kind(f) != Some(Kind::Epoll),
            // An epoll that comes in a message is not ours: a limit.
            Step::Pass { over, to, what } => {
                let ends = self.file_at(over).zip(self.file_at(to));
                ends.is_some_and(|(over, to)| {
                    let (over, is_peer) = (self.files[over], self.files[over].peer == Some(to));
                    over.kind == Kind::Unix && is_peer && !over.shut && !self.files[to].shut
                }) && self.kind(what).is_some_and(|kind| kind != Kind::Epoll)
            }
            // Only a connection that is known to succeed, because later fds depend on it.
            Step::Connect { f } => {
                self.kind(f) == Some(Kind::Listener)
                    && self.file_at(f).is_some_and(|file| self.files[file].pending < BACKLOG)
            }
            Step::Accept { f } => self.kind(f) == Some(Kind::Listener),
            Step::DupFrom { f, .. } => self.kind(f).is_some(),
            _ => true,
        }
    }
}

/// Whether a walk has only steps that it may have.
pub fn is_fair(walk: &[Step], terms: Terms) -> bool {
    let mut world = World::new(terms);
    walk.iter().all(|step| world.go(step))
}
