//! Builds asked for ahead of any launch: started, followed, cancelled by the generation's name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::Orchestrator;
use super::images::{Booking, BuildLog, BuiltImage, ImageError, Landing, Seat};
use crate::domain::{BuildEvent, ContentHash, Generation, GenerationId};
use crate::store::GenerationHead;

/// Where a build stands.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// Of the generation as it was then: an id may be deleted and used again.
    content: ContentHash,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// `None` while it runs.
    pub landing: Option<Landing>,
    pub log: BuildLog,
    cancel: CancellationToken,
}

/// The newest build of each generation. Never locked across an await.
#[derive(Default)]
pub(super) struct Jobs {
    jobs: Mutex<HashMap<GenerationId, BuildJob>>,
}

/// Ended jobs beyond this many make room; the image itself says whether it was built.
const KEPT: usize = 256;

impl Orchestrator {
    /// Starts the build of a generation unless it runs or its image is there.
    pub async fn build_ahead(&self, generation: &Arc<Generation>) -> Result<BuildJob, ImageError> {
        if let Some(job) = self.build_of(&generation.id, &generation.content_hash)
            && job.landing.is_none()
        {
            return Ok(job);
        }
        let recipe = self.parts.images.recipe(generation).await?;
        match self.parts.images.book(generation, &recipe).await? {
            Booking::Ready(image) => {
                let job = BuildJob::done(image, &generation.content_hash);
                Ok(self.parts.builds.begin(&generation.id, job).0)
            }
            Booking::Flying(seat) => Ok(self.watch_build(generation, seat)),
        }
    }

    /// The newest build of a generation that this daemon remembers.
    pub fn build_of(&self, generation: &GenerationId, content: &ContentHash) -> Option<BuildJob> {
        self.parts.builds.get(generation).filter(|job| job.content == *content)
    }

    /// The environment in which a generation can start without being built; none where there is
    /// none, and while nobody can tell.
    pub async fn environment_of(&self, head: &GenerationHead) -> Option<String> {
        let images = &self.parts.images;
        let recipe = match images.known(&head.owner, &head.content_hash).await.ok()? {
            Some(recipe) => recipe,
            None => images.recipe(&self.parts.store.generation(&head.id).await.ok()??).await.ok()?,
        };
        images.environment(&recipe).await.ok()?
    }

    /// Gives the build up and forgets what it said: the generation is deleted.
    pub fn forget_build(&self, generation: &GenerationId) {
        self.cancel_build(generation);
        self.parts.builds.remove(generation);
    }

    /// Gives the build up. It stops in the engine unless a launch waits for it too.
    pub fn cancel_build(&self, generation: &GenerationId) {
        if let Some(job) = self.parts.builds.get(generation) {
            job.cancel.cancel();
        }
    }

    fn watch_build(&self, generation: &Generation, seat: Seat) -> BuildJob {
        let job = BuildJob::running(seat.flight().log.clone(), &generation.content_hash);
        let (shown, is_ours) = self.parts.builds.begin(&generation.id, job);
        if !is_ours {
            // Somebody else asked at the same moment; their seat keeps the build going.
            return shown;
        }
        let (parts, id, cancel) = (Arc::clone(&self.parts), generation.id.clone(), shown.cancel.clone());
        let log = shown.log.clone();
        self.parts.tasks.spawn(async move {
            let shutdown = parts.shutdown.clone();
            let landing = tokio::select! {
                landing = seat.landed() => landing,
                () = cancel.cancelled() => Err(ImageError::Cancelled),
                () = shutdown.cancelled() => Err(ImageError::Cancelled),
            };
            drop(seat);
            parts.builds.finish(&id, &log, landing);
        });
        shown
    }
}

impl BuildJob {
    fn running(log: BuildLog, content: &ContentHash) -> Self {
        Self {
            content: content.clone(),
            started_at: Utc::now(),
            finished_at: None,
            landing: None,
            log,
            cancel: CancellationToken::new(),
        }
    }

    fn done(image: BuiltImage, content: &ContentHash) -> Self {
        let log = BuildLog::default();
        log.push(BuildEvent::Done { image: image.tag.clone(), cached: true });
        let job = Self::running(log, content);
        Self { finished_at: Some(job.started_at), landing: Some(Ok(image)), ..job }
    }
}

impl Jobs {
    fn get(&self, generation: &GenerationId) -> Option<BuildJob> {
        self.jobs().get(generation).cloned()
    }

    fn remove(&self, generation: &GenerationId) {
        self.jobs().remove(generation);
    }

    /// The job that is now the generation's, and whether it is this one: a job of the same
    /// content that still runs stays.
    fn begin(&self, generation: &GenerationId, job: BuildJob) -> (BuildJob, bool) {
        let mut jobs = self.jobs();
        if let Some(other) = jobs.get(generation)
            && other.landing.is_none()
            && other.content == job.content
        {
            return (other.clone(), false);
        }
        if jobs.len() >= KEPT {
            jobs.retain(|_, job| job.landing.is_none());
        }
        jobs.insert(generation.clone(), job.clone());
        (job, true)
    }

    /// A later job under the same id is not the one that ended.
    fn finish(&self, generation: &GenerationId, log: &BuildLog, landing: Landing) {
        if let Some(job) = self.jobs().get_mut(generation).filter(|job| job.log.is_same(log)) {
            job.finished_at = Some(Utc::now());
            job.landing = Some(landing);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<GenerationId, BuildJob>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
