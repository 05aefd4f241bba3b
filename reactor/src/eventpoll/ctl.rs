//! Adding, changing and removing items.
//!
//! Linux: `fs/eventpoll.c:do_epoll_ctl`, `ep_insert`, `ep_modify`, `ep_remove`.

use crate::eventpoll::epitem::{Epitem, Known};
use crate::eventpoll::item_tree::NIL;
use crate::eventpoll::loop_check;
use crate::eventpoll::{demote_file, Eventpoll, Ready, Tree};
use crate::file::{File, ItemRef, PollResult, NO_POLLER_ID};
use crate::hot::state::NO_PLACE;
use crate::hot::transition::{transition, Action, Event, State};
use crate::mutation::is;
use crate::sync::{Arc, CountedGuard, Ordering};
use crate::sys::Errno;
use crate::trace;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

impl Eventpoll {
    /// The part of epoll_ctl(2) after the shim has looked up the descriptors and found the target pollable.
    ///
    /// # Errors
    /// EINVAL, ELOOP, EEXIST, ENOENT, ENOSPC, as in epoll_ctl(2) and in the kernel's order.
    pub fn ctl(
        self: &Arc<Self>,
        op: i32,
        target: &Arc<File>,
        fd: i32,
        event: EpollEvent,
    ) -> Result<(), Errno> {
        let mut item = 0;
        let result = self.do_ctl(op, target, fd, event, &mut item);
        trace::ctl(self.about(item), op, fd, event, result);
        result
    }

    /// Traces a call that the shim refused.
    pub fn refuse(&self, op: i32, fd: i32, event: EpollEvent, errno: Errno) {
        trace::ctl(self.about(0), op, fd, event, Err(errno));
    }

    /// EPOLL_CTL_MOD without EPOLLEXCLUSIVE, or EPOLL_CTL_DEL, of the item whose fd is `fd` and whose file
    /// `is_it`. None: there is no such item. As `ctl`, but the caller need not hold the file, for the item
    /// holds it.
    ///
    /// # Errors
    /// EINVAL, as in epoll_ctl(2).
    pub fn change(
        self: &Arc<Self>,
        op: i32,
        fd: i32,
        is_it: impl Fn(&Arc<File>) -> bool,
        event: EpollEvent,
    ) -> Option<Result<(), Errno>> {
        let mut tree = self.mtx.lock();
        self.count(&mut tree, 1);
        let ready = self.lock.lock();
        let item = find(&tree, &ready, is_it, fd)?;
        let serial = ready.list.get(item).map_or(0, |item| item.serial);
        let result = if op == EPOLL_CTL_MOD {
            self.modify(tree, ready, item, event)
        } else {
            self.remove(&mut tree, ready, item);
            drop(tree);
            Ok(())
        };
        trace::ctl(self.about(serial), op, fd, event, result);
        Some(result)
    }

