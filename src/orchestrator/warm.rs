//! Containers that have loaded what apps of an environment load, and wait, frozen, each for one
//! start.
//!
//! ```text
//!   a start in an environment ──► made behind it ──► frozen ── the next such start ──► its container
//!                                                      └── too old, too many, memory is short ──► gone
//! ```
//!
//! They are nobody's until a start takes them, so no row speaks of them: a daemon that starts
//! removes those that an earlier run has left. Nothing of an app has run in one before.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Parts;
use super::retry::retry;
use crate::domain::{Egress, UserId};
use crate::engine::{ContainerSpec, ContainerState, EngineError, Kind, Output, Ownership};
use crate::generation;

/// How many containers wait, and for how long.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_WARM_MAX`, default 4: on this host; the oldest makes room for a newer one. 0: none.
    pub max: usize,
    /// `PREVIEW_WARM_TTL`, seconds, default 900: how long one waits.
    pub ttl: Duration,
}

/// What a waiting container and the start that takes it have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mould(ContainerSpec);

impl Mould {
    /// Of a start, the command that waits in its place, and what that finds in its environment.
    pub fn new(start: &ContainerSpec, command: Vec<String>, environment: BTreeMap<String, String>) -> Self {
        let owner = start.ownership.owner.clone();
        let ownership = Ownership { owner, ..Ownership::of(start.ownership.instance.clone(), Kind::Warm) };
        Self(ContainerSpec {
            name: String::new(),
            environment,
            network: String::new(),
            command: Some(command),
            arguments: None,
            working_dir: Some("/app".to_owned()),
            ownership,
            ..start.clone()
        })
    }
}

/// One that waits.
struct Waiting {
    mould: Mould,
    warmed: Warmed,
    /// Told when it is taken; dropped when it is thrown out.
    taken: oneshot::Sender<()>,
}

/// A container with everything loaded, frozen.
pub(super) struct Warmed {
    pub state: ContainerState,
    pub network: String,
    /// What it will print. Behind a lock only to be shared between threads.
    pub output: Mutex<BoxStream<'static, Result<Output, EngineError>>>,
}

/// A cheap handle.
#[derive(Clone, Default)]
pub(super) struct Warm {
    pool: Arc<Mutex<Pool>>,
}

/// Never locked across an await.
#[derive(Default)]
struct Pool {
    waiting: Vec<Waiting>,
    making: Vec<Mould>,
    /// Names of containers that are not to be taken for somebody's leavings.
    known: HashSet<String>,
    /// What could not be made, or has not served, is not tried again for a while.
    unfit: Vec<(Mould, Instant)>,
}

/// What may be loaded ahead, is, within this time.
const LOADED_WITHIN: Duration = Duration::from_secs(60);
const UNFIT_FOR: Duration = Duration::from_secs(600);
/// An environment is made behind the image that was built first.
const ENVIRONMENT_WITHIN: Duration = Duration::from_secs(30);

impl Warm {
    /// The container that waits for such a start. It is still known here, until [`Warm::forget`].
    pub fn take(&self, mould: &Mould) -> Option<Warmed> {
        let mut pool = self.pool();
        let at = pool.waiting.iter().position(|one| one.mould == *mould)?;
        let one = pool.waiting.remove(at);
        // Its task is about to throw it out.
        one.taken.send(()).ok()?;
        Some(one.warmed)
    }

    pub fn has(&self, mould: &Mould) -> bool {
        self.pool().waiting.iter().any(|one| one.mould == *mould)
    }

    /// It is a preview's now, or gone.
    pub fn forget(&self, name: &str) {
        self.pool().known.remove(name);
    }

    /// Names of the containers that wait, are being made or are about to go.
    pub fn known(&self) -> HashSet<String> {
        self.pool().known.clone()
    }

    pub fn len(&self) -> usize {
        self.pool().waiting.len()
    }

    /// Starts like it are made anew for a while.
    pub fn give_up(&self, mould: Mould) {
        self.pool().unfit.push((mould, Instant::now() + UNFIT_FOR));
    }

    /// All that wait go; how many.
    pub fn let_go(&self) -> usize {
        let gone = std::mem::take(&mut self.pool().waiting);
        gone.len()
    }

    fn remove(&self, name: &str) -> Option<Waiting> {
        let mut pool = self.pool();
        let at = pool.waiting.iter().position(|one| one.warmed.state.name == name)?;
        Some(pool.waiting.remove(at))
    }

    /// The making has ended: it waits from now on, or is not tried again for a while.
    fn ended(&self, mould: Mould, taken: oneshot::Sender<()>, outcome: Result<Option<Warmed>, String>) {
        let mut pool = self.pool();
        if let Some(at) = pool.making.iter().position(|one| *one == mould) {
            pool.making.remove(at);
        }
        match outcome {
            Ok(Some(warmed)) => pool.waiting.push(Waiting { mould, warmed, taken }),
            Ok(None) => {}
            Err(reason) => {
                tracing::info!(reason, image = mould.0.image, "nothing waits for the next start");
                pool.unfit.push((mould, Instant::now() + UNFIT_FOR));
            }
        }
    }

