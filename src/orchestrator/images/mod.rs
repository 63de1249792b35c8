//! From a generation to an image that is there.
//!
//! Owns the builds under way. The tag of an image is the hash of its plan, its files and the
//! digests of its bases, so the same content is never built twice: an image that exists is the
//! answer, equal builds at once share one [`flight`], and at most `concurrency` builds run while
//! at most `queue` wait.

mod build_log;
mod flight;
mod job;
mod proof;
mod recipe;
mod secrets;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, mpsc, watch};
use tokio_util::task::TaskTracker;

pub use build_log::{BuildFollower, BuildLog};
pub use flight::{BuiltImage, Flight, Landing, Seat};
pub use job::source_archive;
pub use proof::Unproven;
pub use recipe::Recipe;

use crate::domain::{BuildEvent, ContentHash, Generation, UserId};
use crate::engine::{BuildError, Engine, EngineError};
use crate::generation::{self, BaseImages, BuildInputs, Part, PlanError};
use job::Job;
use secrets::Secrets;

/// How images are built.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_BUILD_CONCURRENCY`, default 2: builds that run at once.
    pub concurrency: usize,
    /// `PREVIEW_BUILD_QUEUE`, default 64: builds that may wait for their turn.
    pub queue: usize,
    /// `PREVIEW_BUILD_TIMEOUT`, seconds, default 600: one build.
    pub timeout: Duration,
    /// `PREVIEW_BUILD_MEMORY_MB`, default 2048; only the classic builder honours it.
    pub memory_mb: u64,
    /// `PREVIEW_BASE_IMAGES`: which images stand under the Dockerfiles we write.
    pub bases: BaseImages,
    /// CA bundle and mirrors for build steps.
    pub inputs: BuildInputs,
}

/// Why there is no image. Shared between all who waited for it, hence `Clone`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(
        "the base image {image} is not on this host; run `make setup`, or name one that is in PREVIEW_BASE_IMAGES"
    )]
    BaseMissing { image: String },
    #[error("{limit} builds are waiting already")]
    QueueFull { limit: usize },
    #[error("{reason}")]
    Build { step: Option<String>, reason: String, tail: Vec<String> },
    #[error("the build was cancelled")]
    Cancelled,
    #[error(transparent)]
    Engine(Arc<EngineError>),
}

/// A cheap handle.
#[derive(Clone)]
pub struct Images {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    config: Config,
    /// Builds under way, by tag; ended ones are taken out by their own task.
    flights: Mutex<HashMap<String, Flight>>,
    slots: Semaphore,
    /// Builds that nobody waits for go one after the other, so that one somebody waits for has at
    /// most one of them before it.
    behind: Semaphore,
    waiting: AtomicUsize,
    waiting_behind: AtomicUsize,
    recipes: recipe::Cache,
    tasks: TaskTracker,
}

/// What a caller gets who wants an image.
pub enum Booking {
    Ready(BuiltImage),
    Flying(Seat),
}

