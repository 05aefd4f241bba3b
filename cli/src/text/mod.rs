//! Times and strings as people read them.
//!
//! | module | holds |
//! |---|---|
//! | `units` | numbers with their units, and text that does no harm to a terminal |

pub mod units;

use crate::text::units::duration;

/// What is said of a process whose program the kernel's epoll answers.
pub const OBSERVED: &str = "observed: the kernel's epoll";
/// What is said of a file whose last descriptor in a process is closed, if others may have it.
pub const SHARED: &str = "may live on in another process";

const MINUTE: u64 = 60_000_000_000;

/// A span in words: a duration without zeros at the end, `50 ms`, `1.25 s`; from a minute on `5 min`, `2 h 1 min`.
pub fn span(ns: u64) -> String {
    if ns >= MINUTE {
        return long(ns / 1_000_000_000);
    }
    let text = duration(ns);
    match text.split_once(' ') {
        Some((value, unit)) if value.contains('.') => {
            format!("{} {unit}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

fn long(seconds: u64) -> String {
    match seconds {
        0..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A span in whole units: `3 s`.
pub fn rough(ns: u64) -> String {
    match ns {
        0..1_000_000_000 => "now".into(),
        1_000_000_000..MINUTE => format!("{} s", ns / 1_000_000_000),
        _ => long(ns / 1_000_000_000),
    }
}

/// The text in at most `width` characters: the middle is left out.
pub fn short(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.into();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_three_digits() {
        let spans = [
            (7, "7 ns"),
            (1_500, "1.5 µs"),
            (50_000_000, "50 ms"),
            (123_456_789, "123 ms"),
            (9_999_999_999, "10 s"),
            (61_000_000_000, "1 min"),
            (7_300_000_000_000, "2 h 1 min"),
            (100_000_000_000_000, "1 d 3 h"),
        ];
        for (ns, text) in spans {
            assert_eq!(span(ns), text);
        }
        assert_eq!(rough(3_700_000_000), "3 s");
    }

    #[test]
    fn a_long_string_loses_its_middle() {
        assert_eq!(short("abcdefghij", 5), "ab…ij");
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(short("abcd", 1), "…");
        assert_eq!(short("abcd", 0), "");
    }
}
