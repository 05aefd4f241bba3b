//! What a wait does about the hot items before it asks them.

use libc::pollfd;

use crate::eventpoll::{Eventpoll, Tree};
use crate::hot::demote::take_drain_hint;
use crate::hot::slot::HotSlot;
use crate::hot::transition::{Event, Phase};
use crate::hot::{MOST_AT_ONCE, ROOM_ROUNDS};
use crate::sys;
use crate::uapi::*;

impl Eventpoll {
    /// Called before the list is asked. Edge-triggered items that the program has drained are asked for reading
    /// again, and quiet items begin to leave.
    pub(crate) fn prepare_round(&self, tree: &mut Tree) {
        tree.hot.begin_round();
        if tree.hot.taken {
            return;
        }
        if !tree.hot.owed.is_empty() {
            self.learn_all(tree);
        }
        if tree.hot.is_time_to_sweep() {
            for id in tree.hot.quiet(MOST_AT_ONCE) {
                self.begin_to_leave(tree, id);
            }
        }
        if tree.hot.round.is_multiple_of(ROOM_ROUNDS) {
            look_for_room(tree);
        }
    }

    /// Finds out which of the reported edge-triggered items the program has drained. Demotes the others.
    fn learn_all(&self, tree: &mut Tree) {
        let mut undrained = Vec::new();
        let mut owed = std::mem::take(&mut tree.hot.owed);
        let ready = self.lock.lock();
        for id in owed.drain(..) {
            let Some(item) = ready.list.get(id) else { continue };
            let place = item.place();
            let slot = tree.hot.slot(place).filter(|slot| slot.phase == Phase::Owed);
            let Some(mut slot) = slot.copied() else { continue };
            let event = if slot.has_ended() {
                slot.not_drained()
            } else {
                slot.learn(take_drain_hint(item).drained())
            };
            match event {
                Event::Drained => {
                    slot.take(event);
                    tree.hot.change(place, |now| *now = slot);
                }
                _ => undrained.push((id, event)),
            }
        }
        drop(ready);
        tree.hot.owed = owed;
        for (id, event) in undrained {
            self.demote(tree, id, event);
        }
    }
}

/// Finds edge-triggered items whose room to write has gone by a write that we did not see.
fn look_for_room(tree: &mut Tree) {
    let edges = |slot: &HotSlot| slot.events & EPOLLET != 0 && slot.seen & EPOLLOUT != 0;
    let places: Vec<u32> = (0..tree.hot.len() as u32)
        .filter(|place| tree.hot.slot(*place).is_some_and(edges) && tree.hot.fds[*place as usize].fd >= 0)
        .collect();
    if places.is_empty() {
        return;
    }
    let ask =
        |place: &u32| pollfd { fd: tree.hot.fds[*place as usize].fd, events: libc::POLLOUT, revents: 0 };
    let mut fds: Vec<pollfd> = places.iter().map(ask).collect();
    let _ = sys::poll_now(&mut fds);
    for (place, pollfd) in places.into_iter().zip(fds) {
        if pollfd.revents == 0 {
            tree.hot.change(place, |slot| slot.seen &= !(WRITE_SIDE & !ENDS));
        }
    }
}
