//! The specification of chaos (`GLASSPOLL_CHAOS`, `glasspoll run --chaos`), and the names of injections.
//!
//! A specification is a list of words, separated by commas:
//!
//! | word | does | without a share |
//! |---|---|---|
//! | `seed=N` | sets the seed; each seed has another schedule | 1 |
//! | `short[=P]` | a wait returns fewer events than are ready | 20% |
//! | `reorder[=P]` | a wait returns the events in another order | 100% |
//! | `spurious[=P]` | a wait adds an event of a file that is not ready: a read of the file gets EAGAIN | 1% |
//! | `eintr[=P]` | a wait that would sleep ends with EINTR | 1% |
//! | `delay[=D..D][@P]` | a wait begins that much later | 0..2ms@10% |
//! | `edge=coalesce[@P]` | edges are held back until more may have come, and are then reported as one | 25% |
//! | `repeat[=P]` | an edge is reported again, if the file is still ready | 1% |
//! | `all` | all of these | |
//! | `only=NAME[+NAME…]` | of all injections that the other words cause, only these | |
//!
//! P is the share of waits, such as `20%` or `0.5%`; with `repeat`, it is the share of edges. D is a time: `500us`,
//! `2ms`, `1s`, up to 10 s. A name says which set of the process, counted from 1, which wait for it, from 1, and what:
//! `2:17:short`.

mod share;
mod span;
mod word;

pub use share::Share;
pub use span::Span;
pub use word::MOST_NAMES;

use std::fmt;
use std::str::FromStr;

use crate::event::Injection;

/// All kinds, in the order of their numbers.
pub const KINDS: [Injection; 7] = [
    Injection::Short,
    Injection::Reorder,
    Injection::Spurious,
    Injection::Eintr,
    Injection::Delay,
    Injection::Coalesce,
    Injection::Repeat,
];

/// One injection, or all of a kind in one wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The set.
    pub epoll: u32,
    /// The number of the set's wait.
    pub wait: u32,
    /// The number of an `Injection`.
    what: u8,
}

impl Name {
    /// An injection in that wait for that set.
    pub fn new(epoll: u32, wait: u32, what: Injection) -> Self {
        Self { epoll, wait, what: what as u8 }
    }

    /// What was injected.
    pub fn what(self) -> Injection {
        KINDS[usize::from(self.what)]
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.epoll, self.wait, self.what())
    }
}

/// What chaos must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// All decisions depend on it.
    pub seed: u64,
    /// How often each kind happens, by its number.
    shares: [Share; KINDS.len()],
    /// By how much a wait is delayed.
    pub delay: Span,
    /// Only these injections, in order; None: all.
    only: Option<Vec<Name>>,
}

/// A specification that does nothing.
impl Default for Spec {
    fn default() -> Self {
        Self { seed: 1, shares: [Share::NONE; KINDS.len()], delay: Span::USUAL, only: None }
    }
}

impl Spec {
    /// How often `what` is done.
    pub fn share(&self, what: Injection) -> Share {
        self.shares[what as usize]
    }

    /// Whether `what` may be done at all in that wait.
    pub fn allows(&self, name: Name) -> bool {
        self.only.as_ref().is_none_or(|only| only.binary_search(&name).is_ok())
    }

    /// The same specification, restricted to these injections.
    #[must_use]
    pub fn only(&self, names: impl IntoIterator<Item = Name>) -> Self {
        let mut only: Vec<Name> = names.into_iter().collect();
        only.sort_unstable();
        only.dedup();
        Self { only: Some(only), ..self.clone() }
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut spec = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            word::apply(&mut spec, word)?;
        }
        if spec.shares.iter().all(|share| share.is_none()) {
            return Err(format!("nothing is to be done: say what, such as 'all' or {}", word::EXAMPLE));
        }
        Ok(spec)
    }
}

/// The form in which it is parsed.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={}", self.seed)?;
        for what in KINDS {
            let share = self.share(what);
            match what {
                _ if share.is_none() => {}
                Injection::Delay => write!(f, ",delay={}@{share}", self.delay)?,
                Injection::Coalesce => write!(f, ",edge=coalesce@{share}")?,
                _ => write!(f, ",{what}={share}")?,
            }
        }
        if let Some(only) = &self.only {
            f.write_str(",only=")?;
            for (at, name) in only.iter().enumerate() {
                write!(f, "{}{name}", if at == 0 { "" } else { "+" })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
