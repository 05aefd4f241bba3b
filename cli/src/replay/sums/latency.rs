//! The times from becoming ready to being delivered.

use glasspoll_record::event::Known;
use glasspoll_record::histogram::Histogram;

/// How long it took from becoming ready to being delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The times, in nanoseconds.
    pub histogram: Histogram,
    /// How many of them are upper bounds.
    pub at_most: u64,
}

impl Latency {
    /// Counts a delivery.
    pub fn add(&mut self, ready_ns: u64, known: Known) {
        self.histogram.add(ready_ns);
        self.at_most += u64::from(known == Known::NotBefore);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.merge(&other.histogram);
        self.at_most += other.at_most;
    }

    /// Whether most of the times are upper bounds: then so are its quantiles.
    pub fn is_bound(&self) -> bool {
        self.at_most * 2 > self.histogram.count()
    }
}
