//! What has passed through one preview: counters that cost a few atomic additions a request.

use std::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::{ErrorCounts, ErrorKind, Latencies, TrafficTotals};

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
    /// What is behind these figures; subtract an earlier one to see a period.
    pub totals: TrafficTotals,
}

/// The living counters behind [`Traffic`].
#[derive(Debug)]
pub(super) struct Tally {
    counts: Box<[AtomicU64]>,
    total_micros: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
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
            counts: (0..Latencies::BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            total_micros: AtomicU64::new(0),
            errors: Default::default(),
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
    pub(super) fn answered(&self, started: Instant, now: Instant, error: Option<ErrorKind>) {
        let micros = (now - started).as_micros() as u64;
        self.counts[Latencies::bucket(micros)].fetch_add(1, Relaxed);
        self.total_micros.fetch_add(micros, Relaxed);
        if let Some(kind) = error {
            self.errors[kind.index()].fetch_add(1, Relaxed);
        }
        self.touch(now);
    }

    /// Requests whose answers are not over.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(SeqCst)
    }

    /// An answer that broke off after its head had been counted as a good one.
    pub(super) fn broke_off(&self) {
        self.errors[ErrorKind::BrokenOff.index()].fetch_add(1, Relaxed);
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

    pub(super) fn totals(&self) -> TrafficTotals {
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        TrafficTotals {
            latencies: Latencies::from_counts(counts, self.total_micros.load(Relaxed)),
            errors: ErrorCounts::from_counts(|kind| self.errors[kind.index()].load(Relaxed)),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        }
    }

    pub(super) fn read(&self) -> Traffic {
        let totals = self.totals();
        let active = u64::try_from(self.last_activity.load(Relaxed)).ok().map(Duration::from_micros);
        Traffic {
            requests: totals.requests(),
            errors: totals.errors.total(),
            avg_ms: totals.latencies.average_ms(),
            p50_ms: totals.latencies.percentile_ms(50.0),
            p95_ms: totals.latencies.percentile_ms(95.0),
            p99_ms: totals.latencies.percentile_ms(99.0),
            bytes_in: totals.bytes_in,
            bytes_out: totals.bytes_out,
            open_connections: self.connections.load(Relaxed),
            open_websockets: self.tunnels.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            last_activity: active.map(|after| (self.opened.0 + after, self.opened.1 + after)),
            totals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_periods() {
        let tally = Tally::new();
        let start = Instant::now();
        for millis in 1..=100 {
            let error = (millis > 98).then_some(ErrorKind::ServerError);
            tally.answered(start, start + Duration::from_millis(millis), error);
        }
        let first = tally.read();
        assert_eq!((first.requests, first.errors), (100, 2));
        assert!((first.avg_ms - 50.5).abs() < 0.1, "{}", first.avg_ms);
        for (found, expected) in [(first.p50_ms, 50.0), (first.p95_ms, 95.0), (first.p99_ms, 99.0)] {
            assert!((found - expected).abs() < expected / 16.0, "{found} for {expected}");
        }
        tally.answered(start, start + Duration::from_secs(2), None);
        tally.broke_off();
        let period = tally.totals().since(&first.totals);
        assert_eq!((period.requests(), period.errors.of(ErrorKind::BrokenOff)), (1, 1));
        assert_eq!(period.errors.total(), 1, "the others are of before");
        assert!((period.latencies.percentile_ms(50.0) - 2000.0).abs() < 130.0);
    }

    #[test]
    fn nothing_yet_is_zero() {
        let traffic = Tally::new().read();
        assert_eq!((traffic.requests, traffic.p99_ms), (0, 0.0));
        assert!(traffic.last_activity.is_none());
    }
}
