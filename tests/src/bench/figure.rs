//! A figure, and how it is judged.

use std::fmt;

/// How glasspoll's value is compared with the kernel's.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    /// More is better: glasspoll's is at least this share of the kernel's.
    Rate(f64),
    /// More is better; there is no bar.
    RateShown,
    /// Less is better: glasspoll's is at most this share of the kernel's.
    Latency(f64),
    /// Less is better; there is no bar.
    LatencyShown,
    /// Less is better: glasspoll is at least this many times as fast.
    Speed(f64),
    /// Less is better: glasspoll adds this at most.
    Added(f64),
    /// Less is better: glasspoll's is at most this; the kernel has nothing like it.
    AtMost(f64),
}

/// One number that a row gives.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// What it measures, beside the row's name; may be empty.
    pub name: &'static str,
    /// The unit of the values.
    pub unit: &'static str,
    /// The bar.
    pub judge: Judge,
}

/// Whether a figure is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Met,
    /// It misses the bar by less than the noise of a measurement, 2%.
    AtTheBar,
    /// It misses the bar.
    Missed,
    /// There is no bar.
    NoBar,
}

const NOISE: f64 = 0.02;

impl Judge {
    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        matches!(self, Judge::Rate(_) | Judge::RateShown)
    }

    /// The number that is compared with the bar.
    pub fn ratio(self, kernel: f64, glasspoll: f64) -> f64 {
        match self {
            Judge::Rate(_) | Judge::RateShown | Judge::Latency(_) | Judge::LatencyShown => glasspoll / kernel,
            Judge::Speed(_) => kernel / glasspoll,
            Judge::Added(_) => glasspoll - kernel,
            Judge::AtMost(_) => glasspoll,
        }
    }

    /// How many times as fast glasspoll is; None if the figure is not about time.
    pub fn speed(self, kernel: f64, glasspoll: f64) -> Option<f64> {
        match self {
            Judge::Rate(_) | Judge::RateShown => Some(glasspoll / kernel),
            Judge::Latency(_) | Judge::LatencyShown | Judge::Speed(_) => Some(kernel / glasspoll),
            Judge::Added(_) | Judge::AtMost(_) => None,
        }
    }

    /// The bar as a speed.
    pub fn bar_as_speed(self) -> Option<f64> {
        match self {
            Judge::Rate(bar) | Judge::Speed(bar) => Some(bar),
            Judge::Latency(bar) => Some(1.0 / bar),
            Judge::RateShown | Judge::LatencyShown | Judge::Added(_) | Judge::AtMost(_) => None,
        }
    }

    /// Whether `ratio` reaches the bar.
    pub fn verdict(self, ratio: f64) -> Verdict {
        let (met, nearly) = match self {
            Judge::RateShown | Judge::LatencyShown => return Verdict::NoBar,
            Judge::Rate(bar) | Judge::Speed(bar) => (ratio >= bar, ratio >= bar * (1.0 - NOISE)),
            Judge::Latency(bar) => (ratio <= bar, ratio <= bar * (1.0 + NOISE)),
            Judge::Added(bar) | Judge::AtMost(bar) => (ratio <= bar, false),
        };
        match (met, nearly) {
            (true, _) => Verdict::Met,
            (_, true) => Verdict::AtTheBar,
            _ => Verdict::Missed,
        }
    }

    /// The bar in words.
    pub fn bar(self, unit: &str) -> String {
        match self {
            Judge::Rate(bar) => format!("≥ {bar:.2}"),
            Judge::RateShown | Judge::LatencyShown => "–".to_owned(),
            Judge::Latency(bar) => format!("≤ {bar:.2} (less is better)"),
            Judge::Speed(bar) => format!("≥ {bar} times as fast"),
            Judge::Added(bar) => format!("≤ {bar} {unit} more"),
            Judge::AtMost(bar) => format!("≤ {bar} {unit}"),
        }
    }

    /// The number that is compared with the bar, in words.
    pub fn ratio_text(self, ratio: f64, unit: &str) -> String {
        match self {
            Judge::Added(_) => format!("{ratio:+.2} {unit}"),
            Judge::AtMost(_) => "–".to_owned(),
            _ => format!("{ratio:.2}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Met => "met",
            Verdict::AtTheBar => "at the bar",
            Verdict::Missed => "**missed**",
            Verdict::NoBar => "–",
        })
    }
}

/// A value with few digits and its unit.
pub fn value(value: f64, unit: &str) -> String {
    if value.is_nan() {
        return "–".to_owned();
    }
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped}{rest} {unit}")
}
