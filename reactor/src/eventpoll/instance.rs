//! `Eventpoll`, one epoll instance: what it has, how it is made and how it ends.
//!
//! Locks: `mtx` (outer before nested), then `lock`. `lock` is never held over a system call that can block.
//!
//! Linux: `fs/eventpoll.c:struct eventpoll`, `ep_alloc`, `ep_clear_and_put`.

use glasspoll_record::items::{New, Place, SetPlace};

use crate::chaos::Chaos;
use crate::eventpoll::epitem::Epitem;
use crate::eventpoll::followed::Observed;
use crate::eventpoll::item_tree::Rbr;
use crate::eventpoll::ready_list::ReadyList;
use crate::eventpoll::scratch::Scratch;
use crate::eventpoll::wait_queue::{Receiver, WaitQueue, Waiter};
use crate::file::{PollerId, WaitHead};
use crate::hash::Map;
use crate::hot::list::Hot;
use crate::hot::spin::Spin;
use crate::hot::state::HotState;
use crate::shared::{Config, Shared};
use crate::sync::{Arc, AtomicBool, AtomicI32, AtomicU64, Count, Counted, Ordering, Weak};
use crate::trace::{self, About};
use crate::uapi::*;

/// What `ep.mtx` protects.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The item tree. Linux: `eventpoll.rbr`.
    pub(crate) rbr: Rbr,
    /// The last descriptor of the instance is gone: epoll_ctl adds nothing more.
    pub(crate) dead: bool,
    pub(crate) hot: Hot,
    pub(crate) spin: Spin,
    pub(crate) scratch: Scratch,
    /// The thread that got the last delivery.
    pub(crate) delivered_to: Receiver,
    /// In a set that the kernel keeps.
    pub(crate) observed: Option<Box<Observed>>,
}

impl Tree {
    fn new(config: &Config) -> Self {
        Self { hot: Hot::new(config.hot), spin: Spin::new(config.spin_ns), ..Self::default() }
    }
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
    pub(crate) since: Map<u32, u64>,
}

impl Ready {
    /// When the item went to the ready list, in nanoseconds, for the log.
    pub(crate) fn ready_since(&self, id: u32) -> u64 {
        if !trace::enabled() {
            return 0;
        }
        self.since.get(&id).copied().unwrap_or(0)
    }
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
    pub(crate) shared: &'static Shared,
    /// None: chaos is off.
    pub(crate) chaos: Option<Arc<Chaos>>,
    /// Its fd at creation, for the log.
    pub(crate) fd: AtomicI32,
    /// An id that no other instance of the process ever has.
    id: u32,
    /// Its entry in the process's record.
    pub(crate) shown: SetPlace,
    /// Counts the hot items.
    pub(crate) mtx: Counted<Tree>,
    /// Counts 1 while something may be ready.
    pub(crate) lock: Counted<Ready>,
    /// The items and threads that watch the instance itself. Linux: `eventpoll.poll_wait` and `eventpoll.refs`.
    pub(crate) poll_wait: WaitHead,
    /// Whether a file in it answers each thread differently, so that each thread must ask for itself.
    pub(crate) depends_on_thread: AtomicBool,
    /// The busy-poll parameters, which have no effect. Linux: `eventpoll.busy_poll_usecs` and after.
    pub busy_poll: AtomicU64,
    /// Work comes so fast that items may be hot. The order in which hot items become ready is not known.
    pub(crate) busy: AtomicBool,
    /// The last `wait_now` found nothing.
    pub(crate) found_nothing: AtomicBool,
    /// Linux: `eventpoll.gen`; protected by `loop_check::EPMUTEX`.
    pub(crate) generation: AtomicU64,
    /// Linux: `eventpoll.loop_check_depth`; protected by `loop_check::EPMUTEX`.
    pub(crate) depth: AtomicI32,
}

impl Eventpoll {
    /// A new instance, whose descriptor is `fd`. Linux: `fs/eventpoll.c:ep_alloc`.
    pub fn new(shared: &'static Shared, fd: i32) -> Arc<Self> {
        Self::make(shared, fd, None, false)
    }

