//! Questions about generations and previews that change nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Orchestrator;
use crate::domain::{GenerationId, Preview, PreviewId};
use crate::engine::EngineInfo;

/// What a container uses now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// MiB in use, without what the kernel can drop at once.
    pub memory_mb: f64,
    /// Cores, over the time since the last look; `None` at the first.
    pub cores: Option<f64>,
}

/// The last reading of each container's CPU clock: when, and seconds used.
#[derive(Default)]
pub(super) struct CpuClocks(Mutex<HashMap<PreviewId, (Instant, f64)>>);

/// What readiness looks at; `None` is usable, a text says what is not.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    pub engine: Option<String>,
    pub store: Option<String>,
    /// Base images that are not on the host.
    pub base_images: Option<String>,
}

impl Readiness {
    pub const fn is_ready(&self) -> bool {
        self.engine.is_none() && self.store.is_none() && self.base_images.is_none()
    }
}

impl Orchestrator {
    /// Live previews of one generation, whoever's.
    pub fn live_of(&self, generation: &GenerationId) -> Vec<Preview> {
        let mut live = self.parts.registry.previews();
        live.retain(|preview| preview.generation_id == *generation);
        live
    }

    /// All live previews of this daemon.
    pub fn live_previews(&self) -> Vec<Preview> {
        self.parts.registry.previews()
    }

    /// What a preview's container uses, when its cgroup can be read from here.
    pub async fn usage(&self, preview: &Preview) -> Option<Usage> {
        let id = preview.container_id.as_deref()?;
        let state = self.parts.engine.inspect(id).await.ok()??;
        let used = state.process?.usage()?;
        let cores = self.parts.cpu_clocks.cores(preview.id, used.cpu_seconds_total);
        Some(Usage { memory_mb: used.memory_bytes as f64 / (1024.0 * 1024.0), cores })
    }

    pub async fn engine_info(&self) -> Result<EngineInfo, crate::engine::EngineError> {
        self.parts.engine.info().await
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
        Readiness { engine, store, base_images }
    }
}

impl CpuClocks {
    fn cores(&self, preview: PreviewId, seconds: f64) -> Option<f64> {
        let now = Instant::now();
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = clocks.insert(preview, (now, seconds));
        let (then, earlier) = before?;
        let passed = now.duration_since(then).as_secs_f64();
        (passed > 0.01 && seconds >= earlier).then(|| (seconds - earlier) / passed)
    }

    pub(super) fn forget(&self, preview: PreviewId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&preview);
    }
}