    /// Whether one is to be made; the oldest others make room.
    fn begin(&self, mould: &Mould, max: usize) -> bool {
        let mut pool = self.pool();
        let now = Instant::now();
        pool.unfit.retain(|(_, until)| *until > now);
        let is_there = pool.waiting.iter().map(|one| &one.mould).chain(&pool.making).any(|one| one == mould);
        if is_there || pool.unfit.iter().any(|(one, _)| one == mould) || pool.making.len() >= max {
            return false;
        }
        while pool.waiting.len() + pool.making.len() >= max {
            // They are in the order in which they came.
            pool.waiting.remove(0);
        }
        pool.making.push(mould.clone());
        true
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is made for one that is to wait, as far as it was made.
struct Made {
    name: String,
    container: Option<String>,
    network: Option<String>,
}

impl Parts {
    /// Has one wait for the next start like this, in the background.
    pub(super) fn keep_warm(self: &Arc<Self>, mould: Mould, egress: Egress, user: UserId) {
        let is_short = self.missing_for(&mould.0.limits).is_some();
        if is_short || self.shutdown.is_cancelled() || !self.warm.begin(&mould, self.config.warm.max) {
            return;
        }
        let parts = Arc::clone(self);
        self.tasks.spawn(async move {
            let name = format!("previewd-{}-warm-{}", parts.instance, crate::domain::PreviewId::new());
            parts.warm.pool().known.insert(name.clone());
            let mut made = Made { name, container: None, network: None };
            let (taken, left) = oneshot::channel();
            let outcome = parts.make_warm(&mut made, &mould, egress, &user).await;
            parts.warm.ended(mould, taken, outcome);
            if !parts.is_taken(&made.name, left).await {
                parts.throw_out(made).await;
            }
        });
    }

    /// Waits until a start has taken it, or it is to go.
    async fn is_taken(&self, name: &str, mut taken: oneshot::Receiver<()>) -> bool {
        tokio::select! {
            taken = &mut taken => return taken.is_ok(),
            () = tokio::time::sleep(self.config.warm.ttl) => {}
            () = self.shutdown.cancelled() => {}
        }
        // One that is not there any more was just taken, or thrown out.
        self.warm.remove(name).is_none() && taken.await.is_ok()
    }

    /// From nothing to one that is frozen with everything loaded.
    async fn make_warm(
        &self,
        made: &mut Made,
        mould: &Mould,
        egress: Egress,
        user: &UserId,
    ) -> Result<Option<Warmed>, String> {
        let said = |error: EngineError| error.to_string();
        if !self.environment_there(&mould.0.image).await.map_err(said)? {
            return Ok(None);
        }
        // Nobody's turn is kept meanwhile.
        self.networks.known_again().await;
        let turn = self.starts.turn(user, true).await;
        let network = self.networks.lease().await.map_err(|error| error.to_string())?;
        made.network = Some(network.clone());
        self.egress.assign(&network, &egress).await.map_err(|error| error.to_string())?;
        let spec = ContainerSpec { name: made.name.clone(), network: network.clone(), ..mould.0.clone() };
        let id = retry(|| self.engine.create_container(&spec)).await.map_err(said)?;
        made.container = Some(id.clone());
        let mut output = self.engine.attach(&id).await.map_err(said)?;
        retry(|| self.engine.start(&id)).await.map_err(said)?;
        let gone = || "its container is gone".to_owned();
        let state = self.engine.inspect(&id).await.map_err(said)?.ok_or_else(gone)?;
        let process = state.process.clone().ok_or("its processes cannot be seen from here")?;
        let begun = Instant::now();
        while !process.main_is_called(generation::WAITING) {
            if !process.is_there() {
                return Err("it has ended".to_owned());
            }
            if begun.elapsed() >= LOADED_WITHIN || self.shutdown.is_cancelled() {
                return Err(format!("it has loaded for {} s", begun.elapsed().as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.engine.pause(&id).await.map_err(said)?;
        drop(turn);
        // What it prints belongs to a start of the app, at its time.
        if let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(1), output.next()).await {
            return Err("something is printed when its modules are loaded".to_owned());
        }
        let state = self.engine.inspect(&id).await.map_err(said)?.ok_or_else(gone)?;
        Ok(Some(Warmed { state, network, output: Mutex::new(output) }))
    }

    /// Waits a little for an environment that may just be in the making; false when it does not come.
    async fn environment_there(&self, image: &str) -> Result<bool, EngineError> {
        let begun = Instant::now();
        loop {
            if self.engine.image_id(image).await?.is_some() {
                return Ok(true);
            }
            if begun.elapsed() >= ENVIRONMENT_WITHIN || self.shutdown.is_cancelled() {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What was made and is not a preview's goes. Its network is nobody's before the container has
    /// gone, also the one whose making was never answered; a comparison takes what is left at the end.
    async fn throw_out(&self, made: Made) {
        let Made { name, container, network } = made;
        let which = container.as_deref().unwrap_or(&name);
        let mut pause = Duration::from_millis(200);
        while let Err(error) = self.engine.remove(which).await {
            tracing::warn!(%error, container = name, "a container that waited for a start is still there");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shutdown.cancelled() => {
                    self.warm.forget(&name);
                    return;
                }
            }
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        self.warm.forget(&name);
        if let Some(network) = &network
            && let Err(error) = self.networks.give_back(network).await
        {
            tracing::warn!(%error, network, "the network of a container that waited is still there");
        }
    }
}