    /// Makes an instance; `observed` if the kernel keeps it.
    pub(crate) fn make(
        shared: &'static Shared,
        fd: i32,
        observed: Option<Box<Observed>>,
        inherited: bool,
    ) -> Arc<Self> {
        let id = shared.next_set();
        let chaos = shared.config.chaos.as_ref().map(|spec| Arc::new(Chaos::new(spec, &shared.family)));
        let ep = Arc::new_cyclic(|this| Self {
            this: this.clone(),
            shared,
            chaos,
            fd: AtomicI32::new(fd),
            id,
            shown: SetPlace::default(),
            mtx: Counted::new(Tree { observed, ..Tree::new(&shared.config) }),
            lock: Counted::default(),
            poll_wait: WaitHead::default(),
            depends_on_thread: AtomicBool::new(false),
            busy_poll: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            found_nothing: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            depth: AtomicI32::new(0),
        });
        ep.show(inherited);
        ep
    }

    /// Enters the set in the process's record.
    fn show(&self, inherited: bool) {
        trace::create(self.fd(), self.id, inherited);
        let new = New { epoll: self.id, fd: self.fd(), serial: self.id, interest: 0, is_set: true };
        self.shown.set(Place::new(new));
    }

    /// What the record and the log say of a call about an item of the set.
    pub(crate) fn about(&self, item: u64) -> About {
        About { epfd: self.fd(), epoll: self.id, item }
    }

    /// An id that no other instance of the process ever has.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether waits are subject to chaos.
    #[inline]
    pub fn has_chaos(&self) -> bool {
        self.chaos.is_some()
    }

    /// Its address, for comparison.
    pub(crate) fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    /// Its fd at creation.
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
        self.shown.remove();
    }

    /// Wakes the items and threads that watch the instance itself. Linux: `fs/eventpoll.c:ep_poll_safewake`.
    pub(crate) fn safewake(&self) {
        self.poll_wait.wake(EPOLLIN, &mut || true);
    }

    /// Counts work on the set.
    pub(crate) fn count(&self, tree: &mut Tree, units: u32) {
        tree.hot.count(units);
        let busy = tree.hot.is_busy();
        if self.busy.load(Ordering::Relaxed) != busy {
            self.busy.store(busy, Ordering::Relaxed);
        }
    }

    /// Whether the set is so busy that the order in which its files become ready is not kept.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// Whether another set, or a thread in poll(2), waits for this one.
    pub fn is_watched(&self) -> bool {
        !self.poll_wait.is_empty()
    }

    /// In a forked child: forgets the threads that waited, which exist in the parent only, and enters the set
    /// and its items in the child's own record.
    pub fn forked(&self) {
        self.mtx.lock().hot.forked();
        self.show(true);
        let mut ready = self.lock.lock();
        ready.list.for_each(|item| {
            item.hot_state = HotState::NEW;
            item.show(self.id);
        });
        ready.wq.clear();
        drop(ready);
        self.poll_wait.clear_pollers();
    }

    /// The interest of an item; None if the id stands for another item by now.
    pub fn interest(&self, id: u32, serial: u64) -> Option<u32> {
        let ready = self.lock.lock();
        ready.list.get(id).filter(|item| item.serial == serial).map(|item| item.events)
    }

    /// Gives an item another entry with the poller.
    pub fn rewatch(&self, id: u32, poller_id: PollerId) {
        let mut ready = self.lock.lock();
        if let Some(item) = ready.list.get_mut(id) {
            item.poller_id = poller_id;
        }
    }

    /// Takes the waiter off the queue. False: a wakeup took it off before.
    pub fn dequeue(&self, waiter: &Arc<Waiter>) -> bool {
        self.lock.lock().wq.remove(waiter)
    }
}

impl Drop for Eventpoll {
    fn drop(&mut self) {
        self.shared.user_watches.give_back(self.lock.lock().list.len());
    }
}
