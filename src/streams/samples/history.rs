//! The history: written in batches, read together with what is not stored yet, coarser and
//! dropped as it ages.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Samples;
use super::series::{Recent, Series};
use super::watched::lock;
use crate::domain::{MetricPoint, PreviewId, ResourceLimits, Sample, TrafficTotals};
use crate::store::{LastUse, Store, StoreError};

impl Samples {
    /// One look at a live preview, for its history.
    pub fn record(
        &self,
        preview: PreviewId,
        limits: &ResourceLimits,
        sample: Option<&Sample>,
        totals: TrafficTotals,
    ) -> Recent {
        let step_s = self.inner.config.step_s;
        let mut all = lock(&self.inner.series);
        let series = all.entry(preview).or_insert_with(|| Series::new(step_s));
        series.add(Utc::now(), sample, limits, totals);
        series.recent()
    }

    /// How busy a live preview was in the last minute.
    pub fn recent(&self, preview: PreviewId) -> Recent {
        lock(&self.inner.series).get(&preview).map(Series::recent).unwrap_or_default()
    }

    /// Only these previews are live: there will be no more looks at others.
    pub fn keep(&self, live: &HashSet<PreviewId>) {
        let mut all = lock(&self.inner.series);
        all.iter_mut().filter(|(id, _)| !live.contains(id)).for_each(|(_, series)| series.end());
    }

    /// Stores the steps that are full, and what each container used last. What cannot be stored
    /// waits for the next time.
    pub async fn store(&self, store: &Store) -> Result<(), StoreError> {
        let (mut uses, mut batch, mut until) = (Vec::new(), Vec::new(), Vec::new());
        for (preview, series) in lock(&self.inner.series).iter() {
            uses.extend(series.latest().map(|sample| last_use(*preview, sample)));
            batch.extend(series.full().map(|point| (*preview, point)));
            until.extend(batch.last().filter(|(id, _)| id == preview).map(|(id, point)| (*id, point.at)));
        }
        if !batch.is_empty() {
            store.record_metrics(&batch, &uses).await?;
        }
        let mut all = lock(&self.inner.series);
        for (preview, until) in until {
            if let Some(series) = all.get_mut(&preview) {
                series.stored(until);
            }
        }
        all.retain(|_, series| !series.is_over());
        Ok(())
    }

    /// The same with the steps that are still being filled: the daemon is about to end.
    pub async fn store_all(&self, store: &Store) -> Result<(), StoreError> {
        lock(&self.inner.series).values_mut().for_each(Series::close);
        self.store(store).await
    }

    /// The history of a preview from `start` until before `end`, oldest first, up to this moment.
    pub async fn history(
        &self,
        store: &Store,
        preview: PreviewId,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Result<Vec<MetricPoint>, StoreError> {
        // Looked at before the store is: a step on its way there is known twice then, not lost.
        let unstored = lock(&self.inner.series).get(&preview).map(Series::unstored).unwrap_or_default();
        let mut points = store.metrics(preview, start, end).await?;
        let newest = points.last().map(|point| point.at);
        let is_new = |point: &MetricPoint| newest.is_none_or(|newest| point.at > newest);
        let is_meant = |point: &MetricPoint| (start..end).contains(&point.at) && is_new(point);
        points.extend(unstored.into_iter().filter(is_meant));
        Ok(points)
    }

    /// Makes coarser what is old enough for it, and drops what is older than the retention.
    pub async fn age(&self, store: &Store) -> Result<(), StoreError> {
        let config = &self.inner.config;
        let ago = |span: Duration| {
            let span = chrono::TimeDelta::from_std(span).unwrap_or(chrono::TimeDelta::MAX);
            Utc::now().checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH)
        };
        store.drop_metrics(ago(config.retention)).await?;
        for age in &config.ages {
            store.age_metrics(age.step_s, ago(age.after)).await?;
        }
        Ok(())
    }
}

/// What the row of a preview says of its container.
fn last_use(preview: PreviewId, sample: &Sample) -> LastUse {
    let counters = &sample.counters;
    LastUse {
        preview,
        at: sample.at,
        usage: json!({
            "memoryMb": sample.memory_mb(),
            "cpuCores": sample.cores,
            "cpuSeconds": counters.cpu_seconds,
            "throttled": sample.throttled,
            "diskMb": sample.disk_mb(),
            "pids": counters.pids,
            "oomKills": counters.oom_kills,
            "receivedBytes": counters.network.map(|network| network.received_bytes),
            "sentBytes": counters.network.map(|network| network.sent_bytes),
            "readBytes": counters.block.map(|block| block.read_bytes),
            "writtenBytes": counters.block.map(|block| block.written_bytes),
        }),
    }
}