impl Images {
    pub fn new(engine: Engine, config: Config, tasks: TaskTracker) -> Self {
        let slots = Semaphore::new(config.concurrency);
        let inner = Inner {
            engine,
            config,
            flights: Mutex::default(),
            slots,
            behind: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            waiting_behind: AtomicUsize::new(0),
            recipes: recipe::Cache::default(),
            tasks,
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn bases(&self) -> &BaseImages {
        &self.inner.config.bases
    }

    /// What is built for an owner's content that was planned before, while its base images stay the
    /// same.
    pub async fn known(&self, owner: &UserId, hash: &ContentHash) -> Result<Option<Arc<Recipe>>, ImageError> {
        self.inner.recipes.known(&self.inner.engine, owner, hash).await
    }

    /// What would be built, and under which tag. Needs the engine for the digests of the bases.
    pub async fn recipe(&self, generation: &Generation) -> Result<Arc<Recipe>, ImageError> {
        if let Some(known) = self.known(&generation.owner, &generation.content_hash).await? {
            return Ok(known);
        }
        self.inner.recipes.make(&self.inner.engine, &self.inner.config.bases, generation).await
    }

    /// The image of a recipe, when it is there.
    pub async fn ready(&self, recipe: &Recipe) -> Result<Option<BuiltImage>, ImageError> {
        let there = self.inner.engine.image_id(&recipe.tag).await?.is_some();
        Ok(there.then(|| BuiltImage { tag: recipe.tag.clone(), cached: true }))
    }

    /// The environment of a recipe, when it shares one and that is there.
    pub async fn environment(&self, recipe: &Recipe) -> Result<Option<String>, ImageError> {
        let Some(tag) = &recipe.environment else { return Ok(None) };
        let there = self.inner.engine.image_id(tag).await?.is_some();
        Ok(there.then(|| tag.clone()))
    }

    /// Builds the image onto its environment, while a preview runs from that; false when it is
    /// there already. Dropping the future gives the seat up, and with the last seat the build.
    pub async fn settle(
        &self,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
        environment: &str,
    ) -> Result<bool, ImageError> {
        if self.ready(recipe).await?.is_some() {
            return Ok(false);
        }
        let part = Part::Onto(environment.to_owned());
        let seat = self.inner.take_off(Job { part, ..Job::whole(generation, recipe) })?;
        seat.landed().await.map(|_| true)
    }

    /// The image when it is there, else a seat in the one build that makes it.
    pub async fn book(
        &self,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
    ) -> Result<Booking, ImageError> {
        if let Some(seat) = self.inner.seat_under_way(&recipe.tag) {
            return Ok(Booking::Flying(seat));
        }
        if let Some(image) = self.ready(recipe).await? {
            return Ok(Booking::Ready(image));
        }
        self.inner.take_off(Job::whole(generation, recipe)).map(Booking::Flying)
    }

    /// Waits for the image; what the build says goes to `report`. Dropping the future gives the
    /// seat up, and with the last seat the build.
    pub async fn ensure(
        &self,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
        mut report: impl FnMut(&BuildEvent),
    ) -> Landing {
        // A flight given up by everyone else between our boarding and its landing is flown again.
        for _ in 0..3 {
            let seat = match self.book(generation, recipe).await? {
                Booking::Ready(image) => return Ok(image),
                Booking::Flying(seat) => seat,
            };
            let mut follower = seat.flight().log.follow();
            while let Some((_, event)) = follower.next().await {
                report(&event);
            }
            match seat.landed().await {
                Err(ImageError::Cancelled) if !self.inner.tasks.is_closed() => {}
                landing => return landing,
            }
        }
        Err(ImageError::Cancelled)
    }
}

impl Inner {
    fn flights(&self) -> MutexGuard<'_, HashMap<String, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat_under_way(&self, tag: &str) -> Option<Seat> {
        self.flights().get(tag).filter(|flight| flight.is_flying()).and_then(Flight::board)
    }

    /// Boards the flight of what the job makes, starting it when nobody has.
    fn take_off(self: &Arc<Self>, job: Job) -> Result<Seat, ImageError> {
        let tag = job.tag();
        let mut flights = self.flights();
        let under_way = flights.get(&tag).filter(|flight| flight.is_flying());
        if let Some(seat) = under_way.and_then(Flight::board) {
            return Ok(seat);
        }
        let limit = self.config.queue;
        let mut ahead = self.waiting.load(Ordering::Acquire);
        if job.is_behind() {
            ahead += self.waiting_behind.load(Ordering::Acquire);
        }
        if ahead >= limit {
            return Err(ImageError::QueueFull { limit });
        }
        self.queue(&job).fetch_add(1, Ordering::AcqRel);
        let (flight, lands) = Flight::new();
        let seat = flight.board().ok_or(ImageError::Cancelled)?;
        flights.insert(tag, flight.clone());
        drop(flights);
        let inner = Arc::clone(self);
        flight.log.push(BuildEvent::Queued { ahead });
        self.tasks.spawn(async move { inner.fly(job, flight, lands).await });
        Ok(seat)
    }

    /// One build from queue to landing, and what is to be made of it besides.
    async fn fly(self: Arc<Self>, job: Job, flight: Flight, lands: watch::Sender<Option<Landing>>) {
        let queued = flight.cancelled.run_until_cancelled(self.turn(&job)).await;
        self.queue(&job).fetch_sub(1, Ordering::AcqRel);
        let landing = match queued {
            Some(Ok(_turn)) => {
                let build = self.build(&job, &flight.log);
                flight.cancelled.run_until_cancelled(build).await.unwrap_or(Err(ImageError::Cancelled))
            }
            Some(Err(_)) | None => Err(ImageError::Cancelled),
        };
        {
            let (tag, mut flights) = (job.tag(), self.flights());
            // A later flight under the same tag is not ours to take out.
            if flights.get(&tag).is_some_and(|other| other.is_same(&flight)) {
                flights.remove(&tag);
            }
        }
        let is_whole = landing.is_ok() && job.part == Part::Whole;
        lands.send_replace(Some(landing.clone()));
        flight.log.push(last_event(&landing));
        if is_whole {
            self.keep_environment(job).await;
        }
    }

    fn queue(&self, job: &Job) -> &AtomicUsize {
        if job.is_behind() { &self.waiting_behind } else { &self.waiting }
    }

    /// The job's turn lasts as long as what is given.
    async fn turn(
        &self,
        job: &Job,
    ) -> Result<(Option<SemaphorePermit<'_>>, SemaphorePermit<'_>), AcquireError> {
        let behind = match job.is_behind() {
            true => Some(self.behind.acquire().await?),
            false => None,
        };
        Ok((behind, self.slots.acquire().await?))
    }

    /// Makes the environment out of the layers of the image that was just built, so that the next
    /// new source over the same dependencies starts without a build.
    async fn keep_environment(self: &Arc<Self>, job: Job) {
        let job = Job { part: Part::Environment, ..job };
        let Some(tag) = job.recipe.environment.clone() else { return };
        if self.tasks.is_closed() {
            return;
        }
        let made = match self.engine.image_id(&tag).await {
            Ok(Some(_)) => return,
            Ok(None) => match self.take_off(job) {
                Ok(seat) => seat.landed().await.map(drop),
                Err(error) => Err(error),
            },
            Err(error) => Err(error.into()),
        };
        match made {
            Ok(()) => tracing::debug!(environment = tag, "an environment is kept"),
            Err(error) => tracing::warn!(%error, environment = tag, "an environment was not made"),
        }
    }

    async fn build(&self, job: &Job, log: &BuildLog) -> Landing {
        let secrets = Secrets::of(&job.generation, &job.recipe);
        let (events, mut said) = mpsc::channel(256);
        let request = job.request(self.engine.instance(), &self.config);
        let build = self.engine.build(request, &events);
        let listen = async {
            while let Some(event) = said.recv().await {
                log.push(secrets.hide(event));
            }
        };
        tokio::pin!(listen);
        let built = tokio::select! {
            built = build => built,
            () = &mut listen => unreachable!("the sender outlives the build"),
        };
        drop(events);
        listen.await;
        match built {
            Ok(_id) => Ok(BuiltImage { tag: job.tag(), cached: false }),
            Err(error) => Err(secrets.hide_in(ImageError::from(error).explained(&job.generation))),
        }
    }
}

/// What followers hear last.
fn last_event(landing: &Landing) -> BuildEvent {
    match landing {
        Ok(image) => BuildEvent::Done { image: image.tag.clone(), cached: image.cached },
        Err(ImageError::Cancelled) => BuildEvent::Cancelled,
        Err(ImageError::Build { step, reason, .. }) => {
            BuildEvent::Failed { step: step.clone(), reason: reason.clone() }
        }
        Err(other) => BuildEvent::Failed { step: None, reason: other.to_string() },
    }
}

impl ImageError {
    /// With plain words for what the step printed, where it is understood.
    fn explained(mut self, generation: &Generation) -> Self {
        if let Self::Build { reason, tail, .. } = &mut self
            && let Some(said) = generation::explain_failure(&generation.metadata, &generation.files, tail)
        {
            *reason = said;
        }
        self
    }
}

impl From<BuildError> for ImageError {
    fn from(error: BuildError) -> Self {
        let reason = error.to_string();
        match error {
            BuildError::StepFailed { step, tail, .. } => Self::Build { step: Some(step), reason, tail },
            BuildError::Timeout { step, .. } => Self::Build { step, reason, tail: Vec::new() },
            BuildError::BaseMissing { image, .. } => Self::BaseMissing { image },
            BuildError::Rejected { .. } => Self::Build { step: None, reason, tail: Vec::new() },
            BuildError::Engine(error) => error.into(),
        }
    }
}

impl From<EngineError> for ImageError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Arc::new(error))
    }
}
