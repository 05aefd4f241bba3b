//! A hot item's place in the list, and what is known of the item there.

use crate::file::DrainHint;
use crate::hot::PROOFS;
use crate::trace::ready_time::Moment;
use crate::uapi::*;

/// A hot item's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HotSlot {
    /// The item, or `list::GONE`.
    pub(crate) id: u32,
    /// When it got its place, for the record, in ticks.
    pub(crate) placed: u64,
    /// The wait in which it last had news.
    pub(crate) last: u32,
    /// Interest and private bits.
    pub(crate) events: u32,
    /// What an edge-triggered item was told of, and is not known to have fallen since.
    pub(crate) seen: u32,
    /// It is attached again, and is asked once more.
    pub(crate) leaving: bool,
    /// Edge-triggered and reported; whether it was drained is not known yet.
    pub(crate) owed: bool,
    /// The refusal of a write that came last.
    pub(crate) refused: u64,
    /// How much had come when it was reported, if that was asked (`Device::intake`).
    pub(crate) intake: Option<u64>,
    /// How often it was drained after it had been reported.
    proofs: u8,
    /// How long it is to stay cold once it is, in waits.
    pub(crate) rest: u32,
}

/// What an edge-triggered item is asked for besides its interest. At urgent data a read stops, used up or not.
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

    /// What ppoll is to ask for.
    pub(crate) fn asks(&self) -> u32 {
        match self.events & EPOLLET {
            0 => self.events & POLL_BITS,
            _ => (self.events | EDGE_BITS) & POLL_BITS & !self.seen,
        }
    }

    /// Whether nothing can be slept for: disarmed, or it has come to an end that was told.
    pub(crate) fn is_mute(&self) -> bool {
        self.events & !EP_PRIVATE_BITS == 0 || self.has_ended()
    }

    /// Whether an end was told, which every asking would tell again.
    pub(crate) fn has_ended(&self) -> bool {
        self.events & EPOLLET != 0 && self.seen & (EPOLLHUP | EPOLLERR) != 0
    }

    /// What the program's reads and writes told. None: it is not known to be drained.
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

    /// How often it was drained after it had been reported, without fail.
    pub(crate) fn proofs(&self) -> u8 {
        self.proofs
    }

    /// Whether how much has come is to be looked at when it is reported.
    pub(crate) fn is_unproven(&self) -> bool {
        self.proofs < PROOFS
    }

    /// It was not drained. Whether more has come since it was reported, given how much has come until now.
    pub(crate) fn has_more(&self, intake: Option<u64>) -> bool {
        let (Some(before), Some(now)) = (self.intake, intake) else { return true };
        now != before
    }
}