    /// Linux: `fs/eventpoll.c:do_epoll_ctl`.
    fn do_ctl(
        self: &Arc<Self>,
        op: i32,
        target: &Arc<File>,
        fd: i32,
        event: EpollEvent,
        serial: &mut u64,
    ) -> Result<(), Errno> {
        let nested = target.eventpoll();
        if nested.is_some_and(|inner| Arc::ptr_eq(inner, self)) {
            return Err(Errno::EINVAL);
        }
        if op != EPOLL_CTL_DEL && event.events & EPOLLEXCLUSIVE != 0 {
            let events = event.events;
            let refused = op == EPOLL_CTL_MOD
                || op == EPOLL_CTL_ADD && (nested.is_some() || events & !EPOLLEXCLUSIVE_OK_BITS != 0);
            if refused {
                return Err(Errno::EINVAL);
            }
        }
        let check = op == EPOLL_CTL_ADD && (nested.is_some() || !self.poll_wait.is_empty());
        let check = check.then(loop_check::begin);
        if let (Some(check), Some(inner)) = (&check, nested) {
            check.refuse_loops(self, inner)?;
        }
        if op == EPOLL_CTL_ADD {
            demote_file(target);
        }
        let mut tree = self.mtx.lock();
        if tree.dead {
            return Err(Errno::EBADF);
        }
        self.count(&mut tree, 1);
        let ready = self.lock.lock();
        let found = find(&tree, &ready, |file| Arc::ptr_eq(file, target), fd);
        *serial = found.and_then(|id| ready.list.get(id)).map_or(0, |item| item.serial);
        match (op, found) {
            (EPOLL_CTL_ADD, None) => {
                let item = self.insert(&mut tree, ready, target, fd, event, serial)?;
                if check.is_some_and(|check| check.too_many_paths(target)) {
                    self.remove(&mut tree, self.lock.lock(), item);
                    return Err(Errno::EINVAL);
                }
                self.first_poll(tree, item);
                Ok(())
            }
            (EPOLL_CTL_ADD, Some(_)) => Err(Errno::EEXIST),
            (EPOLL_CTL_MOD, Some(item)) => self.modify(tree, ready, item, event),
            (EPOLL_CTL_DEL, Some(item)) => {
                self.remove(&mut tree, ready, item);
                Ok(())
            }
            (EPOLL_CTL_MOD | EPOLL_CTL_DEL, None) => Err(Errno::ENOENT),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Linux: `fs/eventpoll.c:ep_insert`, up to the first poll.
    pub(super) fn insert(
        self: &Arc<Self>,
        tree: &mut Tree,
        mut ready: CountedGuard<'_, Ready>,
        file: &Arc<File>,
        fd: i32,
        event: EpollEvent,
        known_as: &mut u64,
    ) -> Result<u32, Errno> {
        self.shared.user_watches.take()?;
        let serial = self.shared.next_item();
        *known_as = serial;
        let events = event.events | EPOLLERR | EPOLLHUP;
        let next = tree.rbr.first(fd);
        let mut item = Epitem::new(file.clone(), fd, serial, events, event.data, next);
        item.show(self.id());
        let exclusive = item.is_exclusive();
        let id = ready.list.insert(item);
        if let (Some(observed), Some(item)) = (&mut tree.observed, ready.list.get(id)) {
            observed.added(item.key(), id);
        }
        drop(ready);
        tree.rbr.set_first(fd, id);
        let item = || ItemRef { ep: self.this.clone(), id, serial, exclusive };
        file.wait_head().add_item(item());
        if let Some(inner) = file.eventpoll() {
            // A watched set must report each wakeup, which hot items do not.
            inner.demote_hot_items();
        }
        let event = if self.may_be_hot(tree, file, events) { Event::Fits } else { Event::Unfit };
        if let (State::Hot(_), _) = transition(State::New, event) {
            self.add_hot(tree, id, 0);
        } else if let Some(device) = file.device() {
            let poller_id = device.attach(file, &item(), events);
            if device.depends_on_thread() {
                self.depends_on_thread.store(true, Ordering::SeqCst);
            }
            if poller_id != NO_POLLER_ID {
                self.rewatch(id, poller_id);
            }
        }
        Ok(id)
    }

    /// Asks the file of a new or changed item, and queues the item if it is ready.
    /// Linux: the second half of `fs/eventpoll.c:ep_insert` and of `ep_modify`.
    fn first_poll(&self, tree: CountedGuard<'_, Tree>, id: u32) {
        if is("armed_and_not_asked") {
            return;
        }
        let Known { file, events, poller_id, .. } = {
            let ready = self.lock.lock();
            let Some(item) = ready.list.get(id) else { return };
            if item.place() != NO_PLACE {
                // The next wait asks it.
                return;
            }
            item.known(id)
        };
        if let (Some(device), true) = (file.device(), self.is_busy()) {
            // A wakeup that came earlier and what the poll below finds are one edge: drain the wakeup first.
            // For a set that is not busy the caller has done so.
            device.catch_up();
        }
        let found = self.item_poll(&file, events, 1);
        file.note_ends(found);
        let revents = found & events;
        let mut waiter = None;
        let mut pwake = false;
        let queued = {
            let mut ready = self.lock.lock();
            if revents != 0 && !ready.list.is_linked(id) {
                ready.list.add_tail(id);
                self.note_ready(&mut ready, id, Moment::now());
                waiter = ready.wq.pop().filter(|_| !is("a_changed_item_wakes_nobody"));
                pwake = !self.poll_wait.is_empty();
            }
            ready.list.is_linked(id)
        };
        self.rearm(&file, id, poller_id, PollResult { events, revents: found, queued });
        drop(tree);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        if pwake {
            self.safewake();
        }
    }

    /// The interest of an item without an entry with the poller has changed.
    fn interest_changed(&self, id: u32) {
        let item = {
            let ready = self.lock.lock();
            let Some(item) = ready.list.get(id).filter(|item| item.poller_id == NO_POLLER_ID) else { return };
            item.known(id)
        };
        if let Some(device) = item.file.device() {
            let poller_id = device.interest_changed(&item.file, &item.as_ref(&self.this), item.events);
            if poller_id != NO_POLLER_ID {
                self.rewatch(id, poller_id);
            }
        }
    }

    /// Linux: `fs/eventpoll.c:ep_modify`.
    fn modify(
        self: &Arc<Self>,
        mut tree: CountedGuard<'_, Tree>,
        mut ready: CountedGuard<'_, Ready>,
        id: u32,
        event: EpollEvent,
    ) -> Result<(), Errno> {
        let events = event.events | EPOLLERR | EPOLLHUP;
        let item = ready.list.get_mut(id).ok_or(Errno::ENOENT)?;
        if item.is_exclusive() {
            return Err(Errno::EINVAL);
        }
        let before = std::mem::replace(&mut item.events, events);
        item.data = event.data;
        item.shown.interest(events);
        let state = tree.hot.state(item.hot_state);
        if let State::Hot(_) = state {
            let place = item.place();
            let device = item.file.device().filter(|device| device.can_be_hot(events));
            if let (Some(device), true) = (device, events & EPOLLET != 0) {
                device.wants_drain_hints();
            }
            let may_stay = device.is_some() && tree.hot.sleepers == 0;
            drop(ready);
            tree.hot.change(place, |slot| (slot.events, slot.seen) = (events, 0));
            let event = if may_stay { Event::Changed } else { Event::Unfit };
            if let (State::Hot(_), _) = transition(state, event) {
                // The next wait asks it.
                return Ok(());
            }
            self.demote(&mut tree, id, event);
        } else {
            let (_, action) = transition(state, Event::Changed);
            let item = (action == Action::Consider && tree.hot.has_room()).then(|| item.known(id));
            drop(ready);
            let is_hot = item.is_some_and(|item| self.promote(&mut tree, &item, state, 0));
            if !is_hot && events & !before != 0 {
                self.interest_changed(id);
            }
        }
        self.first_poll(tree, id);
        Ok(())
    }

    /// Linux: `fs/eventpoll.c:ep_remove`.
    pub(crate) fn remove(&self, tree: &mut Tree, mut ready: CountedGuard<'_, Ready>, id: u32) {
        let action = self.step_removed(tree, &mut ready, id);
        erase(tree, &mut ready, id);
        let item = ready.list.remove(id);
        item.shown.remove();
        if let Some(observed) = &mut tree.observed {
            observed.removed(item.key(), id);
        }
        drop(ready);
        // A wakeup that still finds the item in the wait head finds no item here.
        item.file.wait_head().remove_item(item.serial);
        if let Some(device) = item.file.device() {
            if action == Action::Detach {
                device.detach(item.poller_id);
            }
            if tree.hot.is_stale() {
                // The item may have been hot before, and then a thread sleeps on its file, or is about to. That
                // thread was the first to wait, so it is the last in the queue. Once woken it does not sleep
                // again with the old list.
                let sleeper = self.lock.lock().wq.last();
                if let Some(sleeper) = sleeper {
                    sleeper.wake();
                }
                if !is("a_removal_does_not_quiesce") {
                    device.quiesce();
                }
            }
        }
        self.shared.user_watches.give_back(1);
    }
}

/// Linux: `fs/eventpoll.c:ep_find`.
pub(super) fn find(tree: &Tree, ready: &Ready, is_it: impl Fn(&Arc<File>) -> bool, fd: i32) -> Option<u32> {
    let mut id = tree.rbr.first(fd);
    if id == NIL {
        return None;
    }
    while let Some(item) = ready.list.get(id) {
        if is_it(&item.file) {
            return Some(id);
        }
        id = item.next;
    }
    None
}

/// Takes an item out of the item tree.
fn erase(tree: &mut Tree, ready: &mut Ready, id: u32) {
    let Some(item) = ready.list.get(id) else { return };
    let (fd, next) = (item.fd, item.next);
    let mut before = tree.rbr.first(fd);
    if before == id {
        return tree.rbr.set_first(fd, next);
    }
    while let Some(item) = ready.list.get_mut(before) {
        if item.next == id {
            item.next = next;
            return;
        }
        before = item.next;
    }
}
