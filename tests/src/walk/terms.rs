//! What a mode of glasspoll leaves open, by its settings.

/// As many events as a wait takes that is to take all.
pub const WIDE: i32 = 1024;

/// What the logs may differ in, or what no walk has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Hot items, and files that are asked by poll, have no order of becoming ready. So a wait takes all that
    /// is ready, or is repeated until all has come.
    pub any_order: bool,
    /// What comes on top of data that was not read is noticed late, so that it is no walk's.
    pub polled: bool,
}

impl Terms {
    /// Those of some settings, `NAME=VALUE` each.
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
