//! What a mode of glasspoll leaves open, by its settings.

/// The `max` of a wait that takes everything.
pub const WIDE: i32 = 1024;

/// What may differ between the logs, and which steps no walk has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Hot items, and polled files, have no order of becoming ready. So a wait takes everything that is ready, or is
    /// repeated until everything has come.
    pub any_order: bool,
    /// Data on top of unread data is noticed late, so no walk has it.
    pub polled: bool,
}

impl Terms {
    /// The terms of some settings, each `NAME=VALUE`.
    pub fn of<'a>(settings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut terms = Self::default();
        for setting in settings {
            match setting.split_once('=') {
                Some(("GLASSPOLL_HOT", bound)) => terms.any_order |= bound != "0",
                Some(("GLASSPOLL_DEVICE", "poll")) => (terms.any_order, terms.polled) = (true, true),
                _ => {}
            }
        }
        terms
    }
}
