//! The ready list (`rdllist`), the list of a scan under way (`txlist`) and the overflow list
//! (`ovflist`), over the slab of items (`epi_cache`). Pure: no lock, no system call.
//!
//! Keeps true: an item is on `rdllist` or `txlist` or neither, never twice; `ovflist` is in use only
//! between `start_scan` and `done_scan`; items leave it in the order in which they arrived.
//!
//! Protected by: `ep.lock`. Linux: `fs/eventpoll.c:ep_start_scan`, `ep_done_scan`.

use crate::mutation::is;
use crate::slab::Slab;

/// Where a wakeup left an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// Put at the tail of `rdllist`.
    Ready,
    /// Put on `ovflist`, because a scan is under way.
    Overflow,
    /// It was on that list already.
    Already,
}

/// No item. Ids of items have 30 bits.
const NIL: u32 = (1 << 30) - 1;
const NEITHER: u8 = 2;

/// An item's links in the lists, in eight bytes.
#[derive(Clone, Copy, Debug)]
struct Links {
    /// The previous item; in the two highest bits, which of the two lists has the item, or `NEITHER`.
    prev: u32,
    /// The next item; in the highest bit, whether the item is on `ovflist`.
    next: u32,
}

impl Links {
    const OVERFLOW: u32 = 1 << 31;
    const NONE: Self = Self { prev: NIL | (NEITHER as u32) << 30, next: NIL };

    fn prev(self) -> u32 {
        self.prev & NIL
    }

    fn next(self) -> u32 {
        self.next & NIL
    }

    fn on(self) -> u8 {
        (self.prev >> 30) as u8
    }

    fn in_ovflist(self) -> bool {
        self.next & Self::OVERFLOW != 0
    }

    fn set_prev(&mut self, prev: u32) {
        self.prev = self.prev & !NIL | prev;
    }

    fn set_next(&mut self, next: u32) {
        self.next = self.next & !NIL | next;
    }

    fn hang(&mut self, prev: u32, next: u32, on: u8) {
        self.prev = prev | u32::from(on) << 30;
        self.set_next(next);
    }

    fn set_in_ovflist(&mut self, is_in: bool) {
        self.next = self.next & !Self::OVERFLOW | if is_in { Self::OVERFLOW } else { 0 };
    }
}

#[derive(Debug)]
struct Node<T> {
    links: Links,
    item: T,
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

const EMPTY: List = List { head: NIL, tail: NIL };

/// The level-triggered item that was delivered last, if nothing has happened to it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// There is none.
    None,
    /// It is on `rdllist`, and no wakeup has come for it.
    Settled(u32),
    /// The program has emptied its file, so it has left `rdllist` unasked. A wakeup puts it back to the front, where
    /// the kernel would have kept it.
    Resting(u32),
}

/// Items and their lists.
#[derive(Debug)]
pub struct ReadyList<T> {
    nodes: Slab<Node<T>>,
    /// `lists[rdllist]` is the ready list, the other one is `txlist`. A scan begins and ends by swapping the
    /// two, whatever the number of items.
    lists: [List; 2],
    rdllist: u8,
    ovflist: Vec<u32>,
    scanning: bool,
    last: Last,
}

impl<T> Default for ReadyList<T> {
    fn default() -> Self {
        Self {
            nodes: Slab::default(),
            lists: [EMPTY; 2],
            rdllist: 0,
            ovflist: Vec::new(),
            scanning: false,
            last: Last::None,
        }
    }
}

impl<T> ReadyList<T> {
    /// Adds an item, on no list.
    pub fn insert(&mut self, item: T) -> u32 {
        self.nodes.insert(Node { links: Links::NONE, item })
    }

    /// Takes an item off its lists and removes it.
    ///
    /// Preconditions: no scan is under way (both run under `ep.mtx`).
    pub fn remove(&mut self, id: u32) -> T {
        self.unlink(id);
        if matches!(self.last, Last::Settled(last) | Last::Resting(last) if last == id) {
            self.last = Last::None;
        }
        if self.links(id).in_ovflist() {
            self.ovflist.retain(|other| *other != id);
        }
        self.nodes.remove(id).item
    }

    /// The item, if the id is in use.
    pub fn get(&self, id: u32) -> Option<&T> {
        self.nodes.get(id).map(|node| &node.item)
    }

