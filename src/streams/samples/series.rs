//! The history of one preview on its way to the store: the step that is being filled, and those
//! that are full and not stored yet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::{MetricPoint, ResourceLimits, Sample, TrafficTotals, step_of};

/// Steps that wait for a store that does not answer; the oldest go.
const MOST_WAITING: usize = 360;

/// How far back "now" reaches where requests are counted.
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Series {
    step_s: u32,
    open: Option<Open>,
    full: VecDeque<MetricPoint>,
    /// What had passed through when it was last looked at.
    totals: TrafficTotals,
    minute: Minute,
    latest: Option<Sample>,
    ended: bool,
}

/// A step being filled.
#[derive(Debug)]
struct Open {
    point: MetricPoint,
    memory: Mean,
    cpu: Mean,
}

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

/// Requests and errors that came since the look before, at each look of the last minute.
#[derive(Debug, Default)]
struct Minute(VecDeque<(Instant, u64, u64)>);

/// How busy a preview is, over the last minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Recent {
    pub requests_per_minute: f64,
    /// 0 to 100.
    pub error_rate_percent: f64,
}

impl Series {
    pub(super) fn new(step_s: u32) -> Self {
        Self {
            step_s: step_s.max(1),
            open: None,
            full: VecDeque::new(),
            totals: TrafficTotals::default(),
            minute: Minute::default(),
            latest: None,
            ended: false,
        }
    }

    /// One look: what the container used, if it was seen, and what had passed through the port.
    /// Nothing comes after the end.
    pub(super) fn add(
        &mut self,
        now: DateTime<Utc>,
        sample: Option<&Sample>,
        limits: &ResourceLimits,
        totals: TrafficTotals,
    ) {
        if self.ended {
            return;
        }
        self.latest = sample.copied();
        let passed = totals.since(&self.totals);
        self.minute.add(Instant::now(), passed.requests(), passed.errors.total());
        self.totals = totals;
        let open = self.step_at(now);
        open.point.traffic.add(&passed);
        if let Some(sample) = sample {
            open.memory.add(sample.memory_mb());
            if let Some(percent) = sample.cpu_percent(limits) {
                open.cpu.add(percent);
            }
            open.point.disk_mb = sample.disk_mb().or(open.point.disk_mb);
        }
    }

    /// The step that a moment lies in; an earlier one is full then.
    fn step_at(&mut self, now: DateTime<Utc>) -> &mut Open {
        let at = step_of(now, self.step_s);
        if self.open.as_ref().is_some_and(|open| open.point.at != at) {
            self.close();
        }
        let point = MetricPoint::empty(at, self.step_s);
        self.open.get_or_insert_with(|| Open { point, memory: Mean::default(), cpu: Mean::default() })
    }

    /// The step that is being filled is full, whatever the time.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.full.push_back(open.so_far());
        }
        self.keep_bounded();
    }

    /// There will be no more looks.
    pub(super) fn end(&mut self) {
        self.close();
        self.latest = None;
        self.ended = true;
    }

    /// The full steps, to be stored.
    pub(super) fn full(&self) -> impl Iterator<Item = MetricPoint> {
        self.full.iter().cloned()
    }

    /// Those until this one are stored.
    pub(super) fn stored(&mut self, until: DateTime<Utc>) {
        self.full.retain(|point| point.at > until);
    }

    fn keep_bounded(&mut self) {
        while self.full.len() > MOST_WAITING {
            self.full.pop_front();
        }
    }

    /// What is not stored yet, the step that is being filled included.
    pub(super) fn unstored(&self) -> Vec<MetricPoint> {
        self.full.iter().cloned().chain(self.open.as_ref().map(Open::so_far)).collect()
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended && self.full.is_empty()
    }

    pub(super) const fn latest(&self) -> Option<&Sample> {
        self.latest.as_ref()
    }

    pub(super) fn recent(&self) -> Recent {
        self.minute.rate()
    }
}

impl Open {
    fn so_far(&self) -> MetricPoint {
        MetricPoint { memory_mb: self.memory.mean(), cpu_percent: self.cpu.mean(), ..self.point.clone() }
    }
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl Minute {
    fn add(&mut self, now: Instant, requests: u64, errors: u64) {
        self.0.push_back((now, requests, errors));
        while self.0.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) > MINUTE) {
            self.0.pop_front();
        }
    }

    fn rate(&self) -> Recent {
        let (requests, errors) = self.0.iter().fold((0, 0), |sum, (_, r, e)| (sum.0 + r, sum.1 + e));
        let error_rate_percent = if requests == 0 { 0.0 } else { 100.0 * errors as f64 / requests as f64 };
        Recent { requests_per_minute: requests as f64, error_rate_percent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Counters, Latencies};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
    }

    fn sample(mib: u64, cores: f64) -> Sample {
        let counters = Counters { working_set_bytes: mib << 20, ..Counters::default() };
        Sample { at: at(0), counters, cores: Some(cores), throttled: None, disk_bytes: Some(1 << 20) }
    }

    fn totals(requests: u64) -> TrafficTotals {
        let mut counts = vec![0; Latencies::BUCKETS];
        counts[Latencies::bucket(1000)] = requests;
        let latencies = Latencies::from_counts(counts.into_iter(), requests * 1000);
        TrafficTotals { latencies, ..TrafficTotals::default() }
    }

    const LIMITS: ResourceLimits = ResourceLimits::new(512, 0.5, 1024);

    #[test]
    fn a_step_is_the_mean_of_its_samples_and_the_sum_of_its_traffic() {
        let mut series = Series::new(10);
        series.add(at(1), Some(&sample(10, 0.1)), &LIMITS, totals(5));
        series.add(at(9), Some(&sample(30, 0.3)), &LIMITS, totals(7));
        assert_eq!(series.full().count(), 0, "it is not full yet");
        let told = series.unstored().remove(0);
        assert_eq!((told.memory_mb, told.traffic.requests()), (Some(20.0), 7));
        series.add(at(10), None, &LIMITS, totals(8));
        let full: Vec<_> = series.full().collect();
        assert_eq!((full.len(), full[0].at, full[0].step_s), (1, at(0), 10));
        assert_eq!((full[0].memory_mb, full[0].disk_mb), (Some(20.0), Some(1.0)));
        assert!((full[0].cpu_percent.expect("measured") - 40.0).abs() < 1e-9);
        assert_eq!(series.recent().requests_per_minute, 8.0);
    }

    #[test]
    fn what_is_not_stored_waits_and_is_bounded() {
        let mut series = Series::new(10);
        for step in 0..500 {
            series.add(at(step * 10), None, &LIMITS, totals(0));
        }
        series.end();
        series.add(at(5000), None, &LIMITS, totals(0));
        let waiting: Vec<_> = series.full().map(|point| point.at).collect();
        assert_eq!((waiting.len(), waiting.last()), (MOST_WAITING, Some(&at(4990))));
        series.stored(at(4980));
        assert!(!series.is_over());
        series.stored(at(4990));
        assert!(series.is_over());
    }
}
