//! The host's memory: whether there is enough for one more start, and who goes when it is short.
//!
//! ```text
//!   short of the reserve ──► those that wait for a launch, oldest first
//!                        ──► those that nobody uses, longest unused first: to disk
//! ```
//!
//! A preview on disk keeps its row, its port, its network and its database; its container is gone,
//! and comes back with the next visitor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Parts;
use super::driver::Message;
use super::launch::LaunchError;
use super::queue::Ask;
use crate::domain::{PausedBy, Preview, PreviewId, ResourceLimits, Status};

/// How the host's memory is looked after.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_MEMORY_RESERVE_MB`, MiB, default 256: what stays free on the host. A start needs so
    /// much more as the preview may use. 0: memory is not looked at.
    pub reserve_mb: u64,
    /// How often it is looked at.
    pub every: Duration,
    pub reading: Reading,
}

/// What says how many MiB the host could still give out; `None` where that is not known.
#[derive(Clone)]
pub struct Reading(Arc<dyn Fn() -> Option<u64> + Send + Sync>);

/// What an app takes while it starts, before its use is seen.
const STARTING_MB: u64 = 64;

/// Unused for so long, a preview that is not asleep yet may go to disk.
const UNUSED: Duration = Duration::from_secs(30);

/// How long a start waits for the memory that others are giving up.
const PATIENCE: Duration = Duration::from_secs(3);

/// One that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    id: PreviewId,
    is_parked: bool,
    /// Since when nobody uses it.
    unused: Instant,
    memory_mb: u64,
}

/// Who goes to win so many MiB: what waits for a launch first, then what is unused for longest.
fn leaving(mut candidates: Vec<Candidate>, missing_mb: u64) -> Vec<Candidate> {
    candidates.sort_by_key(|one| (!one.is_parked, one.unused));
    let mut won = 0;
    candidates.retain(|one| {
        let goes = won < missing_mb;
        won += if goes { one.memory_mb } else { 0 };
        goes
    });
    candidates
}

impl Reading {
    pub fn new(read: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// What the kernel reckons could be had without swapping.
    pub fn of_the_host() -> Self {
        Self::new(|| available(&std::fs::read_to_string("/proc/meminfo").ok()?))
    }

    pub fn available_mb(&self) -> Option<u64> {
        (self.0)()
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reading")
    }
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

impl Parts {
    /// Lets a start go on when there is memory for it, making room where others can give it up.
    pub(super) async fn memory_for(&self, limits: &ResourceLimits) -> Result<(), LaunchError> {
        let deadline = Instant::now() + PATIENCE;
        let Some(mut missing_mb) = self.missing_for(limits) else { return Ok(()) };
        if !self.relieve(missing_mb) {
            return Err(LaunchError::Memory { missing_mb });
        }
        while Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
            match self.missing_for(limits) {
                None => return Ok(()),
                Some(missing) => missing_mb = missing,
            }
        }
        Err(LaunchError::Memory { missing_mb })
    }

    /// MiB that a start lacks; `None` when there is enough.
    pub(super) fn missing_for(&self, limits: &ResourceLimits) -> Option<u64> {
        let config = &self.config.memory;
        let available = config.reading.available_mb().filter(|_| config.reserve_mb > 0)?;
        let starting = self.registry.previews().iter().filter(|one| one.status == Status::Launching).count();
        let pledged = STARTING_MB * u64::try_from(starting).unwrap_or_default();
        let wanted = config.reserve_mb + limits.memory_mb + pledged;
        Some(wanted.saturating_sub(available)).filter(|missing| *missing > 0)
    }

    pub(super) async fn watch_memory(&self) {
        let config = &self.config.memory;
        while self.shutdown.run_until_cancelled(tokio::time::sleep(config.every)).await.is_some() {
            let Some(available) = config.reading.available_mb() else { continue };
            // A little more than the reserve, so that the next request does not need it at once.
            let missing = (config.reserve_mb + config.reserve_mb / 8).saturating_sub(available);
            if available < config.reserve_mb && self.relieve(missing) {
                tracing::info!(available, missing, "memory is short: previews that nobody uses make room");
            }
        }
    }

    /// Has previews go that nobody uses; false when there is none to go or going.
    fn relieve(&self, missing_mb: u64) -> bool {
        // Nobody has asked for them.
        let warm = self.warm.let_go();
        let going_mb = self.going_mb();
        let missing_mb = missing_mb.saturating_sub(going_mb);
        let candidates =
            self.registry.previews().iter().filter_map(|preview| self.candidate(preview)).collect();
        let leaving = leaving(candidates, missing_mb);
        for one in &leaving {
            if one.is_parked {
                self.let_go(one.id);
            } else if let Some(entry) = self.registry.get(one.id) {
                let (reply, _unheard) = oneshot::channel();
                let _ = entry.inbox.try_send(Message::Ask(Ask::Shed, reply));
            }
        }
        !leaving.is_empty() || going_mb > 0 || warm > 0
    }

    /// What those give back that are just being taken down.
    fn going_mb(&self) -> u64 {
        let live = self.registry.previews().into_iter();
        let going = live.filter(|preview| preview.status == Status::Stopping);
        let used = going.filter_map(|preview| self.samples.take(preview.id));
        used.map(|sample| sample.counters.memory_bytes >> 20).sum()
    }

    fn candidate(&self, preview: &Preview) -> Option<Candidate> {
        let is_parked = preview.parked_until.is_some();
        let unused = match preview.status {
            Status::Stopping => return None,
            _ if is_parked => Instant::now(),
            _ => self.ingress.unused_since(preview.id)?,
        };
        let may_go = is_parked
            || preview.container_id.is_some()
                && (preview.paused_by == Some(PausedBy::Idleness)
                    || preview.status.is_serving() && unused.elapsed() >= UNUSED);
        let used = self.samples.take(preview.id).map(|sample| sample.counters.memory_bytes >> 20);
        may_go.then(|| Candidate {
            id: preview.id,
            is_parked,
            unused,
            memory_mb: used.unwrap_or(STARTING_MB),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(is_parked: bool, unused_s: u64) -> Candidate {
        let unused = Instant::now() - Duration::from_secs(unused_s);
        Candidate { id: PreviewId::new(), is_parked, unused, memory_mb: 40 }
    }

    #[test]
    fn what_waits_for_a_launch_goes_first_and_then_the_longest_unused() {
        let (fresh, old, parked) = (candidate(false, 1), candidate(false, 100), candidate(true, 0));
        let all = vec![fresh, old, parked];
        assert_eq!(leaving(all.clone(), 1), [parked]);
        assert_eq!(leaving(all.clone(), 41), [parked, old]);
        assert_eq!(leaving(all.clone(), 1000), [parked, old, fresh]);
        assert_eq!(leaving(all, 0), []);
    }

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2097152 kB\n"), Some(2048));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }
}
