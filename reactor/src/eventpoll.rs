//! `Eventpoll`: one epoll instance; adding, changing and removing items.
//!
//! Locks: `mtx` (outer before nested), then a file's `WaitHead`, then `lock`. `lock` is never held
//! over a system call that can block.
//!
//! Linux: `fs/eventpoll.c:struct eventpoll`, `do_epoll_ctl`, `ep_insert`, `ep_modify`, `ep_remove`,
//! `eventpoll_release_file`, `ep_clear_and_put`.

use std::collections::HashMap;

use crate::epitem::{Epitem, NO_KEY};
use crate::file::{Device, File, ItemRef, Kind, Settled};
use crate::heat::take_place;
use crate::hot::{Hot, NO_PLACE};
use crate::item_heat::ItemHeat;
use crate::loop_check;
use crate::rbr::{Rbr, NIL};
use crate::ready_list::ReadyList;
use crate::send::Scratch;
use crate::spin::Spin;
use crate::sync::{Arc, AtomicBool, AtomicI32, AtomicU64, Count, Counted, CountedGuard, Ordering, Weak};
use crate::sys::Errno;
use crate::trace;
use crate::uapi::*;
use crate::wait_queue::{WaitQueue, Waiter};
use crate::watches;

/// What `ep.mtx` protects.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The item tree. Linux: `eventpoll.rbr`.
    pub(crate) rbr: Rbr,
    /// The last descriptor of the instance is gone: nothing is added any more.
    dead: bool,
    pub(crate) hot: Hot,
    pub(crate) spin: Spin,
    pub(crate) scratch: Scratch,
}

impl Count for Tree {
    #[inline]
    fn count(&self) -> u32 {
        self.hot.len() as u32
    }
}

/// What `ep.lock` protects.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) list: ReadyList<Epitem>,
    /// Linux: `eventpoll.wq`.
    pub(crate) wq: WaitQueue,
    /// When an item went to the ready list, in nanoseconds; kept only while the flow is traced.
    pub(crate) since: HashMap<u32, u64>,
}

impl Count for Ready {
    #[inline]
    fn count(&self) -> u32 {
        u32::from(self.list.events_available())
    }
}

/// An epoll instance.
#[derive(Debug)]
pub struct Eventpoll {
    pub(crate) this: Weak<Self>,
    /// Its number at creation, for the log.
    pub(crate) fd: AtomicI32,
    /// Counts the hot items.
    pub(crate) mtx: Counted<Tree>,
    /// Counts 1 while something may be ready.
    pub(crate) lock: Counted<Ready>,
    /// Who watches the instance itself. Linux: `eventpoll.poll_wait` and `eventpoll.refs`.
    pub(crate) poll_wait: crate::file::WaitHead,
    /// Whether a file in it answers each thread differently, so that each must look for itself.
    pub(crate) depends_on_thread: AtomicBool,
    /// The busy-poll parameters, which have no effect. Linux: `eventpoll.busy_poll_usecs` and after.
    pub busy_poll: AtomicU64,
    /// Work comes so fast that items may be hot, for whom the order of becoming ready is not known.
    pub(crate) busy: AtomicBool,
    /// The last wait that did not sleep found nothing.
    pub(crate) found_nothing: AtomicBool,
    /// Linux: `eventpoll.gen`; protected by `loop_check::EPMUTEX`.
    pub(crate) generation: AtomicU64,
    /// Linux: `eventpoll.loop_check_depth`; protected by `loop_check::EPMUTEX`.
    pub(crate) depth: AtomicI32,
}

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

