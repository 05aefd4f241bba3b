//! Whether an item is hot, in four bytes: a hot item's place in the hot list, or a cold item's history.

use crate::hot::list::NO_PLACE;

/// Set while the item is cold. The other bits are then a wait's number, or 0 for "never delivered".
const COLD: u32 = 1 << 31;

/// For this many waits an item stays cold that is unfit to be hot: practically for ever.
pub(crate) const FOR_EVER: u32 = 1 << 29;

/// A hot item's place in the list; of a cold item, the wait in which it was last delivered, or until which it
/// must stay cold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HotState(u32);

impl HotState {
    /// Cold, and never delivered.
    pub(crate) const NEW: Self = Self(COLD);

    /// Hot, with this place in the list.
    pub(crate) fn hot(place: u32) -> Self {
        Self(place & !COLD)
    }

    /// Cold; last delivered in this wait.
    pub(crate) fn delivered(round: u32) -> Self {
        Self(COLD | round.max(1))
    }

    /// Cold for at least `waits` waits.
    pub(crate) fn resting(round: u32, waits: u32) -> Self {
        Self::delivered(round.wrapping_add(waits))
    }

    /// The place, or `NO_PLACE`.
    pub(crate) fn place(self) -> u32 {
        if self.0 & COLD == 0 {
            self.0
        } else {
            NO_PLACE
        }
    }

    /// How many waits ago the item was delivered; negative if it must stay cold. None: never.
    fn age(self, round: u32) -> Option<i32> {
        // Numbers of waits have 31 bits.
        (self.0 != COLD).then_some((round.wrapping_sub(self.0) << 1) as i32 >> 1)
    }

    /// Whether the item must stay cold.
    pub(crate) fn rests(self, round: u32) -> bool {
        self.age(round).is_some_and(|age| age < 0)
    }

    /// Whether the cold item was delivered in one of the last `waits` waits.
    pub(crate) fn is_recent(self, round: u32, waits: u32) -> bool {
        self.age(round).is_some_and(|age| (0..=waits as i32).contains(&age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_no_wait() {
        assert_eq!(HotState::hot(7).place(), 7);
        assert_eq!(HotState::NEW.place(), NO_PLACE);
        assert_eq!(HotState::delivered(7).place(), NO_PLACE);
        assert!(!HotState::NEW.is_recent(0, 12) && !HotState::NEW.rests(0));
    }

    #[test]
    fn waits_are_counted_round_the_end() {
        for round in [5, u32::MAX - 3, (1 << 31) - 3, u32::MAX / 2 + 20] {
            let delivered = HotState::delivered(round);
            assert!(delivered.is_recent(round.wrapping_add(12), 12));
            assert!(!delivered.is_recent(round.wrapping_add(13), 12));
            let resting = HotState::resting(round, 32);
            assert!(resting.rests(round.wrapping_add(31)) && !resting.rests(round.wrapping_add(32)));
            assert!(HotState::resting(round, FOR_EVER).rests(round.wrapping_add(FOR_EVER - 1)));
        }
    }
}
