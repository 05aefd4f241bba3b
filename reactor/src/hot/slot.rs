//! A hot item's place in the list, with the state of the item.

use crate::hot::state::FOR_EVER;
use crate::hot::transition::{transition, Event, Phase, State};
use crate::hot::{ONCE_ROUNDS, PROOFS, TRUSTED};
use crate::trace::ready_time::Moment;
use crate::uapi::*;

/// A hot item's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HotSlot {
    /// The item, or `list::GONE`.
    pub(crate) id: u32,
    /// When the item got this place, in ticks, for the record.
    pub(crate) placed: u64,
    /// The wait in which the item was last reported.
    pub(crate) last: u32,
    /// Interest and private bits.
    pub(crate) events: u32,
    /// Bits that an edge-triggered item has reported, and that are not known to have fallen since.
    pub(crate) seen: u32,
    pub(crate) phase: Phase,
    /// The number of the last refused write.
    pub(crate) refused: u64,
    /// The intake when the item was reported, if it was read (`Device::intake`).
    pub(crate) intake: Option<u64>,
    /// How often in a row the program drained the item after a report.
    proofs: u8,
}

/// What an edge-triggered item is asked for besides its interest. A read stops at urgent data, whether or not
/// more data follows.
pub(crate) const EDGE_BITS: u32 = EPOLLRDHUP | EPOLLPRI;

impl HotSlot {
    /// A new one.
    pub(crate) fn new(id: u32, round: u32, events: u32) -> Self {
        Self {
            id,
            placed: Moment::now().ticks,
            last: round,
            events,
            seen: 0,
            phase: Phase::Asked,
            refused: 0,
            intake: None,
            proofs: 0,
        }
    }

    /// Takes an event after which the item is still hot.
    pub(crate) fn take(&mut self, event: Event) {
        if let (State::Hot(phase), _) = transition(State::Hot(self.phase), event) {
            self.phase = phase;
        }
    }

    /// The events that ppoll asks for.
    pub(crate) fn asks(&self) -> u32 {
        match self.events & EPOLLET {
            0 => self.events & POLL_BITS,
            _ => (self.events | EDGE_BITS) & POLL_BITS & !self.seen,
        }
    }

    /// Whether no sleep on the item makes sense: it is disarmed, or its end was reported.
    pub(crate) fn is_mute(&self) -> bool {
        self.events & !EP_PRIVATE_BITS == 0 || self.has_ended()
    }

    /// Whether an end was reported, which every ppoll would report again.
    pub(crate) fn has_ended(&self) -> bool {
        self.events & EPOLLET != 0 && self.seen & (EPOLLHUP | EPOLLERR) != 0
    }

    /// Learns whether a read of the program has drained the file since the report.
    pub(crate) fn learn(&mut self, is_drained: bool) -> Event {
        const READS: u32 = READ_SIDE & !ENDS;
        if self.seen & READS == 0 {
            return Event::Drained;
        }
        if is_drained && self.seen & ENDS == 0 {
            self.seen &= !READS;
            self.proofs = self.proofs.saturating_add(1);
            return Event::Drained;
        }
        self.not_drained()
    }

    /// The item was not drained: only a signal shows that more has arrived on top of the rest.
    pub(crate) fn not_drained(&self) -> Event {
        let rest = match self.proofs {
            _ if self.seen & ENDS != 0 => 0,
            ..TRUSTED => FOR_EVER,
            _ => ONCE_ROUNDS,
        };
        Event::NotDrained { rest }
    }

    /// Whether a delivery must read the intake, because the item is not trusted yet.
    pub(crate) fn is_unproven(&self) -> bool {
        self.proofs < PROOFS
    }

    /// For an item that was not drained: whether more has arrived since the report, given the intake now.
    pub(crate) fn has_more(&self, intake: Option<u64>) -> bool {
        let (Some(before), Some(now)) = (self.intake, intake) else { return true };
        now != before
    }
}
