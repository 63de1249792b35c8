//! Questions about generations and previews that change nothing.

use chrono::{DateTime, Utc};

use super::{Orchestrator, Room};
use crate::domain::{Egress, GenerationId, MetricPoint, Preview, PreviewId, Sample};
use crate::engine::EngineInfo;
use crate::store::StoreError;
use crate::streams::samples::{Recent, SourceCounts};

/// What readiness looks at; `None` is usable, a text says what is not.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    pub engine: Option<String>,
    pub store: Option<String>,
    /// Base images that are not on the host.
    pub base_images: Option<String>,
    /// A disk without room for another launch.
    pub disk: Option<String>,
    /// What is usable, and may soon not be.
    pub warnings: Vec<String>,
    /// What previews may reach is not restricted, and why. Stands in the way of launches only
    /// where `PREVIEW_EGRESS` is not `open`.
    pub egress: Option<String>,
    #[serde(skip)]
    needs_egress: bool,
}

impl Readiness {
    pub const fn is_ready(&self) -> bool {
        self.engine.is_none()
            && self.store.is_none()
            && self.base_images.is_none()
            && self.disk.is_none()
            && !(self.needs_egress && self.egress.is_some())
    }
}

impl Orchestrator {
    /// Live previews of one generation, whoever's.
    pub fn live_of(&self, generation: &GenerationId) -> Vec<Preview> {
        let mut live = self.live_previews();
        live.retain(|preview| preview.generation_id == *generation);
        live
    }

    /// All live previews of this daemon but those that wait for their launch.
    pub fn live_previews(&self) -> Vec<Preview> {
        let mut live = self.parts.registry.previews();
        live.retain(|preview| preview.parked_until.is_none());
        live
    }

    /// What a preview's container uses, read for this call; none while no container runs.
    pub fn sample(&self, preview: PreviewId) -> Option<Sample> {
        self.parts.samples.take(preview)
    }

    /// How busy a live preview was in the last minute.
    pub fn recent(&self, preview: PreviewId) -> Recent {
        self.parts.samples.recent(preview)
    }

    /// How containers are read.
    pub fn sample_sources(&self) -> SourceCounts {
        self.parts.samples.sources()
    }

    /// What a preview used and how it served, in steps that begin from `start` until before
    /// `end`, oldest first; until now where `end` is later.
    pub async fn history(
        &self,
        preview: PreviewId,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Result<Vec<MetricPoint>, StoreError> {
        self.parts.samples.history(&self.parts.store, preview, start, end).await
    }

    pub async fn engine_info(&self) -> Result<EngineInfo, crate::engine::EngineError> {
        self.parts.engine.info().await
    }

    /// On the disks of images and of our own data.
    pub fn room(&self) -> Room {
        self.parts.disks.room()
    }

    /// Whether a launch could work now, and if not, why.
    pub async fn readiness(&self) -> Readiness {
        let engine = self.parts.engine.info().await.err().map(|error| error.to_string());
        let store = self.parts.store.check().await.err().map(|error| error.to_string());
        let mut missing = Vec::new();
        if engine.is_none() {
            for image in self.images().bases().defaults() {
                if matches!(self.parts.engine.image_id(&image).await, Ok(None)) {
                    missing.push(image);
                }
            }
        }
        let base_images = (!missing.is_empty()).then(|| format!("not on this host: {}", missing.join(", ")));
        let (disk, warnings) = match self.parts.disks.room() {
            Room::Enough => (None, Vec::new()),
            Room::Tight(said) => (None, vec![format!("the disk is filling up: {said}")]),
            Room::Out(said) => (Some(said), Vec::new()),
        };
        let needs_egress = *self.parts.egress.allowed() != Egress::Open;
        let egress = self.parts.egress.trouble();
        Readiness { engine, store, base_images, disk, warnings, egress, needs_egress }
    }
}
