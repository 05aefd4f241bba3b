//! The states of an item, and how it goes from one to the next. Pure: no lock, no system call.
//!
//! *Cold*: attached to its device. *Recent*: cold, and delivered in the last 12 waits. *Resting*: cold, and unfit
//! to be hot for some waits; then it counts as recent. *Hot*: the waiting thread asks its file. *Owed*: hot, and
//! the edge that was reported is not known to be drained. *Leaving*: hot, and attached again.
//!
//! | state | event | becomes | action | when, and its system calls |
//! |---|---|---|---|---|
//! | new | `Fits` | hot | – | ADD to a busy set, of a file of known kind; 0 |
//! | new | `Unfit` | cold | `Attach` | any other ADD; arm (4), and ADD polls (1) |
//! | cold | `Delivered` | recent | – | in a busy set; 0 |
//! | recent | `Delivered` | recent | `Consider` | in a busy set; 0 |
//! | cold, recent | `Changed` | same | `Consider` | MOD; 0 |
//! | cold, recent | `Fits` | hot | `Detach` | the set is busy and has room (512); disarm (3), edge-triggered TCP_INFO |
//! | hot | `DeliveredEdge` | owed | – | 0; TCP_INFO until it was drained twice in a row, and after an end |
//! | owed | `Drained` | hot | – | the next wait begins; 0 |
//! | owed | `NotDrained` | resting | `AttachCompareAsk` | the next wait begins; arm (4), TCP_INFO, poll (1) |
//! | owed | `Unfit` | cold | `AttachCompareAsk` | as below |
//! | hot | `Unfit` | cold | `AttachAsk` | no event for 10 ms (all items); a second thread waits for the set; the set is added to another or polled; the file gets a second item or is shared; MOD to what cannot be hot; arm (4), poll (1) |
//! | hot, owed | `Unsure` | resting | `AttachAsk` | urgent data, or no count of what arrives; arm (4), poll (1) |
//! | hot | `Quiet` | leaving | `Attach` | no event for 12 waits; checked every 8th wait, 64 at a time; arm (4) |
//! | leaving | `AskedLast`, `Changed`, `Unfit` | cold | `Ask` | after the next poll of the rest, which may not have taken place; poll (1) |
//! | leaving | `Unsure` | resting | `Ask` | as above |
//! | new, cold, recent, resting, leaving | `Removed` | gone | `Detach` | DEL, close; disarm (3) |
//! | hot, owed | `Removed` | gone | – | DEL, close; 0 |
//!
//! Any other event leaves the state as it is. An item that rests for 0 waits is cold. In a forked child every item
//! is cold (`Eventpoll::forked`). The states from hot to leaving have a place in the list; `Eventpoll::step` takes
//! it from an item that leaves them.

/// The state of an item. `HotState` and `HotSlot::phase` have it in few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// EPOLL_CTL_ADD has just made it.
    New,
    Cold,
    Recent {
        /// How many waits ago it was delivered.
        ago: u32,
    },
    Resting {
        /// How many waits are left.
        waits: u32,
    },
    Hot(Phase),
    Gone,
}

/// The state of a hot item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Asked,
    Owed,
    Leaving,
}

/// What happens to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The answer to `Consider`, and for a new item: it may be hot.
    Fits,
    /// The opposite; of a hot item: its set, its file or its interest is no longer fit.
    Unfit,
    /// EPOLL_CTL_MOD, after which a hot item may stay hot.
    Changed,
    /// A wait reported it.
    Delivered {
        /// It is edge-triggered.
        edge: bool,
    },
    /// The program has drained it since the report.
    Drained,
    /// It has not.
    NotDrained {
        /// For how many waits it is unfit.
        rest: u32,
    },
    /// It was reported, and nothing could tell later whether more has arrived.
    Unsure {
        /// For how many waits it is unfit.
        rest: u32,
    },
    /// It had no event for `QUIET_ROUNDS` waits.
    Quiet,
    /// The ppoll after `Quiet` is over.
    AskedLast,
    /// It is about to be removed.
    Removed,
}

/// What to do for an item that has taken a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// Find out whether it may be hot. The answer is `Fits` or `Unfit`.
    Consider,
    /// Attach it to its device.
    Attach,
    /// Detach it from its device.
    Detach,
    /// Ask its file alone, for what came before it was attached.
    Ask,
    AttachAsk,
    /// Between the two, compare how much has arrived since the report: more is a new edge.
    AttachCompareAsk,
}

impl State {
    /// Cold, and unfit to be hot for `waits` waits.
    fn rested(waits: u32) -> Self {
        match waits {
            0 => Self::Cold,
            waits => Self::Resting { waits },
        }
    }
}

/// The next state of an item, and what to do.
pub(crate) fn transition(state: State, event: Event) -> (State, Action) {
    use Action::{Ask, Attach, AttachAsk, AttachCompareAsk, Consider, Detach, Nothing};
    use Event::*;
    use Phase::*;
    use State::{Cold, Gone, Hot, New, Recent, Resting};
    match (state, event) {
        (New, Fits) => (Hot(Asked), Nothing),
        (New, Unfit) => (Cold, Attach),
        (Cold, Delivered { .. }) => (Recent { ago: 0 }, Nothing),
        (Recent { .. }, Delivered { .. }) => (Recent { ago: 0 }, Consider),
        (Cold | Recent { .. }, Changed) => (state, Consider),
        (Cold | Recent { .. }, Fits) => (Hot(Asked), Detach),
        (Hot(Asked), Delivered { edge: true }) => (Hot(Owed), Nothing),
        (Hot(Owed), Drained) => (Hot(Asked), Nothing),
        (Hot(Owed), NotDrained { rest }) => (State::rested(rest), AttachCompareAsk),
        (Hot(Owed), Unfit) => (Cold, AttachCompareAsk),
        (Hot(Asked), Unfit) => (Cold, AttachAsk),
        (Hot(Asked | Owed), Unsure { rest }) => (State::rested(rest), AttachAsk),
        (Hot(Asked), Quiet) => (Hot(Leaving), Attach),
        (Hot(Leaving), AskedLast | Changed | Unfit) => (Cold, Ask),
        (Hot(Leaving), Unsure { rest }) => (State::rested(rest), Ask),
        (Hot(Asked | Owed), Removed) => (Gone, Nothing),
        (New | Cold | Recent { .. } | Resting { .. } | Hot(Leaving), Removed) => (Gone, Detach),
        (state, _) => (state, Nothing),
    }
}

#[cfg(test)]
mod tests;
