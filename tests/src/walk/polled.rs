//! The steps that walks leave out if the library polls every file (`Terms::polled`).
//!
//! - Data on top of unread data, for an edge-triggered item: the library notices it 10 ms late, and not at all on a
//!   listening socket or on a TCP connection whose other end the walk does not know.
//! - An edge-triggered item on several datagrams: after a read of one datagram the library reports it again.
//! - The other end of a socket that was shut down, and urgent data: the kernel wakes edge-triggered items whatever
//!   they ask for, and poll does not show it.
//! - Outer edges: the library does not poll an item that is on a ready list.

use super::step::{Kind, Step, Work};
use super::world::{File, World};
use libc::EPOLLET;

impl World {
    /// The files that may have more to read after a step, although no call of the program on them says so.
    pub(super) fn fed_by(&self, step: &Step) -> Vec<usize> {
        match *step {
            Step::Write { f, .. }
            | Step::Fill { f }
            | Step::Oob { f }
            | Step::Fork { f, work: Work::Write } => {
                self.file_at(f).and_then(|file| self.files[file].peer).into_iter().collect()
            }
            Step::Connect { f } => self.file_at(f).into_iter().collect(),
            Step::Touch {} => {
                (0..self.files.len()).filter(|file| self.files[*file].kind == Kind::Inotify).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether polling its files shows all that the kernel would report for a step.
    pub(super) fn may_polled(&self, step: &Step) -> bool {
        let on_top = |file: &usize| self.files[*file].edge && self.files[*file].unread;
        if self.fed_by(step).iter().any(on_top) {
            return false;
        }
        // If the peer refuses the data, the writing socket gets an error, which its next call returns.
        if let Step::Write { f, .. } | Step::Fill { f } | Step::Fork { f, work: Work::Write } = *step {
            let edge =
                |file: usize| self.files[file].edge && (self.files[file].unread || self.peer(f).is_none());
            if self.kind(f) == Some(Kind::Udp) && self.file_at(f).is_some_and(edge) {
                return false;
            }
        }
        let file = |place: usize| self.file_at(place).map(|file| self.files[file]);
        let peer = |place: usize| file(place)?.peer.map(|peer| self.files[peer]);
        match *step {
            Step::Ctl { f, events, op, .. } if op != libc::EPOLL_CTL_DEL && events & EPOLLET as u32 != 0 => {
                let Some(file) = file(f) else { return true };
                let is_shut = file.shut || peer(f).is_some_and(|peer| peer.shut);
                match file.kind {
                    _ if is_shut => false,
                    Kind::Epoll => false,
                    Kind::Tcp => file.peer.is_some() && !file.unread,
                    Kind::Dgram | Kind::Udp => !file.unread,
                    _ => true,
                }
            }
            // If there are several, a read would take one.
            Step::Fill { f } => {
                !peer(f).is_some_and(|peer| peer.edge && matches!(peer.kind, Kind::Dgram | Kind::Udp))
            }
            Step::Oob { f } => !peer(f).is_some_and(|peer| peer.edge),
            Step::Shutdown { f, how } => {
                let ends: Vec<File> = file(f).into_iter().chain(peer(f)).collect();
                let edge = ends.iter().any(|file| file.edge);
                !edge || !ends.iter().any(|file| file.shut) && how == libc::SHUT_WR
            }
            _ => true,
        }
    }
}
