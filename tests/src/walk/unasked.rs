//! The steps that walks leave out if the library polls files only when the program waits (`Terms::any_order`): hot
//! items and polled files.
//!
//! - Data that comes to an edge-triggered TCP connection and is read before a wait has reported it: the kernel
//!   remembers the edge, and reports that there is room. So a walk does not read such a connection before it has
//!   waited for every set. It does not fill one either, because more comes while it is drained, and it watches none
//!   whose other end it does not know.
//! - For an item that asks only for priority data and room, any data is such an edge.

use std::collections::BTreeSet;

use super::step::{Kind, Step};
use super::world::{World, ROOM};
use libc::{EPOLLET, EPOLLIN, EPOLLPRI, EPOLLRDBAND, EPOLLRDHUP, EPOLLRDNORM};

const READS: u32 = (EPOLLIN | EPOLLRDNORM) as u32;
const URGENT: u32 = (EPOLLPRI | EPOLLRDBAND) as u32;

/// Which sets have not reported yet what has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Untold {
    /// A file, and a set in which an edge-triggered item asked for data and room.
    watched: BTreeSet<(usize, usize)>,
    news: BTreeSet<(usize, usize)>,
}

impl World {
    fn watches_both(&self, file: usize) -> bool {
        self.untold.watched.iter().any(|(watched, _)| *watched == file)
    }

    /// Keeps account of a step.
    pub(super) fn note_untold(&mut self, step: &Step) {
        let fed = self.fed_by(step);
        match *step {
            Step::Ctl { ep, f, events, .. } if events & EPOLLET as u32 != 0 && events & ROOM != 0 => {
                if let Some((file, ep)) = self.file_at(f).zip(self.file_at(ep)) {
                    if self.files[file].kind == Kind::Tcp && events & (READS | EPOLLRDHUP as u32) != 0 {
                        self.untold.watched.insert((file, ep));
                    }
                }
            }
            Step::Wait { ep, max: 1.. } | Step::Sleep { ep, .. } | Step::Rounds { ep, .. } => {
                let waited = self.file_at(ep);
                self.untold.news.retain(|(_, ep)| Some(*ep) != waited);
            }
            _ => {}
        }
        let watched = self.untold.watched.iter().filter(|(file, _)| fed.contains(file));
        self.untold.news.extend(watched);
    }

    /// Whether polling at the next wait shows all that the kernel would report for a step.
    pub(super) fn may_unasked(&self, step: &Step) -> bool {
        match *step {
            Step::Read { f, .. } | Step::Drain { f } => {
                let file = self.file_at(f);
                !self.untold.news.iter().any(|(untold, _)| Some(*untold) == file)
            }
            Step::Fill { f } => {
                let peer = self.file_at(f).and_then(|file| self.files[file].peer);
                !peer.is_some_and(|peer| self.watches_both(peer))
            }
            Step::Ctl { f, events, op, .. } if op != libc::EPOLL_CTL_DEL && events & EPOLLET as u32 != 0 => {
                let file = self.file_at(f).map(|file| self.files[file]);
                let Some(file) = file.filter(|file| file.kind == Kind::Tcp) else { return true };
                let urgent = events & URGENT != 0 && events & READS == 0;
                !urgent && (events & ROOM == 0 || file.peer.is_some() && !file.unread)
            }
            _ => true,
        }
    }
}
