//! A share of all cases, in millionths.

use std::fmt;
use std::str::FromStr;

/// From 0% to 100%, exact to 0.0001%.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

const ALL: u32 = 1_000_000;

impl Share {
    /// Never.
    pub const NONE: Self = Self(0);

    /// A share in percent, at most 100.
    pub(super) const fn percent(percent: u32) -> Self {
        Self(percent * (ALL / 100))
    }

    /// Whether it is never.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether a random number of 32 bits falls into the share.
    pub fn has(self, number: u32) -> bool {
        ((u64::from(number) * u64::from(ALL)) >> 32) < u64::from(self.0)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no share: use a percentage from 0% to 100%, such as 20% or 0.5%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > 4 {
            return Err(wrong());
        }
        let part = format!("{part:0<4}");
        let share = whole.parse().unwrap_or(ALL) * 10_000 + part.parse().unwrap_or(ALL);
        if share > ALL {
            return Err(wrong());
        }
        Ok(Self(share))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        if part == 0 {
            return write!(f, "{whole}%");
        }
        let part = format!("{part:04}");
        write!(f, "{whole}.{}%", part.trim_end_matches('0'))
    }
}
