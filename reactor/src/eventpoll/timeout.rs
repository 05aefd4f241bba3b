//! How long a wait may take. A thread reads the clock only when it is about to sleep.

use crate::sys;

/// What is left of a wait's time.
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    ns: Option<u64>,
    until: Option<u64>,
}

impl Timeout {
    /// Nanoseconds; None: there is no time-out.
    pub fn new(ns: Option<u64>) -> Self {
        Self { ns, until: None }
    }

    /// The whole time in nanoseconds; None: there is no time-out.
    pub fn ns(&self) -> Option<u64> {
        self.ns
    }

    /// Whether the call must not wait at all.
    pub fn is_zero(&self) -> bool {
        self.ns == Some(0)
    }

    /// The nanoseconds that are left; None: there is no time-out. The time runs from the first call of this.
    pub fn left(&mut self) -> Option<u64> {
        let ns = self.ns.filter(|ns| *ns != 0);
        let Some(ns) = ns else { return self.ns };
        let now = sys::now();
        let until = *self.until.get_or_insert_with(|| now.saturating_add(ns));
        Some(until.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_runs_from_the_first_call() {
        let mut timeout = Timeout::new(Some(20_000_000));
        assert_eq!(timeout.left(), Some(20_000_000));
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert!(timeout.left().is_some_and(|left| left <= 19_000_000));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(timeout.left(), Some(0));
    }

    #[test]
    fn nothing_and_for_ever_stay_so() {
        assert_eq!(Timeout::new(Some(0)).left(), Some(0));
        assert_eq!(Timeout::new(None).left(), None);
    }
}
