//! How much previews write, and the end of one that writes more than it may.
//!
//! The engine can bound a container's own layer on one file system with quotas, and volumes
//! nowhere; what a preview may write to is a volume. So the folders are measured: all of them every
//! minute, those of a new container soon, and all of them within seconds when the disk they are on
//! fills up. A look at how much of it is free costs one system call.

use std::time::{Duration, Instant};

use chrono::Utc;

use super::checks::Check;
use super::driver::Message;
use super::{Parts, metrics::ErrorType};
use crate::domain::{HealthStatus, LogLevel, LogSource, Preview};

/// The disk got so much fuller: somebody writes.
const SUSPICIOUS_BYTES: u64 = 48 * 1024 * 1024;

/// Measuring may take this part of the time, so that a busy disk with much on it is not kept busy
/// by us.
const SHARE_OF_TIME: u32 = 10;

/// Percent of the limit from which on its owner is warned.
const WARN_FROM: f64 = 85.0;

/// When to measure what. Pure but for the clock.
struct Rounds {
    last: Instant,
    took: Duration,
    /// Free bytes when all were last measured.
    free: Option<u64>,
}

impl Rounds {
    /// Whether all are to be measured now.
    fn all_are_due(&self, every: Duration, free: Option<u64>) -> bool {
        let since = self.last.elapsed();
        let is_filling = match (self.free, free) {
            (Some(before), Some(now)) => now.saturating_add(SUSPICIOUS_BYTES) <= before,
            _ => false,
        };
        since >= every || (is_filling && since >= self.took * SHARE_OF_TIME)
    }
}

impl Parts {
    pub(super) async fn keep_measuring_disks(&self) {
        let config = self.samples.config();
        let mut rounds = Rounds { last: Instant::now(), took: Duration::ZERO, free: None };
        loop {
            let samples = self.samples.clone();
            let free = tokio::task::spawn_blocking(move || samples.free_disk()).await.unwrap_or_default();
            let only_new = !rounds.all_are_due(config.disk_interval, free);
            let begun = Instant::now();
            let samples = self.samples.clone();
            // A disk that hangs must not hold the daemon's end up.
            let measured = tokio::task::spawn_blocking(move || samples.measure_disks(only_new));
            if self.shutdown.run_until_cancelled(measured).await.is_none() {
                return;
            }
            if !only_new || rounds.free.is_none() {
                rounds = Rounds { last: begun, took: begun.elapsed(), free };
            } else if free > rounds.free {
                rounds.free = free;
            }
            self.judge_disks();
            if self.shutdown.run_until_cancelled(tokio::time::sleep(config.interval)).await.is_none() {
                return;
            }
        }
    }

    /// Warns, and tells drivers of what has gone too far. A driver that was busy is told again in
    /// the next round.
    fn judge_disks(&self) {
        for preview in self.registry.previews() {
            let Some(bytes) = self.samples.disk_of(preview.id) else { continue };
            let limit = preview.limits.storage_mb * 1024 * 1024;
            if bytes > limit {
                if let Some(entry) = self.registry.get(preview.id) {
                    let _ = entry.inbox.try_send(Message::Overfull(bytes));
                }
                continue;
            }
            self.tell_of_disk(&preview, bytes, bytes as f64 * 100.0 / limit as f64 >= WARN_FROM);
        }
    }

    fn tell_of_disk(&self, preview: &Preview, bytes: u64, is_much: bool) {
        let limit = preview.limits.storage_mb;
        let said = format!("the app has written {} MiB of the {limit} MiB it may", bytes >> 20);
        let status = if is_much { HealthStatus::Degraded } else { HealthStatus::Healthy };
        if self.checked(preview, Check::Storage, status, &said) && is_much {
            let text = format!("{said}; beyond that it is stopped");
            self.logs.append(preview.id, Utc::now(), LogLevel::Warning, LogSource::System, &text);
        }
    }

    /// Why a preview ends that wrote too much.
    pub(super) fn overfull(&self, preview: &Preview, bytes: u64) -> String {
        self.metrics.error(ErrorType::Storage);
        let limit = preview.limits.storage_mb;
        format!("it wrote {} MiB, and its storage limit is {limit} MiB", bytes >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fills_up_is_looked_at_at_once_and_not_all_the_time() {
        let minute = Duration::from_secs(60);
        let rounds = |ago: u64, took: u64| Rounds {
            last: Instant::now() - Duration::from_secs(ago),
            took: Duration::from_secs(took),
            free: Some(1 << 30),
        };
        assert!(rounds(61, 0).all_are_due(minute, Some(1 << 30)), "in time");
        assert!(!rounds(2, 0).all_are_due(minute, Some((1 << 30) - 1)), "nothing happened");
        let fuller = Some((1 << 30) - SUSPICIOUS_BYTES);
        assert!(rounds(2, 0).all_are_due(minute, fuller));
        assert!(!rounds(2, 1).all_are_due(minute, fuller), "the last one took a second");
        assert!(rounds(10, 1).all_are_due(minute, fuller));
        assert!(!rounds(2, 0).all_are_due(minute, None), "not on this host");
    }
}
