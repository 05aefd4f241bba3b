//! How long things took: by size, in memory of fixed size.

/// Buckets in each power of two.
const SUB: u64 = 8;
const BUCKETS: usize = 64 * SUB as usize;

/// Times in nanoseconds, each known to an eighth.
#[derive(Clone, Debug)]
pub struct Latency {
    buckets: Vec<u64>,
    /// How many.
    pub count: u64,
    /// The longest one, exactly.
    pub longest: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, longest: 0 }
    }
}

impl Latency {
    /// Counts one.
    pub fn add(&mut self, ns: u64) {
        let bucket = match ns {
            0..SUB => ns,
            _ => {
                let octave = u64::from(ns.ilog2()) - 3;
                (octave + 1) * SUB + (ns >> octave) % SUB
            }
        };
        self.buckets[bucket as usize] += 1;
        self.count += 1;
        self.longest = self.longest.max(ns);
    }

    /// What `share` of them are not above, about.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let (octave, place) = (place as u64 / SUB, place as u64 % SUB);
                let from = if octave == 0 { place } else { (SUB + place) << (octave - 1) };
                return from.min(self.longest);
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let mut latency = Latency::default();
        for value in 1..=100_000u64 {
            latency.add(value * 10);
        }
        for (share, wanted) in [(0.01, 10_000.0), (0.5, 500_000.0), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let got = latency.quantile(share) as f64;
            assert!((got / wanted - 1.0).abs() < 0.13, "{share}: {got}");
        }
        for value in [0, 1, 7, 8, 9, 15, 16, u64::MAX] {
            let mut one = Latency::default();
            one.add(value);
            let got = one.quantile(0.5);
            assert!(got <= value && got >= value - value / 8, "{value}: {got}");
        }
    }
}
