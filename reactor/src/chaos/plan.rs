//! What chaos does in one wait.

use glasspoll_record::chaos::{Name, Spec};
use glasspoll_record::event::Injection;

use crate::chaos::{mix, PROCESS, SETS, SPEC};
use crate::eventpoll::send_events::EventSink;
use crate::sync::Ordering;
use crate::sys::Errno;
use crate::trace::{self, About};
use crate::uapi::EpollEvent;

/// The chaos of one wait.
#[derive(Debug)]
pub struct Plan {
    spec: &'static Spec,
    about: About,
    wait: u32,
    /// All decisions come from this number.
    key: u64,
    /// This wait has held items back, which a wait does only once.
    pub(super) has_held: bool,
    /// This wait has held items back, and nothing has been reported since.
    is_holding: bool,
    /// There is nothing to report except held items: the wait pauses, then goes on.
    pub(super) is_to_pause: bool,
    /// How many of the ready events are not reported.
    pub(super) left: u32,
    /// How many events have changed places.
    pub(super) moved: u32,
    /// Serial numbers of the items that were reported.
    pub(super) reported: Vec<u64>,
}

impl Plan {
    /// The plan for the next wait of a set. None: chaos is off.
    pub(super) fn next(about: About) -> Option<Self> {
        let spec = SPEC.get()?;
        let mut sets = SETS.lock();
        let past = sets.entry(about.epoll).or_default();
        past.waits = past.waits.wrapping_add(1);
        let wait = past.waits;
        drop(sets);
        let place = u64::from(about.epoll) << 32 | u64::from(wait);
        let key = mix(mix(spec.seed ^ PROCESS.load(Ordering::Relaxed)) ^ place);
        let (has_held, is_holding, is_to_pause) = (false, false, false);
        let reported = Vec::new();
        Some(Self { spec, about, wait, key, has_held, is_holding, is_to_pause, left: 0, moved: 0, reported })
    }

    /// Decides whether `what` is done. If so, returns 32 bits to decide how. `nth` distinguishes the cases
    /// within a wait.
    pub(crate) fn draw(&self, what: Injection, nth: u32) -> Option<u32> {
        let drawn = mix(self.key ^ mix(u64::from(nth) << 8 | what as u64));
        let is_drawn = self.spec.share(what).has((drawn >> 32) as u32);
        (is_drawn && self.spec.allows(Name::new(self.about.epoll, self.wait, what))).then_some(drawn as u32)
    }

    /// 32 more bits.
    pub(super) fn bits(&self, drawn: u32, nth: u32) -> u32 {
        mix(self.key ^ u64::from(drawn) << 32 ^ u64::from(nth)) as u32
    }

    /// By how much the wait is delayed, in microseconds.
    pub(super) fn delay(&self) -> Option<u32> {
        self.draw(Injection::Delay, 0).map(|drawn| self.spec.delay.pick(drawn))
    }

    /// Records that it was done.
    pub(crate) fn note(&self, what: Injection, fd: i32, amount: u32) {
        trace::chaos(self.about, self.wait, what, fd, amount);
    }

    /// Holds an item back, unless it was held back before and not reported since.
    pub(super) fn hold(&mut self, serial: u64) -> bool {
        let mut sets = SETS.lock();
        let is_held = sets.entry(self.about.epoll).or_default().held.insert(serial);
        self.has_held |= is_held;
        self.is_holding |= is_held;
        is_held
    }

    /// An item was reported. `is_put_back`: it is on the ready list again.
    pub(crate) fn reported(&mut self, serial: u64, is_put_back: bool) {
        self.reported.push(serial);
        let mut sets = SETS.lock();
        let past = sets.entry(self.about.epoll).or_default();
        past.held.remove(&serial);
        if is_put_back {
            past.queued.insert(serial, self.wait);
        } else {
            past.queued.remove(&serial);
        }
    }

    /// For each of these items, the wait since which it is on the ready list; for new ones, the latest wait.
    pub(super) fn since(&self, serials: &[u64]) -> Vec<u32> {
        let mut sets = SETS.lock();
        let past = sets.entry(self.about.epoll).or_default();
        let last = self.wait.wrapping_sub(1);
        serials.iter().map(|serial| *past.queued.entry(*serial).or_insert(last)).collect()
    }

    /// A delivery of `sent` events is over.
    pub(crate) fn delivered(&mut self, sent: usize) {
        let (left, moved) = (std::mem::take(&mut self.left), std::mem::take(&mut self.moved));
        // Held items are ready, so a wait that has nothing else must neither end nor sleep.
        self.is_to_pause = std::mem::take(&mut self.is_holding) && sent == 0;
        if sent == 0 {
            return;
        }
        if moved > 1 {
            self.note(Injection::Reorder, -1, moved);
        }
        if left != 0 {
            self.note(Injection::Short, -1, left);
        }
    }

    /// Whether the wait must pause before it goes on.
    pub(crate) fn is_to_pause(&self) -> bool {
        self.is_to_pause
    }
}

/// Where the events of a wait with chaos go.
pub(super) struct Stirred<'a> {
    pub(super) sink: &'a mut dyn EventSink,
    pub(super) plan: Plan,
}

impl EventSink for Stirred<'_> {
    fn put(&mut self, index: usize, event: EpollEvent) -> Result<(), Errno> {
        self.sink.put(index, event)
    }

    fn plan(&mut self) -> Option<&mut Plan> {
        Some(&mut self.plan)
    }
}
