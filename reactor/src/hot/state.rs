//! The part of an item's state that the item stores, in four bytes: a hot item's place in the hot list, or a cold
//! item's history. The place's slot has the rest (`HotSlot::phase`).

use crate::hot::transition::State;
use crate::hot::QUIET_ROUNDS;

/// The item has no place in the list.
pub(crate) const NO_PLACE: u32 = u32::MAX;

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

    /// The state of an item that is not hot, as of wait `round`.
    pub(crate) fn cold(state: State, round: u32) -> Self {
        match state {
            State::Recent { ago } => Self::since(round.wrapping_sub(ago)),
            State::Resting { waits } => Self::since(round.wrapping_add(waits)),
            State::New | State::Cold | State::Hot(_) | State::Gone => Self::NEW,
        }
    }

    fn since(round: u32) -> Self {
        Self(COLD | round.max(1))
    }

    /// The place, or `NO_PLACE`.
    pub(crate) fn place(self) -> u32 {
        if self.0 & COLD == 0 {
            self.0
        } else {
            NO_PLACE
        }
    }

    /// The state of an item that is not hot, in wait `round`.
    pub(crate) fn state(self, round: u32) -> State {
        // Numbers of waits have 31 bits.
        let age = (round.wrapping_sub(self.0) << 1) as i32 >> 1;
        match age {
            _ if self.0 == COLD => State::Cold,
            ..0 => State::Resting { waits: age.unsigned_abs() },
            _ if age as u32 <= QUIET_ROUNDS => State::Recent { ago: age as u32 },
            _ => State::Cold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_no_wait() {
        assert_eq!(HotState::hot(7).place(), 7);
        assert_eq!(HotState::NEW.place(), NO_PLACE);
        assert_eq!(HotState::cold(State::Recent { ago: 0 }, 7).place(), NO_PLACE);
        assert_eq!(HotState::NEW.state(0), State::Cold);
    }

    #[test]
    fn waits_are_counted_round_the_end() {
        for round in [5, u32::MAX - 3, (1 << 31) - 3, u32::MAX / 2 + 20] {
            let after = |state, waits| HotState::cold(state, round).state(round.wrapping_add(waits));
            let recent = State::Recent { ago: 0 };
            assert_eq!(after(recent, 12), State::Recent { ago: 12 });
            assert_eq!(after(recent, 13), State::Cold);
            let resting = State::Resting { waits: 32 };
            assert_eq!([after(resting, 31), after(resting, 32)], [State::Resting { waits: 1 }, recent]);
            let for_ever = State::Resting { waits: FOR_EVER };
            assert_eq!(after(for_ever, FOR_EVER - 1), State::Resting { waits: 1 });
        }
    }
}
