//! Decides and acts: what a launch needs, what a preview does next, what is left over.
//!
//! Owns the registry of live previews and one [`driver`] task for each. The store says what
//! should be; [`reconcile`] compares it with what the engine has, at the start and every few
//! seconds, and repairs both ways without touching what is not ours.

mod asks;
mod builds;
mod checks;
mod compare;
mod databases;
mod doors;
mod driver;
mod egress;
mod foresight;
mod gauges;
mod health;
mod images;
mod inspect;
mod knocks;
mod launch;
mod memory;
mod metrics;
mod networks;
mod outlines;
mod parked;
mod patches;
mod process;
mod queue;
mod reach;
mod reconcile;
mod registry;
mod retry;
mod sampling;
mod served;
mod server_log;
mod setup;
mod source;
mod start;
mod starts;
mod storage;
mod subnets;
mod token;
mod upkeep;
mod visitors;
mod visits;
mod warm;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use crate::databases::{
    Config as DatabasesConfig, DatabaseError, Inventory, Known as KnownDatabase, KnownCache, QueryRows, Table,
};
pub use asks::AskError;
pub use builds::BuildJob;
pub use checks::{Check, Checked};
pub use doors::FreshShare;
pub use driver::{PatchError, Patched};
pub use egress::{Config as EgressConfig, EgressError};
pub use foresight::Projects;
pub use health::memory as memory_health;
pub use images::{
    Booking, BuildFollower, BuildLog, BuiltImage, Config as ImagesConfig, ImageError, Images, Landing,
    Recipe, Seat,
};
pub use inspect::Readiness;
pub use launch::{Launch, LaunchError, Launched};
pub use memory::{Config as MemoryConfig, Reading as MemoryReading};
pub use metrics::{ErrorType, Metrics, OpenStream};
pub use networks::Config as NetworksConfig;
pub use outlines::{DocumentRead, Listed};
pub use parked::Config as ParkedConfig;
pub use process::{Process, read as own_process};
pub use queue::{Ask, Denial};
pub use reach::Dial;
pub use served::Served;
pub use subnets::AddressPool;
pub use token::TokenKey;
pub use upkeep::{
    CollectError, Config as UpkeepConfig, IdleImage, Room, Stale, StaleStep, free_at, idle_images, room,
    stale_steps,
};
pub use visitors::Visitors;
pub use visits::VisitWriter;
pub use warm::Config as WarmConfig;

use crate::databases::{Databases, Needs as DatabaseNeeds, Passwords};
use crate::domain::{InstanceId, Preview, TierTable};
use crate::engine::Engine;
use crate::ingress::Ingress;
use crate::seal::Seal;
use crate::store::{AuditLog, Store};
use crate::streams::LogHub;
use crate::streams::samples::Samples;
use builds::Jobs;
use doors::Doors;
use egress::Egress;
use networks::Networks;
use outlines::Outlines;
use reach::Reach;
use registry::Registry;
use starts::Starts;
use warm::Warm;

/// How previews are run.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_RESOURCE_TIER_FREE`, `_PRO`, `_ENTERPRISE`.
    pub tiers: TierTable,
    /// `PREVIEW_MAX_INSTANCES_PER_USER`, default 3.
    pub max_per_user: u32,
    /// `PREVIEW_MAX_CONCURRENCY`, default 100: live previews on this host.
    pub max_live: u32,
    /// `PREVIEW_STARTUP_TIMEOUT`, seconds, default 30.
    pub startup_timeout: Duration,
    /// `PREVIEW_HEALTH_CHECK_INTERVAL`, seconds, default 30.
    pub health_interval: Duration,
    /// `PREVIEW_HEALTH_CHECK_TIMEOUT`, seconds, default 10.
    pub health_timeout: Duration,
    /// `PREVIEW_IDLE_PAUSE`, seconds, default 300: a preview unused for so long is frozen until the
    /// next request. 0, none: never.
    pub idle_pause: Option<Duration>,
    /// `PREVIEW_MAX_RESTARTS`, default 3: how often in ten minutes an app that ended or hangs is
    /// started again before its preview has failed.
    pub max_restarts: u32,
    /// `PREVIEW_RESTART_PAUSE`, seconds, default 1: before the first such restart; each further pause
    /// is four times as long.
    pub restart_pause: Duration,
    /// `PREVIEW_PRIVATE`, default false: previews open only to who shows a token, unless a launch
    /// says otherwise.
    pub private: bool,
    /// `PREVIEW_MAX_EXTENSIONS`, default 3.
    pub max_extensions: u32,
    /// `PREVIEW_RUNTIME`: the engine's runtime for previews, `runsc` for gVisor; default the
    /// engine's own.
    pub runtime: Option<String>,
    /// `PREVIEW_DOMAIN`: previews are also served as `{previewId}.{domain}`.
    pub domain: Option<String>,
    /// Whether the API's address, which serves those names, has a certificate.
    pub domain_has_tls: bool,
    /// `PREVIEW_DIAL`: `container` or `published`; default `auto`, found out by a probe.
    pub dial: Option<Dial>,
    pub parked: ParkedConfig,
    pub warm: WarmConfig,
    pub memory: MemoryConfig,
    pub networks: NetworksConfig,
    pub egress: EgressConfig,
    pub images: ImagesConfig,
    pub databases: DatabasesConfig,
    pub upkeep: UpkeepConfig,
    /// How often the engine's inventory is compared with the store.
    pub reconcile_every: Duration,
}

