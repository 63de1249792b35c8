//! How long many requests took, in so little space that it can be kept for every preview and
//! every step of its history, and added up afterwards without losing a percentile.
//!
//! The layout is that of an HDR histogram: each power of two is divided into 16 buckets, so a
//! value is known to 1/16 of its size wherever it lies. It is written out here, and not taken
//! from a crate, because the proxy counts into it from many threads with one relaxed addition.

use std::fmt::Write;

/// Buckets in a power of two, as a power of two.
const SUB: u32 = 4;
/// The last power of two: values end at 2^32 µs (71 minutes).
const TOP: u32 = 31;

/// How many requests took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latencies {
    /// As long as [`Latencies::BUCKETS`], or empty where nothing was counted.
    counts: Vec<u64>,
    total_micros: u64,
}

impl Latencies {
    pub const BUCKETS: usize = ((TOP - SUB + 2) << SUB) as usize;

    /// Nothing counted.
    pub const fn none() -> Self {
        Self { counts: Vec::new(), total_micros: 0 }
    }

    /// From counters that were read one after the other.
    pub fn from_counts(counts: impl Iterator<Item = u64>, total_micros: u64) -> Self {
        Self { counts: counts.take(Self::BUCKETS).collect(), total_micros }
    }

    /// The bucket that counts a value.
    pub fn bucket(micros: u64) -> usize {
        let micros = micros.min((1 << (TOP + 1)) - 1);
        let power = (micros | 1).ilog2();
        if power < SUB {
            return micros as usize;
        }
        let within = (micros >> (power - SUB)) & ((1 << SUB) - 1);
        (((power - SUB + 1) << SUB) as usize) + within as usize
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub const fn total_micros(&self) -> u64 {
        self.total_micros
    }

    /// 0 when there were no requests.
    pub fn average_ms(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.total_micros as f64 / count as f64 / 1e3,
        }
    }

    /// `percent` from 0 to 100; 0 when there were no requests.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        let rank = (self.count() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(0.0, |index| middle_of(index) / 1e3)
    }

    /// How many took less than 2^`power` µs. Exact, because buckets end at powers of two.
    pub fn below_power(&self, power: u32) -> u64 {
        let end = if power < SUB { 1 << power } else { ((power - SUB + 1) << SUB) as usize };
        self.counts.iter().take(end).sum()
    }

    /// What was added since `earlier` was read from the same counters.
    pub fn since(&self, earlier: &Self) -> Self {
        let then = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(then).map(|(now, then)| now.saturating_sub(then));
        Self {
            counts: counts.collect(),
            total_micros: self.total_micros.saturating_sub(earlier.total_micros),
        }
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (sum, more) in self.counts.iter_mut().zip(&other.counts) {
            *sum += more;
        }
        self.total_micros += other.total_micros;
    }

    /// `total;bucket:count,…` of the buckets that hold anything: what the store keeps.
    pub fn to_text(&self) -> String {
        let mut text = format!("{};", self.total_micros);
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        for (at, (bucket, count)) in counted.enumerate() {
            let comma = if at == 0 { "" } else { "," };
            // Writing to a String does not fail.
            let _ = write!(text, "{comma}{bucket}:{count}");
        }
        text
    }

    /// What [`Latencies::to_text`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (total, buckets) = text.split_once(';')?;
        let mut found = Self { counts: Vec::new(), total_micros: total.parse().ok()? };
        for entry in buckets.split(',').filter(|entry| !entry.is_empty()) {
            let (bucket, count) = entry.split_once(':')?;
            let bucket: usize = bucket.parse().ok()?;
            found.counts.resize(Self::BUCKETS, 0);
            *found.counts.get_mut(bucket)? += count.parse::<u64>().ok()?;
        }
        Some(found)
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::none()
    }
}

/// Microseconds in the middle of a bucket.
fn middle_of(index: usize) -> f64 {
    let (row, within) = (index >> SUB, index & ((1 << SUB) - 1));
    if row == 0 {
        return within as f64;
    }
    let width = f64::from(1u32 << (row - 1));
    (within as f64 + f64::from(1u32 << SUB)) * width + (width - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Latencies {
        let mut counts = vec![0; Latencies::BUCKETS];
        values.iter().for_each(|value| counts[Latencies::bucket(*value)] += 1);
        Latencies::from_counts(counts.into_iter(), values.iter().sum())
    }

    #[test]
    fn a_bucket_holds_its_values_to_one_sixteenth() {
        for micros in (0..70_000u64).chain([1 << 20, (1 << 31) + 12345, (1 << 32) - 1]) {
            let error = (middle_of(Latencies::bucket(micros)) - micros as f64).abs();
            assert!(error <= micros as f64 / 16.0, "{micros}: off by {error}");
        }
        assert_eq!(Latencies::bucket(u64::MAX), Latencies::BUCKETS - 1);
    }

    #[test]
    fn text_that_was_not_written_here_is_refused() {
        for bad in ["", "1", "x;", "1;2", "1;2:x", "1;9999:1", "1;-1:1"] {
            assert_eq!(Latencies::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Latencies::parse("0;"), Some(Latencies::none()));
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            one in prop::collection::vec(0u64..1 << 30, 0..50),
            other in prop::collection::vec(0u64..1 << 30, 0..50),
        ) {
            let whole = of(&[one.clone(), other.clone()].concat());
            let mut sum = of(&one);
            sum.add(&of(&other));
            prop_assert_eq!(&sum, &whole);
            prop_assert_eq!(whole.since(&of(&one)), of(&other));
            prop_assert_eq!(Latencies::parse(&whole.to_text()).map(|l| l.to_text()), Some(whole.to_text()));
        }

        #[test]
        fn what_is_below_a_power_of_two_is_exact(values in prop::collection::vec(0u64..1 << 32, 0..50), power in 0u32..33) {
            let below = values.iter().filter(|value| **value < 1 << power).count() as u64;
            prop_assert_eq!(of(&values).below_power(power), below);
        }

        #[test]
        fn percentiles_are_within_a_sixteenth(mut values in prop::collection::vec(16u64..1 << 30, 1..80), percent in 0.0f64..=100.0) {
            let found = of(&values).percentile_ms(percent) * 1e3;
            values.sort_unstable();
            let rank = (values.len() as f64 * percent / 100.0).ceil().max(1.0) as usize;
            let exact = values[rank - 1] as f64;
            prop_assert!((found - exact).abs() <= exact / 16.0, "{} for {}", found, exact);
        }
    }
}
