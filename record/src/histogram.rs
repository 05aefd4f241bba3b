//! Counts how often each value came. The buckets are log-linear: a value is known to a sixteenth of itself, and all
//! buckets take a few hundred bytes.

/// Buckets in each power of two.
const SUB: u32 = 16;
const SUB_BITS: u32 = 4;

/// A histogram of values of any size. Values below 16 have a bucket each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Buckets that have something, by number, and how much.
    buckets: Vec<(u16, u64)>,
    count: u64,
    sum: u128,
    max: u64,
}

/// The bucket of a value.
fn bucket(value: u64) -> u16 {
    if value < u64::from(SUB) {
        return value as u16;
    }
    let octave = 63 - value.leading_zeros() - SUB_BITS;
    (((octave + 1) << SUB_BITS) + ((value >> octave) as u32 & (SUB - 1))) as u16
}

/// The least value of a bucket.
fn floor(bucket: u16) -> u64 {
    let (octave, place) = (u32::from(bucket) >> SUB_BITS, u64::from(bucket) & u64::from(SUB - 1));
    match octave {
        0 => place,
        _ => (u64::from(SUB) + place) << (octave - 1).min(59),
    }
}

/// The value that stands for all values of a bucket: its middle.
fn middle(bucket: u16) -> u64 {
    let from = floor(bucket);
    from + (floor(bucket + 1).saturating_sub(from)) / 2
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        self.add_to(bucket(value), 1);
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    fn add_to(&mut self, bucket: u16, times: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(number, _)| *number) {
            Ok(at) => self.buckets[at].1 += times,
            Err(at) => self.buckets.insert(at, (bucket, times)),
        }
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, times) in &other.buckets {
            self.add_to(*bucket, *times);
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest one, exactly.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean; 0 if there is nothing.
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / self.count as f64
        }
    }

    /// A value that `share` of all values are not above: 0.5 gives the median. 0 if there is nothing.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        if rank >= self.count {
            return self.max;
        }
        let mut seen = 0;
        for (bucket, times) in &self.buckets {
            seen += *times;
            if seen >= rank {
                return middle(*bucket).min(self.max);
            }
        }
        self.max
    }

    /// The buckets that have something: number, 16 for each power of two, and how much.
    pub fn buckets(&self) -> &[(u16, u64)] {
        &self.buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_bucket_that_begins_before_it() {
        for shift in 0..64 {
            for near in [0u64, 1, 3, 7] {
                let value = (1u64 << shift).saturating_add(near << shift.max(3) >> 3);
                let number = bucket(value);
                assert!(floor(number) <= value, "{value}");
                assert!(number == bucket(u64::MAX) || floor(number + 1) > value, "{value}");
            }
        }
        assert_eq!(bucket(15) + 1, bucket(16));
    }

    #[test]
    fn quantiles_are_right_to_a_sixteenth() {
        let mut histogram = Histogram::default();
        for value in 1..=100_000u64 {
            histogram.add(value * 10);
        }
        for (share, expected) in [(0.5, 500_000.0), (0.99, 990_000.0), (0.01, 10_000.0)] {
            let got = histogram.quantile(share) as f64;
            assert!((got / expected - 1.0).abs() < 1.0 / 16.0, "{share}: {got}");
        }
        assert_eq!(histogram.max(), 1_000_000);
        assert_eq!(histogram.quantile(1.0), 1_000_000);
        assert!((histogram.mean() - 500_005.0).abs() < 1.0);
    }

    #[test]
    fn nothing_counted_is_no_trouble() {
        let histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.max(), histogram.count()), (0, 0, 0));
    }

    #[test]
    fn merged_ones_are_as_if_counted_together() {
        let (mut a, mut b, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in [3, 77, 1 << 40, 0, u64::MAX] {
            a.add(value);
            both.add(value);
            b.add(value / 2);
            both.add(value / 2);
        }
        a.merge(&b);
        assert_eq!(a, both);
    }
}
