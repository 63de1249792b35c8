//! What has passed through one preview: counters that cost a few atomic additions a request.

use std::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// A preview's traffic since its port was opened.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// Requests that went to the app.
    pub requests: u64,
    /// Of those, answers of 500 and above, and those that got none.
    pub errors: u64,
    /// Milliseconds from the request's head to the answer's head.
    pub avg_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// Bytes of bodies and of tunnels, from visitors.
    pub bytes_in: u64,
    /// The same, to visitors.
    pub bytes_out: u64,
    /// Sockets of visitors, tunnels included.
    pub open_connections: u64,
    pub open_websockets: u64,
    /// Requests whose answers are not over.
    pub in_flight: u64,
    /// The last time anything came or went, by both clocks.
    pub last_activity: Option<(Instant, DateTime<Utc>)>,
    /// The latencies behind the percentiles; subtract an earlier one to see a period.
    pub latencies: Latencies,
}

/// How many requests took how long. Values are kept to 1/16 of their size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latencies {
    counts: Vec<u64>,
    total_micros: u64,
}

/// The living counters behind [`Traffic`].
#[derive(Debug)]
pub(super) struct Tally {
    counts: Box<[AtomicU64]>,
    total_micros: AtomicU64,
    errors: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    connections: AtomicU64,
    tunnels: AtomicU64,
    in_flight: AtomicU64,
    opened: (Instant, DateTime<Utc>),
    /// Microseconds after `opened`; negative before the first activity.
    last_activity: AtomicI64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            total_micros: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            tunnels: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            opened: (Instant::now(), Utc::now()),
            last_activity: AtomicI64::new(-1),
        }
    }

    /// One request that began at `started` and was answered at `now`.
    pub(super) fn answered(&self, started: Instant, now: Instant, failed: bool) {
        let micros = (now - started).as_micros() as u64;
        self.counts[bucket(micros)].fetch_add(1, Relaxed);
        self.total_micros.fetch_add(micros, Relaxed);
        if failed {
            self.errors.fetch_add(1, Relaxed);
        }
        self.touch(now);
    }

    /// An answer that broke off after its head had been counted as a good one.
    pub(super) fn broke_off(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    pub(super) fn received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Relaxed);
        self.touch(Instant::now());
    }

    pub(super) fn sent(&self, bytes: u64, now: Instant) {
        self.bytes_out.fetch_add(bytes, Relaxed);
        self.touch(now);
    }

    fn touch(&self, now: Instant) {
        self.last_activity.store((now - self.opened.0).as_micros() as i64, Relaxed);
    }

    /// Counts a visitor's socket, unless there are `limit` already.
    pub(super) fn connect(&self, limit: u64) -> bool {
        let admit = |open| (open < limit).then_some(open + 1);
        self.connections.fetch_update(Relaxed, Relaxed, admit).is_ok()
    }

    pub(super) fn disconnect(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    pub(super) fn begin(&self) {
        // In one order with the upstream's lock: who sees none in flight after closing the way in can
        // rely on it.
        self.in_flight.fetch_add(1, SeqCst);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    /// Since when nobody has used the preview; none while somebody does.
    pub(super) fn unused_since(&self) -> Option<Instant> {
        if self.in_flight.load(SeqCst) > 0 || self.tunnels.load(Relaxed) > 0 {
            return None;
        }
        let active = u64::try_from(self.last_activity.load(Relaxed)).unwrap_or(0);
        Some(self.opened.0 + Duration::from_micros(active))
    }

    pub(super) fn open_tunnel(&self) {
        self.tunnels.fetch_add(1, Relaxed);
    }

    pub(super) fn close_tunnel(&self) {
        self.tunnels.fetch_sub(1, Relaxed);
    }

    pub(super) fn read(&self) -> Traffic {
        let latencies = Latencies {
            counts: self.counts.iter().map(|count| count.load(Relaxed)).collect(),
            total_micros: self.total_micros.load(Relaxed),
        };
        let active = u64::try_from(self.last_activity.load(Relaxed)).ok().map(Duration::from_micros);
        Traffic {
            requests: latencies.count(),
            errors: self.errors.load(Relaxed),
            avg_ms: latencies.average_ms(),
            p50_ms: latencies.percentile_ms(50.0),
            p95_ms: latencies.percentile_ms(95.0),
            p99_ms: latencies.percentile_ms(99.0),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            open_connections: self.connections.load(Relaxed),
            open_websockets: self.tunnels.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            last_activity: active.map(|after| (self.opened.0 + after, self.opened.1 + after)),
            latencies,
        }
    }
}

impl Latencies {
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
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

    /// What was added since `earlier` was read from the same preview.
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then));
        Self {
            counts: counts.collect(),
            total_micros: self.total_micros.saturating_sub(earlier.total_micros),
        }
    }
}

/// Each power of two is divided into 16 buckets, up to 2^32 µs (71 minutes).
const SUB: u32 = 4;
const TOP: u32 = 31;
const BUCKETS: usize = ((TOP - SUB + 2) << SUB) as usize;

fn bucket(micros: u64) -> usize {
    let micros = micros.min((1 << (TOP + 1)) - 1);
    let power = (micros | 1).ilog2();
    if power < SUB {
        return micros as usize;
    }
    let within = (micros >> (power - SUB)) & ((1 << SUB) - 1);
    (((power - SUB + 1) << SUB) as usize) + within as usize
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
    use super::*;

    #[test]
    fn a_bucket_holds_its_values_to_one_sixteenth() {
        for micros in (0..70_000u64).chain([1 << 20, (1 << 31) + 12345, (1 << 32) - 1]) {
            let error = (middle_of(bucket(micros)) - micros as f64).abs();
            assert!(error <= micros as f64 / 16.0, "{micros}: off by {error}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_and_periods() {
        let tally = Tally::new();
        let start = Instant::now();
        for millis in 1..=100 {
            tally.answered(start, start + Duration::from_millis(millis), millis > 98);
        }
        let first = tally.read();
        assert_eq!((first.requests, first.errors), (100, 2));
        assert!((first.avg_ms - 50.5).abs() < 0.1, "{}", first.avg_ms);
        for (found, expected) in [(first.p50_ms, 50.0), (first.p95_ms, 95.0), (first.p99_ms, 99.0)] {
            assert!((found - expected).abs() < expected / 16.0, "{found} for {expected}");
        }
        tally.answered(start, start + Duration::from_secs(2), false);
        let period = tally.read().latencies.since(&first.latencies);
        assert_eq!(period.count(), 1);
        assert!((period.percentile_ms(50.0) - 2000.0).abs() < 130.0);
    }

    #[test]
    fn nothing_yet_is_zero() {
        let traffic = Tally::new().read();
        assert_eq!((traffic.requests, traffic.p99_ms), (0, 0.0));
        assert!(traffic.last_activity.is_none());
    }
}
