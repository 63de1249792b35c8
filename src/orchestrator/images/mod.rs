//! From a generation to an image that is there.
//!
//! Owns the builds under way. The tag of an image is the hash of its plan, its files and the
//! digests of its bases, so the same content is never built twice: an image that exists is the
//! answer, equal builds at once share one [`flight`], and at most `concurrency` builds run while
//! at most `queue` wait.

mod build_log;
mod flight;
mod recipe;
mod secrets;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::io::{ReaderStream, SyncIoBridge};
use tokio_util::task::TaskTracker;

pub use build_log::{BuildFollower, BuildLog};
pub use flight::{BuiltImage, Flight, Landing, Seat};
pub use recipe::Recipe;

use secrets::Secrets;

use crate::domain::{BuildEvent, ContentHash, Generation};
use crate::engine::{BuildContext, BuildError, BuildRequest, Engine, EngineError, Kind, Ownership};
use crate::generation::{self, BaseImages, BuildInputs, Language, PlanError};

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
    waiting: AtomicUsize,
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
            waiting: AtomicUsize::new(0),
            recipes: recipe::Cache::default(),
            tasks,
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn bases(&self) -> &BaseImages {
        &self.inner.config.bases
    }

    /// What is built for content we have planned before, while its base images stay the same.
    pub async fn known(&self, hash: &ContentHash) -> Result<Option<Arc<Recipe>>, ImageError> {
        self.inner.recipes.known(&self.inner.engine, hash).await
    }

    /// What would be built, and under which tag. Needs the engine for the digests of the bases.
    pub async fn recipe(&self, generation: &Generation) -> Result<Arc<Recipe>, ImageError> {
        self.inner.recipes.make(&self.inner.engine, &self.inner.config.bases, generation).await
    }

    /// The image of a recipe, when it is there.
    pub async fn ready(&self, recipe: &Recipe) -> Result<Option<BuiltImage>, ImageError> {
        let there = self.inner.engine.image_id(&recipe.tag).await?.is_some();
        Ok(there.then(|| BuiltImage { tag: recipe.tag.clone(), cached: true }))
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
        self.inner.take_off(generation, recipe).map(Booking::Flying)
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

    /// Boards the flight of this tag, starting it when nobody has.
    fn take_off(
        self: &Arc<Self>,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
    ) -> Result<Seat, ImageError> {
        let mut flights = self.flights();
        let under_way = flights.get(&recipe.tag).filter(|flight| flight.is_flying());
        if let Some(seat) = under_way.and_then(Flight::board) {
            return Ok(seat);
        }
        let limit = self.config.queue;
        let ahead = self.waiting.load(Ordering::Acquire);
        if ahead >= limit {
            return Err(ImageError::QueueFull { limit });
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let (flight, lands) = Flight::new();
        let seat = flight.board().ok_or(ImageError::Cancelled)?;
        flights.insert(recipe.tag.clone(), flight.clone());
        drop(flights);
        let (inner, generation, recipe) = (Arc::clone(self), Arc::clone(generation), Arc::clone(recipe));
        flight.log.push(BuildEvent::Queued { ahead });
        self.tasks.spawn(async move { inner.fly(&generation, &recipe, flight, lands).await });
        Ok(seat)
    }

    /// One build from queue to landing.
    async fn fly(
        self: Arc<Self>,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
        flight: Flight,
        lands: watch::Sender<Option<Landing>>,
    ) {
        let queued = flight.cancelled.run_until_cancelled(self.slots.acquire()).await;
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        let landing = match queued {
            Some(Ok(_slot)) => {
                let build = self.build(generation, recipe, &flight.log);
                flight.cancelled.run_until_cancelled(build).await.unwrap_or(Err(ImageError::Cancelled))
            }
            Some(Err(_)) | None => Err(ImageError::Cancelled),
        };
        {
            let mut flights = self.flights();
            // A later flight under the same tag is not ours to take out.
            if flights.get(&recipe.tag).is_some_and(|other| other.is_same(&flight)) {
                flights.remove(&recipe.tag);
            }
        }
        lands.send_replace(Some(landing.clone()));
        flight.log.push(last_event(&landing));
    }

    async fn build(&self, generation: &Arc<Generation>, recipe: &Arc<Recipe>, log: &BuildLog) -> Landing {
        let secrets = Secrets::of(generation, recipe);
        let (events, mut said) = mpsc::channel(256);
        let request = self.request(generation, recipe);
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
            Ok(_id) => Ok(BuiltImage { tag: recipe.tag.clone(), cached: false }),
            Err(error) => Err(secrets.hide_in(ImageError::from(error).explained(generation))),
        }
    }
}

impl Inner {
    /// What this host gives to build steps, with the caches of this owner.
    fn inputs(&self, generation: &Generation) -> BuildInputs {
        let mut caches_of = crate::orchestrator::token::hash(generation.owner.as_str());
        caches_of.truncate(16);
        BuildInputs { caches_of, ..self.config.inputs.clone() }
    }

    fn request(&self, generation: &Arc<Generation>, recipe: &Arc<Recipe>) -> BuildRequest {
        let plan = &recipe.plan;
        let has_classic = plan.language != Language::Docker;
        BuildRequest {
            tag: recipe.tag.clone(),
            context: context(generation, recipe, self.inputs(generation)),
            dockerfile: generation::DOCKERFILE.to_owned(),
            classic_dockerfile: has_classic.then(|| generation::CLASSIC_DOCKERFILE.to_owned()),
            build_args: generation::build_args(plan, &self.config.inputs),
            ownership: Ownership {
                generation: Some(generation.id.clone()),
                ..Ownership::of(self.engine.instance().clone(), Kind::Image)
            },
            labels: BTreeMap::new(),
            timeout: Some(self.config.timeout),
            memory_bytes: Some(self.config.memory_mb * 1024 * 1024),
            network: None,
        }
    }
}

/// The build context, packed while it is sent: a large tree is not held twice.
fn context(generation: &Arc<Generation>, recipe: &Arc<Recipe>, inputs: BuildInputs) -> BuildContext {
    let (generation, recipe) = (Arc::clone(generation), Arc::clone(recipe));
    BuildContext::stream(move || {
        let (reader, writer) = tokio::io::duplex(256 * 1024);
        let (generation, recipe, inputs) = (Arc::clone(&generation), Arc::clone(&recipe), inputs.clone());
        let packing = tokio::task::spawn_blocking(move || {
            let mut writer = SyncIoBridge::new(writer);
            generation::context(&recipe.plan, &generation.files, &inputs, &mut writer)
        });
        let read = ReaderStream::with_capacity(reader, 64 * 1024);
        let end = stream::once(async move {
            match packing.await {
                Ok(packed) => packed.map(|()| Bytes::new()),
                Err(error) => Err(io::Error::other(error)),
            }
        });
        read.chain(end).try_filter(|bytes| std::future::ready(!bytes.is_empty()))
    })
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