/// Removing a network takes the engine a fifth of a second, and much longer on a busy host.
const SPARE_PATIENCE: Duration = Duration::from_secs(8);

/// A cheap handle on everything that runs previews.
#[derive(Clone)]
pub struct Orchestrator {
    parts: Arc<Parts>,
}

/// What drivers and calls share.
struct Parts {
    instance: InstanceId,
    config: Config,
    store: Store,
    engine: Engine,
    ingress: Ingress,
    logs: LogHub,
    samples: Samples,
    images: Images,
    builds: Jobs,
    networks: Networks,
    starts: Starts,
    warm: Warm,
    /// Held by a driver that tells the engine of a container that was thawed without it.
    telling: tokio::sync::Semaphore,
    egress: Egress,
    databases: Databases,
    registry: Registry,
    /// Held by the launch that is between its row and its driver.
    launch_turn: tokio::sync::Mutex<()>,
    reach: Arc<Reach>,
    outlines: Outlines,
    disks: upkeep::Disks,
    tokens: TokenKey,
    doors: Doors,
    audit: AuditLog,
    metrics: Metrics,
    /// Something happened to a database server: look at once.
    server_changed: tokio::sync::Notify,
    /// Every task of ours, so that a shutdown can wait for them.
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// What the orchestrator is made of.
pub struct Needs {
    pub instance: InstanceId,
    pub config: Config,
    pub store: Store,
    pub engine: Engine,
    pub ingress: Ingress,
    pub logs: LogHub,
    pub samples: Samples,
    pub tokens: TokenKey,
    pub seal: Seal,
    pub passwords: Passwords,
    pub audit: AuditLog,
    pub metrics: Metrics,
}

impl Orchestrator {
    pub fn new(needs: Needs) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let Needs {
            instance,
            config,
            store,
            engine,
            ingress,
            logs,
            samples,
            tokens,
            seal,
            passwords,
            audit,
            metrics,
        } = needs;
        let images = Images::new(engine.clone(), config.images.clone(), tasks.clone());
        let egress = Egress::new(&instance, config.egress.clone());
        let networks = Networks::new(
            engine.clone(),
            instance.clone(),
            config.networks.clone(),
            egress.clone(),
            tasks.clone(),
            shutdown.clone(),
        );
        let reach = Arc::new(Reach::new(config.dial));
        let databases = Databases::new(DatabaseNeeds {
            engine: engine.clone(),
            store: store.clone(),
            instance: instance.clone(),
            config: config.databases.clone(),
            seal,
            passwords,
            ground: Arc::new(databases::Ground::new(networks.clone(), Arc::clone(&reach))),
        });
        let disks = upkeep::Disks::new(&config.upkeep);
        let parts = Parts {
            instance,
            config,
            store,
            engine,
            ingress,
            logs,
            samples,
            images,
            builds: Jobs::default(),
            networks,
            starts: Starts::new(),
            warm: Warm::default(),
            telling: tokio::sync::Semaphore::new(driver::TELL_AT_ONCE),
            egress,
            databases,
            registry: Registry::default(),
            launch_turn: tokio::sync::Mutex::default(),
            reach,
            outlines: Outlines::default(),
            disks,
            tokens,
            doors: Doors::default(),
            audit,
            metrics,
            server_changed: tokio::sync::Notify::new(),
            tasks,
            shutdown,
        };
        Self { parts: Arc::new(parts) }
    }

    pub fn images(&self) -> &Images {
        &self.parts.images
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    pub fn config(&self) -> &Config {
        &self.parts.config
    }

    /// Stops deciding and lets previews be; calls that wait for something end.
    pub fn begin_shutdown(&self) {
        self.parts.shutdown.cancel();
        self.parts.tasks.close();
    }

    /// Waits for the tasks, at most `patience`, and removes what is spare, at most
    /// [`SPARE_PATIENCE`]. What is left then is taken up by the next start.
    pub async fn shutdown(&self, patience: Duration) {
        self.begin_shutdown();
        if tokio::time::timeout(patience, self.parts.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
        if tokio::time::timeout(SPARE_PATIENCE, self.parts.databases.close()).await.is_err() {
            tracing::warn!("some database servers stay behind");
        }
        if tokio::time::timeout(SPARE_PATIENCE, self.parts.networks.close()).await.is_err() {
            tracing::warn!("some spare networks stay behind");
        }
        self.parts.egress.close().await;
    }
}

impl Parts {
    fn token(&self, preview: &Preview) -> String {
        self.tokens.token(preview.id, preview.token_version)
    }

    fn token_hash(&self, preview: &Preview) -> String {
        token::hash(&self.token(preview))
    }
}
