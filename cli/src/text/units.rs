//! Numbers as people read them, and text of a record that does no harm to a terminal.

use syscalls::Errno;

use crate::replay::Latency;

/// A time: `850 ns`, `12.3 µs`, `1.20 ms`, `3.40 s`.
pub fn duration(ns: u64) -> String {
    let scaled = |by: f64| ns as f64 / by;
    let (value, unit) = match ns {
        0..=999 => return format!("{ns} ns"),
        1_000..=999_499 => (scaled(1e3), "µs"),
        999_500..=999_499_999 => (scaled(1e6), "ms"),
        _ => (scaled(1e9), "s"),
    };
    let digits = digits(value);
    format!("{value:.digits$} {unit}")
}

/// Three digits are enough.
fn digits(value: f64) -> usize {
    match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    }
}

/// A number: `1,234,567`.
pub fn count(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at != 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `once`, `2 times`, `1,200 times`.
pub fn times(number: u64) -> String {
    if number == 1 {
        "once".into()
    } else {
        format!("{} times", count(number))
    }
}

/// `1 event`, `2 events`, `1,200 events`.
pub fn counted(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", count(number))
}

/// `EBADF` and the like; a number if the error has no name.
pub fn errno(errno: u16) -> String {
    Errno::new(errno.into()).name().map_or_else(|| errno.to_string(), str::to_owned)
}

/// An amount of memory: `512 B`, `1.50 KiB`.
pub fn bytes(number: u64) -> String {
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 1023.5 && unit < 5 {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    match unit {
        0 => format!("{number} B"),
        _ => format!("{value:.*} {}iB", digits(value), ["K", "M", "G", "T", "P"][unit - 1]),
    }
}

/// A share: `17%`; `0.3%` if it is small.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0%".into(),
        value if value < 0.05 => "<0.1%".into(),
        value if value < 9.95 => format!("{value:.1}%"),
        value => format!("{value:.0}%"),
    }
}

/// A quantile of a latency, `≤` before one that is an upper bound; `-` if there is none.
pub fn quantile(latency: &Latency, share: f64) -> String {
    match latency.histogram.count() {
        0 => "-".into(),
        _ => bound(latency, latency.histogram.quantile(share)),
    }
}

/// The longest latency, likewise.
pub fn longest(latency: &Latency) -> String {
    match latency.histogram.count() {
        0 => "-".into(),
        _ => bound(latency, latency.histogram.max()),
    }
}

fn bound(latency: &Latency, ns: u64) -> String {
    format!("{}{}", if latency.is_bound() { "≤" } else { "" }, duration(ns))
}

/// Foreign text, with the characters that control a terminal replaced.
pub fn clean(text: &str) -> String {
    // Unicode does not count marks of direction and line breaks as control characters.
    let is_mark = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let is_bad = |c: char| c.is_control() || is_mark(c);
    text.chars().map(|c| if is_bad(c) { '\u{fffd}' } else { c }).collect()
}

/// The same, and no longer than `width` characters.
pub fn fit(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain((width > 0).then_some('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_as_one() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "event")), ["0 events", "1 event", "2 events"]);
        assert_eq!([1, 1_200].map(times), ["once", "1,200 times"]);
    }

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let all =
            [(0, "0 ns"), (999, "999 ns"), (1_000, "1.00 µs"), (12_345, "12.3 µs"), (999_499, "999 µs")];
        for (ns, expected) in all {
            assert_eq!(duration(ns), expected);
        }
        assert_eq!(duration(999_500), "1.00 ms");
        assert_eq!(duration(340_000_000), "340 ms");
        assert_eq!(duration(12_340_000_000), "12.3 s");
        assert_eq!(duration(86_400_000_000_000), "86400 s");
    }

    #[test]
    fn numbers_have_commas_and_sizes_units() {
        assert_eq!((count(1), count(1_234_567), count(999)), ("1".into(), "1,234,567".into(), "999".into()));
        assert_eq!(
            (bytes(1023), bytes(1024), bytes(1536)),
            ("1023 B".into(), "1.00 KiB".into(), "1.50 KiB".into())
        );
        assert_eq!(bytes(u64::MAX), "16384 PiB");
        assert_eq!(
            (percent(0.0), percent(0.0312), percent(1.0)),
            ("0%".into(), "3.1%".into(), "100%".into())
        );
    }

    #[test]
    fn text_that_steers_a_terminal_is_made_visible() {
        assert_eq!(clean("a\x1b[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(fit("tcp 127.0.0.1:6379", 8), "tcp 127…");
        assert_eq!((fit("abc", 0), fit("abc", 3)), (String::new(), "abc".into()));
    }
}
