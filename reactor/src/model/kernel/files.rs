//! Open files: eventfds, the signalfd, and files whose readiness a model sets.

use super::{lock, Sleep, State};
use crate::uapi::*;

/// The kind of a file, as fstat(2) and getsockopt(2) report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Its signals report every wakeup.
    Pipe,
    /// The kernel counts the bytes that have arrived.
    Tcp,
}

#[derive(Debug)]
pub(super) struct Watched {
    pub(super) sort: Sort,
    pub(super) ready: u32,
    pub(super) received: u64,
    /// The fd by which O_ASYNC was set.
    pub(super) fasync: Option<i32>,
    pub(super) owner: i32,
}

#[derive(Debug)]
pub(super) enum Open {
    Event(u64),
    Signals,
    Watched(Watched),
}

/// Opens a file whose readiness the model sets.
pub fn open(fd: i32, sort: Sort) -> usize {
    let mut state = lock();
    let file = Watched { sort, ready: 0, received: 0, fasync: None, owner: 0 };
    state.open.push(Open::Watched(file));
    let at = state.open.len() - 1;
    state.numbers.insert(fd, at);
    at
}

/// Something arrives: first a poll finds it, then it is signalled.
pub fn arrive(file: usize, bits: u32) {
    let mut state = lock();
    let Some(found) = state.watched(file) else { return };
    found.ready |= bits;
    found.received += 1;
    state.ring(file, bits);
    drop(state);
    lock().signal(file, bits);
}

/// All of it is read.
pub fn drain(file: usize, bits: u32) {
    if let Some(file) = lock().watched(file) {
        file.ready &= !bits;
    }
}

/// Whether a thread sleeps in ppoll with the file in its list, which holds it open, or has not woken yet.
pub fn is_slept_on(file: usize) -> bool {
    let has = |on: &Sleep| matches!(on, Sleep::Poll(files) if files.iter().any(|(other, _)| *other == file));
    lock().sleepers.iter().any(|sleeper| has(&sleeper.on))
}

/// Whether it signals.
pub fn is_armed(file: usize) -> bool {
    lock().watched(file).is_some_and(|file| file.fasync.is_some() && file.owner != 0)
}

/// The fd stands for another file from now on: dup2(2).
pub fn renumber(fd: i32, file: usize) {
    lock().numbers.insert(fd, file);
}

/// The fd is closed.
pub fn close(fd: i32) {
    lock().numbers.remove(&fd);
}

impl State {
    pub(super) fn watched(&mut self, file: usize) -> Option<&mut Watched> {
        match self.open.get_mut(file) {
            Some(Open::Watched(file)) => Some(file),
            _ => None,
        }
    }

    /// The answer of poll(2) for an fd.
    pub(super) fn ready(&self, fd: i32) -> (Option<usize>, u32) {
        let Some(file) = self.numbers.get(&fd).copied() else { return (None, EPOLLNVAL) };
        let ready = match &self.open[file] {
            Open::Event(0) => EPOLLOUT,
            Open::Event(_) => EPOLLIN | EPOLLOUT,
            Open::Signals if self.signals.is_empty() && !self.sigio => 0,
            Open::Signals => EPOLLIN,
            Open::Watched(file) => file.ready,
        };
        (Some(file), ready)
    }

    /// Wakes the sleepers that wait for the file.
    pub(super) fn ring(&mut self, file: usize, bits: u32) {
        self.wake(usize::MAX, |on| match on {
            Sleep::Poll(files) => files.iter().any(|(other, events)| *other == file && events & bits != 0),
            Sleep::Futex(_) => false,
        });
    }
}
