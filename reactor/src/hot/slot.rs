//! A hot item's place in the list, with the state of the item.

use crate::file::DrainHint;
use crate::hot::PROOFS;
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
    /// The item is attached again, and the next wait asks it for the last time.
    pub(crate) leaving: bool,
    /// The item is edge-triggered and was reported, and we do not know yet whether the program drained it.
    pub(crate) owed: bool,
    /// The number of the last refused write.
    pub(crate) refused: u64,
    /// The intake when the item was reported, if it was read (`Device::intake`).
    pub(crate) intake: Option<u64>,
    /// How often in a row the program drained the item after a report.
    proofs: u8,
    /// For how many waits the item must stay cold after it is demoted.
    pub(crate) rest: u32,
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
            leaving: false,
            owed: false,
            refused: 0,
            intake: None,
            proofs: 0,
            rest: 0,
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

    /// Takes the drain hint into account. None: the item is not known to be drained.
    pub(crate) fn learn(&mut self, hint: DrainHint) -> Option<()> {
        const READS: u32 = READ_SIDE & !ENDS;
        self.owed = false;
        if self.seen & READS == 0 {
            return Some(());
        }
        if hint.drained() && self.seen & ENDS == 0 {
            self.seen &= !READS;
            self.proofs = self.proofs.saturating_add(1);
            return Some(());
        }
        self.proofs = 0;
        None
    }

    /// How often in a row the program drained the item after a report.
    pub(crate) fn proofs(&self) -> u8 {
        self.proofs
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
