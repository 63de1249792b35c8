//! Keeps the host from filling up: images that nobody uses, records of previews that ended long ago.
//!
//! Containers, networks and volumes without a preview are gone within seconds
//! ([`super::reconcile`]); lines and figures age in their own time. Images are what stays and grows:
//! each is kept for `PREVIEW_DOCKER_IMAGE_CACHE_TTL` after its last use, and not as long when the
//! disk gets tight. Only what carries this installation's label is ever looked at; of the engine's
//! build cache, which knows no labels, only what steps of previewd's own Dockerfiles left.

mod cache;
mod disk;
mod images;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

pub use cache::{Stale, StaleStep, stale_steps};
pub use disk::{Room, free_at, room};
pub use images::{CollectError, IdleImage, idle_images};

use super::Parts;
use crate::engine::EngineError;

/// What is kept, and how long.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_DOCKER_IMAGE_CACHE_TTL`, seconds, default 86400: how long an unused image is kept.
    pub image_ttl: Duration,
    /// `PREVIEW_BUILD_CACHE_TTL`, seconds, default 604800: how long a record of the build cache is
    /// kept after its last use. None (0): the build cache is left to the engine.
    pub cache_ttl: Option<Duration>,
    /// `PREVIEW_BUILD_CACHE_MAX_MB`, MiB, default 20480: how much all of them may take.
    pub cache_most: u64,
    /// How often to look at the build cache; an hour, for the engine looks at all it has for it.
    pub cache_every: Duration,
    /// `PREVIEW_DISK_FLOOR_MB`, MiB, default 1024: with less free space launches are refused, and
    /// with less than twice as much unused images go whatever their age. 0: neither.
    pub disk_floor: u64,
    /// `PREVIEW_HISTORY_DAYS`, days, default 90: how long the record of an ended preview is kept,
    /// with its events.
    pub history: Duration,
    /// Our own data lies here.
    pub data_dir: PathBuf,
    /// How often to look; a minute.
    pub every: Duration,
}

/// Where disks are looked at.
#[derive(Debug)]
pub(super) struct Disks {
    floor: u64,
    places: Mutex<Vec<PathBuf>>,
}

impl Disks {
    pub(super) fn new(config: &Config) -> Self {
        Self { floor: config.disk_floor, places: Mutex::new(vec![config.data_dir.clone()]) }
    }

    /// How much room there is now; costs two calls of the system.
    pub(super) fn room(&self) -> Room {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner).clone();
        room(&places, self.floor)
    }

    fn add(&self, place: PathBuf) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains(&place) {
            places.push(place);
        }
    }
}

impl Parts {
    /// Looks every minute, until the end of the daemon.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let every = self.config.upkeep.every;
        let mut cache_seen = Instant::now();
        while self.shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let work = async {
                if let Ok(info) = self.engine.info().await {
                    self.disks.add(info.data_root.into());
                }
                if let Err(error) = self.collect_images().await {
                    tracing::warn!(%error, "old images could not be collected");
                }
                if self.is_cache_due(cache_seen.elapsed()) {
                    if let Err(error) = self.collect_cache().await {
                        tracing::warn!(%error, "the build cache could not be collected");
                    }
                    cache_seen = Instant::now();
                }
                self.forget_old_previews().await;
            };
            self.shutdown.run_until_cancelled(work).await;
        }
    }

    async fn collect_images(&self) -> Result<(), CollectError> {
        let mut room = self.disks.room();
        if let Room::Tight(said) | Room::Out(said) = &room {
            tracing::warn!(said, "the disk is filling up: collecting every image that nothing uses");
        }
        for image in idle_images(&self.engine, &self.store, &self.images_in_use()).await? {
            let is_old = image.is_old(Utc::now(), self.config.upkeep.image_ttl);
            if !is_old && room == Room::Enough {
                // Those behind it were used later still.
                return Ok(());
            }
            // Asked again: a launch may have come for it meanwhile.
            if self.images_in_use().contains(&image.name) {
                continue;
            }
            match self.engine.remove_image(&image.name).await {
                Ok(()) => tracing::info!(image = image.name, is_old, "an unused image was removed"),
                // A container of somebody else, or an image built on it, needs it; or its name was taken over.
                Err(EngineError::Conflict { .. } | EngineError::NotOurs { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if !is_old {
                room = self.disks.room();
            }
        }
        Ok(())
    }

    /// Sooner where the disk needs room.
    fn is_cache_due(&self, since: Duration) -> bool {
        let every = self.config.upkeep.cache_every;
        since >= every || (since >= every / 12 && self.disks.room() != Room::Enough)
    }

    async fn collect_cache(&self) -> Result<(), EngineError> {
        let is_short = self.disks.room() != Room::Enough;
        let stale = stale_steps(&self.engine, &self.config.upkeep, is_short).await?;
        let ids: Vec<_> = stale.into_iter().map(|stale| stale.step.id).collect();
        if !ids.is_empty() {
            let bytes = self.engine.forget_steps(&ids).await?;
            tracing::info!(records = ids.len(), bytes, "records of the build cache were removed");
        }
        Ok(())
    }

    fn images_in_use(&self) -> HashSet<String> {
        self.registry.previews().into_iter().filter_map(|preview| preview.image).collect()
    }

    async fn forget_old_previews(&self) {
        let history = TimeDelta::from_std(self.config.upkeep.history).unwrap_or(TimeDelta::MAX);
        let Some(before) = Utc::now().checked_sub_signed(history) else { return };
        match self.store.prune(before).await {
            Ok(0) => {}
            Ok(previews) => tracing::info!(previews, "records of previews that ended long ago were removed"),
            Err(error) => tracing::warn!(%error, "old records could not be removed"),
        }
    }
}
