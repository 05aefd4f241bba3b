//! A time between two times.

use std::fmt;
use std::str::FromStr;

/// In microseconds; the second is not less than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    least: u32,
    most: u32,
}

/// The longest delay of a wait.
const LONGEST_US: u32 = 10_000_000;

impl Span {
    pub(super) const USUAL: Self = Self { least: 0, most: 2_000 };

    /// A time in the span, in microseconds, chosen by a random number of 32 bits.
    pub fn pick(self, number: u32) -> u32 {
        let width = u64::from(self.most - self.least) + 1;
        self.least + ((u64::from(number) * width) >> 32) as u32
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no delay: use times up to 10s, such as 1ms, 0..2ms or 500us..1ms");
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let most = microseconds(most).ok_or_else(wrong)?;
        let least = microseconds(least).ok_or_else(wrong)?;
        if least > most || most > LONGEST_US {
            return Err(wrong());
        }
        Ok(Self { least, most })
    }
}

fn microseconds(text: &str) -> Option<u32> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u32 = text[..at].parse().ok()?;
    match &text[at..] {
        "us" | "µs" => Some(number),
        "ms" => number.checked_mul(1_000),
        "s" => number.checked_mul(1_000_000),
        "" if number == 0 => Some(0),
        _ => None,
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least != self.most {
            time(self.least, f)?;
            f.write_str("..")?;
        }
        time(self.most, f)
    }
}

fn time(us: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match us {
        0 => f.write_str("0"),
        us if us.is_multiple_of(1_000_000) => write!(f, "{}s", us / 1_000_000),
        us if us.is_multiple_of(1_000) => write!(f, "{}ms", us / 1_000),
        us => write!(f, "{us}us"),
    }
}
