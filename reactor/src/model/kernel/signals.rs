//! The queue of signals of the process. Linux: `fs/fcntl.c:kill_fasync`, `send_sigio_to_task`.

use super::{Open, State};
use crate::uapi::*;

impl State {
    /// Signals the owner of the file.
    pub(super) fn signal(&mut self, file: usize, bits: u32) {
        let Some(found) = self.watched(file) else { return };
        let (Some(fd), true) = (found.fasync, found.owner != 0) else { return };
        let band = if bits & EPOLLIN != 0 { EPOLLIN | EPOLLRDNORM } else { EPOLLOUT | EPOLLWRNORM };
        if self.room.is_some_and(|room| self.signals.len() >= room) {
            self.sigio = true;
        } else {
            self.signals.push_back((fd, band));
        }
        let signalfds: Vec<usize> =
            (0..self.open.len()).filter(|at| matches!(self.open[*at], Open::Signals)).collect();
        for signalfd in signalfds {
            self.ring(signalfd, EPOLLIN);
        }
    }
}