impl Eventpoll {
    /// A new instance, whose descriptor is `fd`. Linux: `fs/eventpoll.c:ep_alloc`.
    pub fn new(fd: i32) -> Arc<Self> {
        trace::create(fd);
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            fd: AtomicI32::new(fd),
            mtx: Counted::default(),
            lock: Counted::default(),
            poll_wait: crate::file::WaitHead::default(),
            depends_on_thread: AtomicBool::new(false),
            busy_poll: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            found_nothing: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            depth: AtomicI32::new(0),
        })
    }

    /// Its number at creation.
    pub fn fd(&self) -> i32 {
        self.fd.load(Ordering::Relaxed)
    }

    /// Whether something may be ready. Linux: `fs/eventpoll.c:ep_events_available`.
    #[inline]
    pub(crate) fn events_available(&self) -> bool {
        self.lock.count() != 0
    }

    /// How many items it has.
    pub fn len(&self) -> usize {
        self.lock.lock().list.len()
    }

    /// Whether it has no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The part of epoll_ctl(2) that comes after the descriptors are looked up and the target was
    /// found to be pollable.
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
        let result = self.do_ctl(op, target, fd, event);
        trace::ctl(self.fd(), op, fd, event, result);
        result
    }

    /// EPOLL_CTL_MOD without EPOLLEXCLUSIVE, or EPOLL_CTL_DEL, of the item whose number is `fd` and whose
    /// file `is_it`. None: there is none. As `ctl`, but nobody need hold the file: the item does.
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
        let result = if op == EPOLL_CTL_MOD {
            self.modify(tree, ready, item, event)
        } else {
            self.remove(&mut tree, ready, item);
            drop(tree);
            Ok(())
        };
        trace::ctl(self.fd(), op, fd, event, result);
        Some(result)
    }

    /// Linux: `fs/eventpoll.c:do_epoll_ctl`.
    fn do_ctl(
        self: &Arc<Self>,
        op: i32,
        target: &Arc<File>,
        fd: i32,
        event: EpollEvent,
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
            cool_file(target);
        }
        let mut tree = self.mtx.lock();
        if tree.dead {
            return Err(Errno::EBADF);
        }
        self.count(&mut tree, 1);
        let ready = self.lock.lock();
        let found = find(&tree, &ready, |file| Arc::ptr_eq(file, target), fd);
        match (op, found) {
            (EPOLL_CTL_ADD, None) => {
                let item = self.insert(&mut tree, ready, target, fd, event)?;
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
    fn insert(
        self: &Arc<Self>,
        tree: &mut Tree,
        mut ready: CountedGuard<'_, Ready>,
        file: &Arc<File>,
        fd: i32,
        event: EpollEvent,
    ) -> Result<u32, Errno> {
        watches::take()?;
        let serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed);
        let events = event.events | EPOLLERR | EPOLLHUP;
        let next = tree.rbr.first(fd);
        let item = Epitem::new(file.clone(), fd, serial, events, event.data, next);
        let exclusive = item.is_exclusive();
        let id = ready.list.insert(item);
        drop(ready);
        tree.rbr.set_first(fd, id);
        let item = || ItemRef { ep: self.this.clone(), id, serial, exclusive };
        file.wait_head().add_item(item());
        if let Some(inner) = file.eventpoll() {
            // It is watched now, and tells each wakeup.
            inner.cool_down();
        }
        if self.may_be_hot(tree, file, events) {
            self.add_hot(tree, id, 0);
        } else if let Some(device) = file.device() {
            let key = device.attach(file, &item(), events);
            if device.depends_on_thread() {
                self.depends_on_thread.store(true, Ordering::SeqCst);
            }
            if key != NO_KEY {
                self.rewatch(id, key);
            }
        }
        Ok(id)
    }

    /// Asks the file of a new or changed item, and queues the item if it is ready.
    /// Linux: the second half of `fs/eventpoll.c:ep_insert` and of `ep_modify`.
    fn first_poll(&self, tree: CountedGuard<'_, Tree>, id: u32) {
        let (file, events, key) = {
            let ready = self.lock.lock();
            let Some(item) = ready.list.get(id) else { return };
            if item.place() != NO_PLACE {
                // The next wait asks it.
                return;
            }
            (item.file.clone(), item.events, item.key)
        };
        let found = self.item_poll(&file, events, 1);
        file.note_ends(found);
        let revents = found & events;
        let mut waiter = None;
        let mut pwake = false;
        let queued = {
            let mut ready = self.lock.lock();
            if revents != 0 && !ready.list.is_linked(id) {
                ready.list.add_tail(id);
                self.note_ready(&mut ready, id);
                waiter = ready.wq.pop();
                pwake = !self.poll_wait.is_empty();
            }
            ready.list.is_linked(id)
        };
        if let (Some(device), true) = (file.device(), key != NO_KEY) {
            device.settle(key, Settled { events, revents: found, queued });
        }
        drop(tree);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        if pwake {
            self.safewake();
        }
    }

    /// An item that its device keeps nothing for has another interest.
    fn concern(&self, id: u32) {
        let (file, serial, events) = {
            let ready = self.lock.lock();
            let Some(item) = ready.list.get(id).filter(|item| item.key == NO_KEY) else { return };
            (item.file.clone(), item.serial, item.events)
        };
        let item = ItemRef { ep: self.this.clone(), id, serial, exclusive: false };
        if let Some(device) = file.device() {
            let key = device.concern(&file, &item, events);
            if key != NO_KEY {
                self.rewatch(id, key);
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
        let place = item.place();
        let device = item.file.device().filter(|device| place != NO_PLACE && device.can_be_hot(events));
        if let (Some(device), true) = (device, events & EPOLLET != 0) {
            device.wants_hints();
        }
        let may_stay = device.is_some();
        drop(ready);
        if place == NO_PLACE {
            let is_hot = tree.hot.has_room() && self.heat(&mut tree, id, 0);
            if !is_hot && events & !before != 0 {
                self.concern(id);
            }
        } else {
            let leaving = tree.hot.slot(place).is_some_and(|slot| slot.leaving);
            tree.hot.change(place, |slot| (slot.events, slot.seen) = (events, 0));
            if may_stay && !leaving && tree.hot.sleepers == 0 {
                // The next wait asks it.
                return Ok(());
            }
            self.cool(&mut tree, id);
        }
        self.first_poll(tree, id);
        Ok(())
    }

    /// Linux: `fs/eventpoll.c:ep_remove`.
    pub(crate) fn remove(&self, tree: &mut Tree, mut ready: CountedGuard<'_, Ready>, id: u32) {
        let slot = take_place(tree, &mut ready, id);
        erase(tree, &mut ready, id);
        let item = ready.list.remove(id);
        drop(ready);
        // Who finds it there still finds it gone here.
        item.file.wait_head().remove_item(item.serial);
        if let Some(device) = item.file.device() {
            if slot.is_none_or(|slot| slot.leaving) {
                device.detach(item.key);
            }
            if tree.hot.is_stale() {
                // It may have been hot until it was changed, and be slept on yet, or be about to: who has the
                // list came first, and does not lie down once it is woken.
                let sleeper = self.lock.lock().wq.last();
                if let Some(sleeper) = sleeper {
                    sleeper.wake();
                }
                device.quiesce();
            }
        }
        watches::give_back(1);
    }

    /// Takes all items out: the last descriptor of the instance is gone.
    /// Linux: `fs/eventpoll.c:ep_clear_and_put`.
    pub fn clear(&self) {
        if !self.poll_wait.is_empty() {
            self.safewake();
        }
        let mut tree = self.mtx.lock();
        tree.dead = true;
        let ids: Vec<u32> = self.lock.lock().list.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.remove(&mut tree, self.lock.lock(), id);
        }
    }

    /// Wakes who polls the instance itself. Linux: `fs/eventpoll.c:ep_poll_safewake`.
    pub(crate) fn safewake(&self) {
        self.poll_wait.wake(EPOLLIN, &mut || true);
    }

    /// Work was done on the set.
    pub(crate) fn count(&self, tree: &mut Tree, units: u32) {
        tree.hot.count(units);
        let busy = tree.hot.is_busy();
        if self.busy.load(Ordering::Relaxed) != busy {
            self.busy.store(busy, Ordering::Relaxed);
        }
    }

    /// Whether the set is so busy that nobody looks at the order in which its files become ready.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Whether another set, or a thread in poll(2), waits for this one.
    pub fn is_watched(&self) -> bool {
        !self.poll_wait.is_empty()
    }

    /// Forgets the threads that waited: only for a forked child, where they do not exist.
    pub fn forget_threads(&self) {
        self.mtx.lock().hot.forked();
        let mut ready = self.lock.lock();
        ready.list.for_each(|item| item.heat = ItemHeat::NEW);
        ready.wq.clear();
        drop(ready);
        self.poll_wait.clear_pollers();
    }

    /// The interest of an item, if it is still the same one.
    pub fn interest(&self, id: u32, serial: u64) -> Option<u32> {
        let ready = self.lock.lock();
        ready.list.get(id).filter(|item| item.serial == serial).map(|item| item.events)
    }

    /// Gives an item another watcher entry, and has it looked at by the next wait.
    pub fn rewatch(&self, id: u32, key: u32) {
        let mut ready = self.lock.lock();
        if let Some(item) = ready.list.get_mut(id) {
            item.key = key;
        }
    }

    /// Takes the waiter's name off the queue. False: a wakeup took it off before.
    pub fn dequeue(&self, waiter: &Arc<Waiter>) -> bool {
        self.lock.lock().wq.remove(waiter)
    }
}

/// Linux: `fs/eventpoll.c:ep_find`.
fn find(tree: &Tree, ready: &Ready, is_it: impl Fn(&Arc<File>) -> bool, fd: i32) -> Option<u32> {
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

/// Takes an item out of the tree.
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

impl Drop for Eventpoll {
    fn drop(&mut self) {
        watches::give_back(self.lock.lock().list.len());
    }
}

/// Every item of the file goes cold.
pub(crate) fn cool_file(file: &File) {
    if file.wait_head().is_empty() {
        return;
    }
    for item in file.wait_head().items() {
        if let Some(ep) = item.ep.upgrade() {
            ep.cool_item(item.id, item.serial);
        }
    }
}

/// Returns once no delivery asks the file that began to before the call.
pub(crate) fn finish_scans(file: &File) {
    for item in file.wait_head().items() {
        if let Some(ep) = item.ep.upgrade() {
            drop(ep.mtx.lock());
        }
    }
}

/// Takes a file out of every set: its last descriptor is about to be closed.
/// Returns how many items went. Linux: `fs/eventpoll.c:eventpoll_release_file`.
pub fn release_file(file: &Arc<File>) -> usize {
    let items = file.wait_head().items();
    for item in &items {
        if let Some(ep) = item.ep.upgrade() {
            let mut tree = ep.mtx.lock();
            let ready = ep.lock.lock();
            if ready.list.get(item.id).is_some_and(|found| found.serial == item.serial) {
                ep.remove(&mut tree, ready, item.id);
            }
        }
    }
    match file.kind() {
        Kind::Kernel(device) => device.release(),
        Kind::Device(device) => device.release(),
        Kind::Epoll(ep) => ep.clear(),
    }
    if !items.is_empty() || file.eventpoll().is_some() {
        trace::release(file.fd(), items.len());
    }
    items.len()
}
