//! Times by size, and what is told of them in a line.

use glasspoll_record::histogram::Histogram;
use serde::Serialize;

use crate::replay::Latency;

#[derive(Debug, Serialize)]
pub struct Times {
    count: u64,
    p50: u64,
    p99: u64,
    max: u64,
    /// How many are upper bounds.
    at_most: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    buckets: Vec<(u16, u64)>,
}

impl Times {
    /// The times of a histogram; `at_most` of them are upper bounds.
    pub fn new(histogram: &Histogram, at_most: u64) -> Self {
        Self {
            count: histogram.count(),
            p50: histogram.quantile(0.5),
            p99: histogram.quantile(0.99),
            max: histogram.max(),
            at_most,
            buckets: histogram.buckets().to_vec(),
        }
    }

    /// The times of a latency.
    pub fn of(latency: &Latency) -> Self {
        Self::new(&latency.histogram, latency.at_most)
    }

    /// Only the numbers.
    pub fn without_histogram(mut self) -> Self {
        self.buckets.clear();
        self
    }
}
