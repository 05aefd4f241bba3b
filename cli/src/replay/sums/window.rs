//! What a loop did in the last seconds: a few slots of time that are used in turn.

/// How many slots there are.
const SLOTS: u64 = 20;
/// How long a slot is.
const SLOT_NS: u64 = 500_000_000;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which stretch of time it holds, counted from time 0 of the clock.
    number: u64,
    waiting_ns: u64,
    serving_ns: u64,
    events: u64,
}

/// The last ten seconds of a loop.
#[derive(Clone, Debug, Default)]
pub struct Window {
    slots: [Slot; SLOTS as usize],
}

/// What the slots add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// The time waiting.
    pub waiting_ns: u64,
    /// The time serving.
    pub serving_ns: u64,
    /// Events that were delivered.
    pub events: u64,
}

impl Recent {
    /// The share of the time that was serving; None if there was none.
    pub fn utilisation(self) -> Option<f64> {
        crate::replay::share(self.serving_ns, self.waiting_ns)
    }
}

impl Window {
    fn slot(&mut self, number: u64) -> &mut Slot {
        let slot = &mut self.slots[(number % SLOTS) as usize];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        slot
    }

    /// The thread waited, or served, from one moment to another.
    pub fn add_time(&mut self, from: u64, to: u64, waiting: bool) {
        // Time that is too long ago for any slot is left out.
        let mut from = from.max((to / SLOT_NS).saturating_sub(SLOTS - 1) * SLOT_NS);
        while from < to {
            let number = from / SLOT_NS;
            let end = to.min((number + 1).saturating_mul(SLOT_NS));
            let slot = self.slot(number);
            if waiting {
                slot.waiting_ns = slot.waiting_ns.saturating_add(end - from);
            } else {
                slot.serving_ns = slot.serving_ns.saturating_add(end - from);
            }
            from = end;
        }
    }

    /// An event was delivered.
    pub fn add_event(&mut self, ns: u64) {
        self.slot(ns / SLOT_NS).events += 1;
    }

    /// The sums of the ten seconds before a moment.
    pub fn recent(&self, now: u64) -> Recent {
        let last = now / SLOT_NS;
        let mut recent = Recent::default();
        for slot in &self.slots {
            if slot.number <= last && slot.number + SLOTS > last {
                recent.waiting_ns = recent.waiting_ns.saturating_add(slot.waiting_ns);
                recent.serving_ns = recent.serving_ns.saturating_add(slot.serving_ns);
                recent.events += slot.events;
            }
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        window.add_time(100 * SECOND, 101 * SECOND, false);
        window.add_time(101 * SECOND, 104 * SECOND, true);
        window.add_event(101 * SECOND);
        let recent = window.recent(104 * SECOND);
        assert_eq!(recent, Recent { waiting_ns: 3 * SECOND, serving_ns: SECOND, events: 1 });
        assert_eq!(recent.utilisation(), Some(0.25));
        assert_eq!(window.recent(130 * SECOND).utilisation(), None);
    }

    #[test]
    fn an_hour_is_taken_in_at_once() {
        let mut window = Window::default();
        window.add_time(0, 3600 * SECOND, true);
        let recent = window.recent(3600 * SECOND);
        assert!(recent.waiting_ns > 9 * SECOND && recent.waiting_ns <= 10 * SECOND);
        window.add_time(u64::MAX - SECOND, u64::MAX, false);
    }
}
