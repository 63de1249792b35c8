//! One step of a preview's history: what it used and how it served in so many seconds.

use chrono::{DateTime, Utc};

use super::TrafficTotals;

/// Means over a step, and what came and went in it. `None` is not measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPoint {
    /// When the step begins; a multiple of its length since 1970.
    pub at: DateTime<Utc>,
    /// Seconds.
    pub step_s: u32,
    /// Working set, MiB.
    pub memory_mb: Option<f64>,
    /// Of the cores it may use.
    pub cpu_percent: Option<f64>,
    /// Writable layer and volumes, MiB.
    pub disk_mb: Option<f64>,
    /// Of this step alone.
    pub traffic: TrafficTotals,
}

impl MetricPoint {
    /// A step in which nothing was measured and nobody came.
    pub fn empty(at: DateTime<Utc>, step_s: u32) -> Self {
        let traffic = TrafficTotals::default();
        Self { at, step_s, memory_mb: None, cpu_percent: None, disk_mb: None, traffic }
    }

    pub fn requests_per_minute(&self) -> f64 {
        self.traffic.requests() as f64 * 60.0 / f64::from(self.step_s.max(1))
    }

    /// 0 to 100.
    pub fn error_rate_percent(&self) -> f64 {
        match self.traffic.requests() {
            0 => 0.0,
            requests => 100.0 * self.traffic.errors.total() as f64 / requests as f64,
        }
    }
}

/// The beginning of the step of `step_s` seconds that a moment lies in.
pub fn step_of(at: DateTime<Utc>, step_s: u32) -> DateTime<Utc> {
    let step = i64::from(step_s.max(1));
    DateTime::from_timestamp(at.timestamp().div_euclid(step) * step, 0).unwrap_or(at)
}

/// The same history in steps of `step_s` seconds, oldest first. Points are of any steps, in any
/// order; each goes to the step its beginning lies in. Means are weighted by time; what came and
/// went is added up, so a percentile is that of all requests of the step.
pub fn coarser(points: impl IntoIterator<Item = MetricPoint>, step_s: u32) -> Vec<MetricPoint> {
    let mut steps = std::collections::BTreeMap::<DateTime<Utc>, Merged>::new();
    for point in points {
        let at = step_of(point.at, step_s);
        steps.entry(at).or_insert_with(|| Merged::new(at, step_s)).add(&point);
    }
    steps.into_values().map(Merged::finish).collect()
}

/// A step being put together.
struct Merged {
    point: MetricPoint,
    memory: Mean,
    cpu: Mean,
    disk: Mean,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Merged {
    fn new(at: DateTime<Utc>, step_s: u32) -> Self {
        let point = MetricPoint::empty(at, step_s);
        Self { point, memory: Mean::default(), cpu: Mean::default(), disk: Mean::default() }
    }

    fn add(&mut self, point: &MetricPoint) {
        let weight = f64::from(point.step_s.max(1));
        self.memory.add(point.memory_mb, weight);
        self.cpu.add(point.cpu_percent, weight);
        self.disk.add(point.disk_mb, weight);
        self.point.traffic.add(&point.traffic);
    }

    fn finish(self) -> MetricPoint {
        let (memory_mb, cpu_percent, disk_mb) = (self.memory.mean(), self.cpu.mean(), self.disk.mean());
        MetricPoint { memory_mb, cpu_percent, disk_mb, ..self.point }
    }
}

impl Mean {
    fn add(&mut self, value: Option<f64>, weight: f64) {
        if let Some(value) = value {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Latencies;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 / 600 * 600 + seconds, 0).expect("a time")
    }

    fn point(seconds: i64, step_s: u32, memory: Option<f64>, requests: u64) -> MetricPoint {
        let mut counts = vec![0; Latencies::BUCKETS];
        counts[Latencies::bucket(1000)] = requests;
        let traffic = TrafficTotals {
            latencies: Latencies::from_counts(counts.into_iter(), requests * 1000),
            bytes_in: requests,
            ..TrafficTotals::default()
        };
        MetricPoint { memory_mb: memory, traffic, ..MetricPoint::empty(at(seconds), step_s) }
    }

    #[test]
    fn coarser_steps_keep_means_by_time_and_sums() {
        let fine = [point(0, 10, Some(10.0), 1), point(20, 40, Some(20.0), 2), point(70, 10, None, 4)];
        let coarse = coarser(fine, 60);
        let told: Vec<_> = coarse.iter().map(|p| (p.at, p.memory_mb, p.traffic.requests())).collect();
        assert_eq!(told, [(at(0), Some(18.0), 3), (at(60), None, 4)]);
        assert_eq!((coarse[0].step_s, coarse[0].traffic.bytes_in), (60, 3));
        assert_eq!((coarse[0].requests_per_minute(), coarse[0].error_rate_percent()), (3.0, 0.0));
    }

    #[test]
    fn growing_coarser_in_one_go_or_in_two_is_the_same() {
        let fine: Vec<_> = (0..120).map(|i| point(i * 10, 10, Some(i as f64), i as u64)).collect();
        assert_eq!(coarser(coarser(fine.clone(), 60), 600), coarser(fine, 600));
    }
}