    /// The item to change, if the id is in use.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.nodes.get_mut(id).map(|node| &mut node.item)
    }

    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.nodes.iter().map(|(id, node)| (id, &node.item))
    }

    /// Calls `work` with each item.
    pub fn for_each(&mut self, mut work: impl FnMut(&mut T)) {
        self.nodes.iter_mut().for_each(|node| work(&mut node.item));
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no item at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether something may be ready. Linux: `fs/eventpoll.c:ep_events_available`.
    pub fn events_available(&self) -> bool {
        self.list(self.rdllist).head != NIL || self.scanning
    }

    /// How many items `rdllist` holds; counts up to `most`.
    pub fn count_ready(&self, most: usize) -> usize {
        let mut count = 0;
        let mut at = self.list(self.rdllist).head;
        while at != NIL && count < most {
            count += 1;
            at = self.links(at).next();
        }
        count
    }

    /// Whether `rdllist` holds anything.
    pub fn any_ready(&self) -> bool {
        self.list(self.rdllist).head != NIL
    }

    /// Whether the item is on `rdllist` or `txlist`. Linux: `fs/eventpoll.c:ep_is_linked`.
    pub fn is_linked(&self, id: u32) -> bool {
        self.links(id).on() != NEITHER
    }

    /// Whether a wakeup came for the item since the scan began.
    pub fn is_in_ovflist(&self, id: u32) -> bool {
        self.links(id).in_ovflist()
    }

    /// A wakeup came for the item.
    pub fn queue(&mut self, id: u32) -> Queued {
        if self.last != Last::None && self.stirs(id) {
            return Queued::Ready;
        }
        if self.scanning && !is("a_scan_is_not_seen") {
            if self.links(id).in_ovflist() {
                return Queued::Already;
            }
            self.nodes[id].links.set_in_ovflist(true);
            if !is("ovflist_forgets") {
                self.ovflist.push(id);
            }
            return Queued::Overflow;
        }
        if self.is_linked(id) {
            return Queued::Already;
        }
        self.add_tail(id);
        Queued::Ready
    }

    /// A wakeup came: of the item that was delivered last, too? If that rests, it goes to the front of `rdllist`, and
    /// the answer is yes.
    fn stirs(&mut self, id: u32) -> bool {
        let is_back = self.last == Last::Resting(id) && !self.is_linked(id);
        if is_back {
            self.push_front(self.rdllist, id);
        }
        if is_back || self.last == Last::Settled(id) {
            self.last = Last::None;
        }
        is_back
    }

    /// The item was delivered, stays on `rdllist`, and no wakeup has come since its file was asked.
    pub fn settle(&mut self, id: u32) {
        if !self.is_in_ovflist(id) {
            self.last = Last::Settled(id);
        }
    }

    /// The settled item, if nothing else is ready.
    pub fn settled_alone(&self) -> Option<u32> {
        let List { head, tail } = self.list(self.rdllist);
        (head == tail && !self.scanning && self.last == Last::Settled(head)).then_some(head)
    }

    /// The settled item leaves `rdllist`, for its file is empty.
    pub fn rest(&mut self, id: u32) {
        self.unlink(id);
        self.last = Last::Resting(id);
    }

    /// Whether an item rests.
    pub fn rests(&self) -> bool {
        matches!(self.last, Last::Resting(_))
    }

    /// From now on wakeups put the item that rests to the tail, like any other.
    pub fn end_rest(&mut self) {
        self.last = Last::None;
    }

    /// Puts an item that is on no list at the tail of `rdllist`, scan or not.
    pub fn add_tail(&mut self, id: u32) {
        debug_assert!(!self.is_linked(id));
        self.push_back(self.rdllist, id);
    }

    /// Moves the whole ready list to `txlist`. Until `done_scan` wakeups go to the overflow list.
    pub fn start_scan(&mut self) {
        debug_assert!(!self.scanning);
        self.scanning = true;
        self.last = Last::None;
        self.rdllist ^= 1;
    }

    /// The first item of the scan.
    pub fn tx_first(&self) -> Option<u32> {
        let head = self.list(self.txlist()).head;
        (head != NIL).then_some(head)
    }

    /// The item of the scan that follows this one.
    pub fn tx_next(&self, id: u32) -> Option<u32> {
        let next = self.links(id).next();
        (next != NIL).then_some(next)
    }

    /// Puts an item back to the front of the scan.
    pub fn tx_push_front(&mut self, id: u32) {
        self.push_front(self.txlist(), id);
    }

    /// Whether wakeups have come since the scan began.
    pub fn is_overtaken(&self) -> bool {
        !self.ovflist.is_empty()
    }

    /// Ends the scan. The new ready list: first what the scan did not reach, then what arrived meanwhile, in
    /// order of arrival, then what the scan put back.
    pub fn done_scan(&mut self) {
        let kept = self.ovflist.last().copied().filter(|_| is("ovflist_keeps_what_it_gave"));
        while let Some(id) = self.ovflist.pop() {
            self.nodes[id].links.set_in_ovflist(false);
            if !self.is_linked(id) {
                self.push_front(self.rdllist, id);
            }
        }
        self.scanning = false;
        let txlist = self.txlist();
        loop {
            let id = self.list(self.rdllist).head;
            if id == NIL {
                break;
            }
            self.unlink(id);
            self.push_back(txlist, id);
        }
        self.rdllist = txlist;
        self.ovflist.extend(kept);
    }

    /// Takes an item off `rdllist` or `txlist`. Linux: `list_del_init(&epi->rdllink)`.
    pub fn unlink(&mut self, id: u32) {
        let links = self.links(id);
        let (prev, next, on) = (links.prev(), links.next(), links.on());
        if on == NEITHER {
            return;
        }
        match prev {
            NIL => self.lists[on as usize].head = next,
            _ => self.nodes[prev].links.set_next(next),
        }
        match next {
            NIL => self.lists[on as usize].tail = prev,
            _ => self.nodes[next].links.set_prev(prev),
        }
        self.nodes[id].links.hang(NIL, NIL, NEITHER);
    }

    fn links(&self, id: u32) -> Links {
        self.nodes[id].links
    }

    fn list(&self, list: u8) -> List {
        self.lists[list as usize]
    }

    fn txlist(&self) -> u8 {
        self.rdllist ^ 1
    }

    fn push_back(&mut self, list: u8, id: u32) {
        let tail = self.list(list).tail;
        self.nodes[id].links.hang(tail, NIL, list);
        match tail {
            NIL => self.lists[list as usize].head = id,
            tail => self.nodes[tail].links.set_next(id),
        }
        self.lists[list as usize].tail = id;
    }

    fn push_front(&mut self, list: u8, id: u32) {
        let head = self.list(list).head;
        self.nodes[id].links.hang(NIL, head, list);
        match head {
            NIL => self.lists[list as usize].tail = id,
            head => self.nodes[head].links.set_prev(id),
        }
        self.lists[list as usize].head = id;
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
