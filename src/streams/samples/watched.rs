//! Which containers are watched, and a sample of each whenever somebody asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::Config;
use super::rates::Rates;
use super::series::Series;
use super::source::Source;
use crate::domain::{PreviewId, Sample};
use crate::engine::{ContainerState, Engine, Storage};

/// A handle to all numbers; clones share them.
#[derive(Debug, Clone)]
pub struct Samples {
    pub(super) inner: Arc<Inner>,
}

/// Locks are held for moments, never across an await.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Config,
    watched: Mutex<HashMap<PreviewId, Arc<Watched>>>,
    /// Of previews that are live, or whose last steps are not stored yet.
    pub(super) series: Mutex<HashMap<PreviewId, Series>>,
}

/// How many containers are read in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceCounts {
    pub files: usize,
    pub engine: usize,
}

#[derive(Debug)]
struct Watched {
    container: String,
    started_at: Option<DateTime<Utc>>,
    source: Source,
    storage: Storage,
    rates: Mutex<Rates>,
    disk_bytes: Mutex<Option<u64>>,
}

impl Samples {
    pub fn new(config: Config) -> Self {
        let (watched, series) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { config, watched, series }) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Watches the running container of a preview, in place of an earlier one. To be told again
    /// of the same one changes nothing. Needs a runtime.
    pub fn watch(&self, preview: PreviewId, engine: &Engine, container: &ContainerState) {
        if self.inner.find(preview).is_some_and(|watched| watched.is(container)) {
            return;
        }
        let watched = Watched {
            container: container.id.clone(),
            started_at: container.started_at,
            source: Source::open(self.inner.config.source, engine, container),
            storage: container.storage.clone(),
            rates: Mutex::default(),
            disk_bytes: Mutex::default(),
        };
        // From here on it can be said how much CPU it takes.
        watched.sample();
        lock(&self.inner.watched).insert(preview, Arc::new(watched));
    }

    /// The preview is over: its last steps are kept until they are stored.
    pub fn forget(&self, preview: PreviewId) {
        lock(&self.inner.watched).remove(&preview);
        if let Some(series) = lock(&self.inner.series).get_mut(&preview) {
            series.end();
        }
    }

    /// What its container uses now; `None` when none runs, or nothing can be known of it yet.
    pub fn take(&self, preview: PreviewId) -> Option<Sample> {
        self.inner.find(preview)?.sample()
    }

    /// The same of all.
    pub fn take_all(&self) -> HashMap<PreviewId, Sample> {
        let all = self.inner.all();
        all.into_iter().filter_map(|(id, watched)| Some((id, watched.sample()?))).collect()
    }

    /// Measures what containers hold on disk: all, or those that were not measured yet. Blocks
    /// for as long as the disk takes.
    pub fn measure_disks(&self, only_new: bool) {
        for (_, watched) in self.inner.all() {
            let is_new = lock(&watched.disk_bytes).is_none();
            if is_new || !only_new {
                let bytes = watched.storage.measure();
                *lock(&watched.disk_bytes) = bytes;
            }
        }
    }

    /// What the container holds on disk, as last measured.
    pub fn disk_of(&self, preview: PreviewId) -> Option<u64> {
        *lock(&self.inner.find(preview)?.disk_bytes)
    }

    /// Bytes that are free where containers write: on the fullest of their disks. Blocks for as
    /// long as a disk takes.
    pub fn free_disk(&self) -> Option<u64> {
        self.inner.all().iter().filter_map(|(_, watched)| watched.storage.free()).min()
    }

    pub fn sources(&self) -> SourceCounts {
        let watched = lock(&self.inner.watched);
        let files = watched.values().filter(|watched| watched.source.is_files()).count();
        SourceCounts { files, engine: watched.len() - files }
    }
}

impl Inner {
    fn find(&self, preview: PreviewId) -> Option<Arc<Watched>> {
        lock(&self.watched).get(&preview).cloned()
    }

    fn all(&self) -> Vec<(PreviewId, Arc<Watched>)> {
        lock(&self.watched).iter().map(|(id, watched)| (*id, Arc::clone(watched))).collect()
    }
}

impl Watched {
    /// A restart keeps the id and begins anew.
    fn is(&self, container: &ContainerState) -> bool {
        self.container == container.id && self.started_at == container.started_at
    }

    fn sample(&self) -> Option<Sample> {
        let (at, counters) = self.source.read()?;
        let rate = lock(&self.rates).look(at, &counters);
        let age = Instant::now().saturating_duration_since(at);
        Some(Sample {
            at: Utc::now() - age,
            counters,
            cores: rate.map(|rate| rate.cores),
            throttled: rate.map(|rate| rate.throttled),
            disk_bytes: *lock(&self.disk_bytes),
        })
    }
}

/// None of these can be left half changed by a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
