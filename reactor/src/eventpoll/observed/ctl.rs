//! Follows epoll_ctl(2) on a set of the kernel's.

use crate::eventpoll::ctl::find;
use crate::eventpoll::{Eventpoll, Tree};
use crate::file::File;
use crate::sync::{Arc, CountedGuard};
use crate::sys::Errno;
use crate::trace;
use crate::uapi::*;

impl Eventpoll {
    /// epoll_ctl(2), which `call` makes: the kernel's result is the result. `target` is the file behind `fd`, if it is
    /// open. `event` reads the program's event, which the kernel has read by then.
    ///
    /// # Errors
    /// As `call`.
    pub fn follow_ctl(
        self: &Arc<Self>,
        op: i32,
        target: Option<&Arc<File>>,
        fd: i32,
        event: impl FnOnce() -> EpollEvent,
        call: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut tree = self.mtx.lock();
        let result = call();
        let has_event = op != EPOLL_CTL_DEL && result != Err(Errno::EFAULT);
        let event = if has_event { event() } else { EpollEvent::default() };
        let item = target.map_or(0, |target| self.follow(&mut tree, op, target, fd, event, result));
        drop(tree);
        trace::ctl(self.about(item), op, fd, event, result);
        result
    }

    /// An item that the set has had, or got by a call that we did not see. Returns whether we did not know it.
    pub fn found_item(self: &Arc<Self>, target: &Arc<File>, fd: i32, event: EpollEvent) -> bool {
        let mut tree = self.mtx.lock();
        let known = {
            let ready = self.lock.lock();
            find(&tree, &ready, |file| Arc::ptr_eq(file, target), fd).is_some()
        };
        let op = if known { EPOLL_CTL_MOD } else { EPOLL_CTL_ADD };
        let item = self.follow(&mut tree, op, target, fd, event, Ok(()));
        if event.events & !EP_PRIVATE_BITS == 0 {
            self.found_disarmed(&tree, target, fd, event);
        }
        drop(tree);
        if known {
            return false;
        }
        trace::found(self.about(item), fd, event);
        true
    }

    /// An event has disarmed the item: it does not even wait for EPOLLERR and EPOLLHUP, which a call would have added.
    /// Linux: `fs/eventpoll.c:ep_send_events`, `ep_show_fdinfo`.
    fn found_disarmed(&self, tree: &Tree, target: &Arc<File>, fd: i32, event: EpollEvent) {
        let mut ready = self.lock.lock();
        let found = find(tree, &ready, |file| Arc::ptr_eq(file, target), fd);
        if let Some(item) = found.and_then(|id| ready.list.get_mut(id)) {
            item.events = event.events;
            item.shown.interest(item.events);
        }
    }

    /// An item that the set has, whose file is open in another process alone. Returns whether we did not know it.
    pub fn found_orphan(&self, fd: i32, event: EpollEvent) -> bool {
        let mut tree = self.mtx.lock();
        let Some(observed) = &mut tree.observed else { return false };
        if observed.by_data.is_gone(event.data, fd) {
            return false;
        }
        let item = self.shared.next_item();
        observed.by_data.orphan(event.data, fd, item);
        drop(tree);
        trace::found(self.about(item), fd, event);
        trace::release(fd, 1, true);
        true
    }

    /// Does to our items what the call did to the kernel's. Returns the item's serial number. Where the two differ, a
    /// change was not seen, and the kernel is right.
    fn follow(
        self: &Arc<Self>,
        tree: &mut CountedGuard<'_, Tree>,
        op: i32,
        target: &Arc<File>,
        fd: i32,
        event: EpollEvent,
        result: Result<(), Errno>,
    ) -> u64 {
        if tree.dead || target.eventpoll().is_some_and(|inner| Arc::ptr_eq(inner, self)) {
            return 0;
        }
        let ready = self.lock.lock();
        let found = find(tree, &ready, |file| Arc::ptr_eq(file, target), fd);
        let mut serial = found.and_then(|id| ready.list.get(id)).map_or(0, |item| item.serial);
        drop(ready);
        let is_stale = match (op, result) {
            (EPOLL_CTL_ADD | EPOLL_CTL_DEL, Ok(())) => true,
            (EPOLL_CTL_MOD | EPOLL_CTL_DEL, Err(errno)) => errno == Errno::ENOENT,
            _ => false,
        };
        match found {
            Some(id) if is_stale => self.remove(tree, self.lock.lock(), id),
            Some(id) if op == EPOLL_CTL_MOD && result.is_ok() => self.follow_mod(tree, id, event),
            _ => {}
        }
        let is_new = match op {
            EPOLL_CTL_ADD => true,
            EPOLL_CTL_MOD => found.is_none(),
            _ => false,
        };
        if is_new && result.is_ok() {
            // ENOSPC by our count of the items means nothing here.
            let _ = self.insert(tree, self.lock.lock(), target, fd, event, &mut serial);
        }
        serial
    }

    fn follow_mod(&self, tree: &mut Tree, id: u32, event: EpollEvent) {
        let Some(observed) = &mut tree.observed else { return };
        let mut ready = self.lock.lock();
        let Some(item) = ready.list.get_mut(id) else { return };
        observed.by_data.unlink(item.key(), id);
        item.events = event.events | EPOLLERR | EPOLLHUP;
        item.data = event.data;
        item.shown.interest(item.events);
        observed.by_data.insert(item.key(), id);
    }
}
