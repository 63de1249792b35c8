//! The loops that look at every live preview: what it uses and how it serves, for its viewers and
//! for its history.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Check, Orchestrator, Parts, health};
use crate::domain::{
    HealthChange, LogLevel, LogSource, MetricName, NoticeContent, Preview, PreviewId, ResourceUsage, Sample,
};
use crate::streams::samples::Recent;

/// Rounds between two health messages when nothing changes.
const HEALTH_EVERY: u32 = 5;

/// What was seen of each preview in the round before.
#[derive(Default)]
struct Rounds {
    count: u32,
    oom_kills: HashMap<PreviewId, u64>,
}

impl Orchestrator {
    /// Starts the loops; they end with the daemon.
    pub(super) fn start_sampling(&self) {
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.keep_sampling().await });
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.keep_measuring_disks().await });
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.keep_history_small().await });
    }
}

impl Parts {
    async fn keep_sampling(self: &Arc<Self>) {
        let config = self.samples.config();
        let mut ticks = tokio::time::interval(config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let step = Duration::from_secs(u64::from(config.step_s));
        let mut stored = Instant::now();
        let mut rounds = Rounds::default();
        while self.shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.look_at_all(&mut rounds).await;
            if stored.elapsed() >= step {
                stored = Instant::now();
                if let Err(error) = self.samples.store(&self.store).await {
                    tracing::warn!(%error, "the history of use waits for the store");
                }
            }
        }
        self.look_at_all(&mut rounds).await;
        if let Err(error) = self.samples.store_all(&self.store).await {
            tracing::warn!(%error, "the last steps of the history of use are lost");
        }
    }

    async fn look_at_all(self: &Arc<Self>, rounds: &mut Rounds) {
        let live = self.registry.previews();
        let ids: HashSet<PreviewId> = live.iter().map(|preview| preview.id).collect();
        self.samples.keep(&ids);
        rounds.oom_kills.retain(|id, _| ids.contains(id));
        rounds.count = rounds.count.wrapping_add(1);
        // The kernel may take its time over the files of a hundred containers.
        let samples = self.samples.clone();
        let Ok(taken) = tokio::task::spawn_blocking(move || samples.take_all()).await else { return };
        for preview in &live {
            let sample = taken.get(&preview.id);
            let Some(recent) = self.record(preview, sample) else { continue };
            if let Some(sample) = sample {
                self.tell_usage(preview.id, sample, recent);
                self.compare_with_before(preview, sample, rounds);
            }
            if rounds.count.is_multiple_of(HEALTH_EVERY) {
                self.tell_health(preview, Vec::new());
            }
        }
    }

    /// One look for the history; `None` when the preview has no port any more.
    fn record(&self, preview: &Preview, sample: Option<&Sample>) -> Option<Recent> {
        let traffic = self.ingress.traffic(preview.id)?;
        Some(self.samples.record(preview.id, &preview.limits, sample, traffic.totals))
    }

    /// The last look at a preview whose port is about to close.
    pub(super) fn record_last(&self, preview: &Preview) {
        self.record(preview, self.samples.take(preview.id).as_ref());
    }

    fn tell_usage(&self, preview: PreviewId, sample: &Sample, recent: Recent) {
        let data = ResourceUsage {
            memory: sample.memory_mb(),
            cpu: sample.cores.unwrap_or(0.0),
            requests_per_minute: recent.requests_per_minute,
            error_rate: recent.error_rate_percent,
        };
        let content = NoticeContent::Metric { metric: MetricName::ResourceUsage, data };
        self.logs.notices().publish(preview, content);
    }

    /// Viewers are told of a preview's health, and which checks changed.
    pub(super) fn tell_health(&self, preview: &Preview, changes: Vec<HealthChange>) {
        let content = NoticeContent::Health { status: preview.health, changes };
        self.logs.notices().publish(preview.id, content);
    }

    /// Says it when memory became short or plenty again, and when processes were killed for want
    /// of it.
    fn compare_with_before(&self, preview: &Preview, sample: &Sample, rounds: &mut Rounds) {
        let percent = sample.memory_percent(&preview.limits);
        let limit = preview.limits.memory_mb;
        let message = format!("{percent:.0} % of {limit} MiB are in use");
        self.checked(preview, Check::Memory, health::memory(percent), &message);
        let killed = sample.counters.oom_kills;
        if rounds.oom_kills.insert(preview.id, killed).is_some_and(|before| killed > before) {
            let said =
                format!("a process of the app was killed: out of memory (OOM), the limit is {limit} MiB");
            self.logs.append(preview.id, Utc::now(), LogLevel::Error, LogSource::System, &said);
            self.metrics.error(super::ErrorType::OutOfMemory);
        }
    }

    async fn keep_history_small(&self) {
        let every = self.samples.config().age_interval;
        loop {
            if let Err(error) = self.samples.age(&self.store).await {
                tracing::warn!(%error, "the history of use could not be thinned out");
            }
            if self.shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_none() {
                return;
            }
        }
    }
}
