//! Accepting a launch: plan, quota, row, port, driver; in that order, and fast.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{SubsecRound, Utc};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::checks::Checks;
use super::driver::{Begin, Driver, INBOX, Life};
use super::images::{ImageError, Recipe};
use super::metrics::ErrorType;
use super::registry::Entry;
use super::served::Earlier;
use super::{Orchestrator, Parts, Room};
use crate::domain::{
    DatabaseRecord, DatabaseType, Egress, Event, EventType, Generation, HealthStatus, Invalid, LogLevel,
    Preview, PreviewId, ResourceTier, Status, UserId, UserTier,
};
use crate::ingress::{IngressError, Upstream};
use crate::store::{Insert, StoreError};

/// What a caller asks for. The caller has been found to own the generation.
#[derive(Debug, Clone)]
pub struct Launch {
    pub user: UserId,
    pub user_tier: UserTier,
    pub resource_tier: ResourceTier,
    pub project_id: Option<String>,
    pub environment: BTreeMap<String, String>,
    /// The kind of database; what the metadata names, or the code expects, when absent.
    pub database: Option<DatabaseType>,
    /// Where it may connect to; as its metadata or the installation says when absent.
    pub egress: Option<Egress>,
    /// Whether its migrations and seeds are run.
    pub migrate: bool,
    /// What the app is told to log at; `INFO` when absent.
    pub log_level: Option<LogLevel>,
    /// Lines of its log to keep; the setting, which is the most, when absent.
    pub max_log_lines: Option<u32>,
    /// From a started container to its first answer; the setting when absent.
    pub startup_timeout: Option<Duration>,
    /// How long the preview may live unless it is extended.
    pub session: Duration,
    /// Whether only who shows a token gets in; the setting when absent.
    pub private: Option<bool>,
    /// How long it may live without a visitor; none, as long as the session.
    pub idle: Option<Duration>,
}

/// What a launch is to have for its data.
pub(super) struct Promised {
    pub database: Option<DatabaseRecord>,
    pub cache: bool,
}

/// A live preview, new or found.
#[derive(Debug, Clone)]
pub struct Launched {
    pub preview: Preview,
    pub token: String,
    /// False when it was live already.
    pub is_new: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("you have {live} live previews and may have no more; stop one first")]
    UserFull { live: u32 },
    #[error("this host runs {live} previews and takes no more now")]
    HostFull { live: u32 },
    #[error("this host lacks {missing_mb} MiB of memory for one more preview")]
    Memory { missing_mb: u64 },
    #[error(transparent)]
    Port(IngressError),
    #[error("the Docker engine does not answer: {reason}")]
    Engine { reason: String },
    #[error("the disk is full: {said}")]
    DiskFull { said: String },
    #[error("your earlier preview of this generation is still ending; launch again in a moment")]
    StillEnding,
    #[error("another daemon that shares this store runs this preview")]
    Elsewhere,
    #[error("the daemon is shutting down")]
    ShuttingDown,
    /// What is asked for is not to be had here.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Orchestrator {
    /// Starts a preview of a generation, or gives the user's live one. Answers as soon as the
    /// row is written and the port is open; the build and the start go on behind it.
    pub async fn launch(&self, generation: &Generation, launch: Launch) -> Result<Launched, LaunchError> {
        let parts = &self.parts;
        if parts.shutdown.is_cancelled() {
            return Err(LaunchError::ShuttingDown);
        }
        parts.check_log_lines(launch.max_log_lines)?;
        if let Some(preview) = self.live_one(generation, &launch.user).await?
            && let Some(found) = parts.found(&preview)?
        {
            return Ok(found);
        }
        if let Room::Out(said) = parts.disks.room() {
            return Err(LaunchError::DiskFull { said });
        }
        let recipe = parts.recipe_for(generation).await?;
        let mut preview = parts.new_preview(generation, &recipe, &launch)?;
        let data = parts.data_for(&mut preview, generation, &recipe, &launch)?;
        // One that waits for this launch has its memory already.
        if self.parked(&generation.id, &launch.user).is_none() {
            parts.memory_for(&preview.limits).await?;
        }
        let is_private = launch.private.unwrap_or(parts.config.private);
        // In a task of its own: a caller that hangs up must not leave a row without a driver.
        let admission = Arc::clone(parts);
        let admitted =
            parts.tasks.spawn(async move { admission.admit(preview, recipe, data, is_private).await });
        admitted.await.map_err(|_| LaunchError::ShuttingDown)?
    }
}

impl Parts {
    /// Quota, row, port and driver of a new preview, or the live one that is there already.
    async fn admit(
        self: Arc<Self>,
        preview: Preview,
        recipe: Arc<Recipe>,
        data: Promised,
        is_private: bool,
    ) -> Result<Launched, LaunchError> {
        let parts = &self;
        // From the row to its driver one launch at a time: who finds a live row finds its driver.
        let _turn = parts.launch_turn.lock().await;
        if let Some(claimed) = parts.claim(&preview, &recipe, data.database.as_ref(), is_private).await {
            return claimed;
        }
        if let Some(missing_mb) = parts.missing_for(&preview.limits) {
            return Err(LaunchError::Memory { missing_mb });
        }
        let limits = &parts.config;
        match parts.store.insert_preview(&preview, Some(limits.max_per_user), Some(limits.max_live)).await? {
            Insert::Inserted => {}
            Insert::Live(preview) => {
                return parts.found(&preview)?.ok_or(LaunchError::Elsewhere);
            }
            Insert::UserFull { live } => return Err(LaunchError::UserFull { live }),
            Insert::HostFull { live } => return Err(LaunchError::HostFull { live }),
        }
        if is_private {
            // Before there is a door to come in by.
            parts.store.make_private(preview.id).await?;
            parts.doors.close(preview.id);
        }
        let preview = parts.open_port(preview, data).await?;
        parts.record_launch(&preview).await;
        let token = parts.token(&preview);
        parts.drive(preview.clone(), Begin::Launch, Some(recipe));
        parts.overtake(&preview);
        Ok(Launched { preview, token, is_new: true })
    }
}

impl Orchestrator {
    /// The user's live preview; one that is just ending is waited for, and is none.
    async fn live_one(&self, generation: &Generation, user: &UserId) -> Result<Option<Preview>, StoreError> {
        let found = self.parts.store.live_preview(&generation.id, user).await?;
        let Some(preview) = found.map(|preview| self.newest(preview)) else { return Ok(None) };
        if preview.status != Status::Stopping {
            return Ok(Some(preview));
        }
        self.ended(&preview, Duration::from_secs(30)).await;
        self.parts.store.live_preview(&generation.id, user).await
    }
}

impl Parts {
    /// Takes up live rows that no driver owns: of a launch or an end that could not be written
    /// down. Whoever launches holds the turn, so a row on its way to its driver is not meant.
    pub(super) async fn take_up_ghosts(self: &Arc<Self>) -> Result<(), StoreError> {
        let _turn = self.launch_turn.lock().await;
        for preview in self.store.live_previews().await? {
            if self.registry.get(preview.id).is_none() {
                tracing::warn!(preview = %preview.id, "ending a live preview that nothing owns");
                self.drive(preview, Begin::Stop, None);
            }
        }
        Ok(())
    }

    /// A live preview as its driver shows it. The driver knows more than the row: the port is
    /// written a moment after the insert. None yet while another call is launching it; one that is
    /// on its end is no launch's.
    fn found(&self, row: &Preview) -> Result<Option<Launched>, LaunchError> {
        let Some(entry) = self.registry.get(row.id) else { return Ok(None) };
        let preview = entry.view.borrow().clone();
        match preview.status {
            Status::Stopping => Err(LaunchError::StillEnding),
            _ => Ok(Some(Launched { token: self.token(&preview), preview, is_new: false })),
        }
    }

    /// What is built for a generation, on an engine that is there.
    pub(super) async fn recipe_for(&self, generation: &Generation) -> Result<Arc<Recipe>, LaunchError> {
        let reached = self.reach.find_out(&self.engine).await;
        reached.map_err(|error| LaunchError::Engine { reason: error.to_string() })?;
        Ok(self.images.recipe(generation).await?)
    }

    /// Fewer lines than the setting says is everybody's own affair; more are memory of the host.
    fn check_log_lines(&self, lines: Option<u32>) -> Result<(), Invalid> {
        const LEAST: u32 = 100;
        let most = self.logs.most_lines();
        match lines {
            Some(lines) if !(LEAST..=most).contains(&lines) => {
                Err(Invalid::new("maxLogLines", format!("expected {LEAST} to {most}")))
            }
            _ => Ok(()),
        }
    }

    /// Refused where it asks for more egress than there is.
    pub(super) fn new_preview(
        &self,
        generation: &Generation,
        recipe: &Recipe,
        launch: &Launch,
    ) -> Result<Preview, Invalid> {
        // As the store keeps times: a row that is read back says the same moment.
        let (id, now) = (PreviewId::new(), Utc::now().trunc_subsecs(3));
        let metadata = &generation.metadata;
        let mut environment = metadata.environment.clone();
        environment.extend(launch.environment.clone());
        let startup = launch.startup_timeout.unwrap_or(self.config.startup_timeout);
        let interval = metadata.health_check_interval.map(u64::from);
        let token = self.tokens.token(id, 1);
        let egress = self.egress.allowed().narrowed([&metadata.egress, &launch.egress])?;
        Ok(Preview {
            id,
            generation_id: generation.id.clone(),
            project_id: launch.project_id.clone().or_else(|| metadata.project_id.clone()),
            user_id: launch.user.clone(),
            user_tier: launch.user_tier,
            status: Status::Launching,
            paused_by: None,
            failure: None,
            port: None,
            base_url: String::new(),
            token_hash: super::token::hash(&token),
            token_version: 1,
            created_at: now,
            started_at: None,
            stopped_at: None,
            expires_at: now + launch.session,
            idle_timeout_s: launch.idle.map(|idle| u32::try_from(idle.as_secs()).unwrap_or(u32::MAX)),
            parked_until: None,
            container_id: None,
            container_status: None,
            image: Some(recipe.tag.clone()),
            network: None,
            container_port: recipe.plan.port,
            limits: self.config.tiers.grant(launch.user_tier, launch.resource_tier),
            egress,
            startup_timeout_s: u32::try_from(startup.as_secs()).unwrap_or(u32::MAX),
            environment,
            log_level: launch.log_level.unwrap_or(LogLevel::Info),
            max_log_lines: launch.max_log_lines.unwrap_or(self.logs.most_lines()),
            log_storage: self.logs.place_of(id),
            database: DatabaseType::None,
            health: HealthStatus::Unknown,
            health_path: recipe.plan.health_path.clone(),
            health_path_given: metadata.health_check_endpoint.is_some(),
            health_interval_s: interval
                .unwrap_or(self.config.health_interval.as_secs())
                .try_into()
                .unwrap_or(u32::MAX),
            last_health_check: None,
            consecutive_failures: 0,
            extensions_used: 0,
            extensions_allowed: self.config.max_extensions,
            request_count: 0,
            error_count: 0,
            avg_response_time: 0.0,
        })
    }

    /// The row is there, so a crash from here on is work for the next start.
    async fn open_port(&self, mut preview: Preview, data: Promised) -> Result<Preview, LaunchError> {
        let opened = self.ingress.open(preview.id, preview.port).await;
        let failed = match opened {
            Ok(port) => {
                preview.port = Some(port);
                preview.base_url = self.base_url(&preview, port);
                match self.write_launch(&preview, data).await {
                    Ok(()) => return Ok(preview),
                    Err(error) => LaunchError::Store(error),
                }
            }
            Err(error) => {
                self.metrics.error(ErrorType::PortAllocation);
                LaunchError::Port(error)
            }
        };
        self.ingress.close(preview.id).await;
        self.doors.forget(preview.id);
        self.databases.forget(preview.id);
        preview.status = Status::Stopped;
        preview.stopped_at = Some(Utc::now());
        preview.port = None;
        if let Err(error) = self.store.update_preview(&preview).await {
            tracing::error!(%error, preview = %preview.id, "a refused launch stays in the store until the next start");
        }
        Err(failed)
    }

    async fn write_launch(&self, preview: &Preview, data: Promised) -> Result<(), StoreError> {
        self.store.update_preview(preview).await?;
        self.intend_data(preview, data).await
    }

    /// The row is there.
    pub(super) async fn intend_data(&self, preview: &Preview, data: Promised) -> Result<(), StoreError> {
        if data.cache {
            self.databases.intend_cache(preview.id).await?;
        }
        match data.database {
            Some(record) => self.databases.intend(preview.id, record).await,
            None => Ok(()),
        }
    }

    /// What the preview shall have for its data, of what is asked for, told and found.
    pub(super) fn data_for(
        &self,
        preview: &mut Preview,
        generation: &Generation,
        recipe: &Recipe,
        launch: &Launch,
    ) -> Result<Promised, Invalid> {
        let detected = super::setup::detected(&recipe.plan);
        let limit = preview.limits.storage_mb;
        let chosen =
            self.databases.choose(preview.id, launch.database, &generation.metadata, detected, limit)?;
        preview.database = chosen.as_ref().map_or(DatabaseType::None, |record| record.kind);
        let database = chosen.map(|record| DatabaseRecord { migrate: launch.migrate, ..record });
        let needs_cache = super::setup::needs_cache(&recipe.plan);
        let cache = self.databases.choose_cache(&generation.metadata, needs_cache)?;
        Ok(Promised { database, cache })
    }

    pub(super) fn base_url(&self, preview: &Preview, port: u16) -> String {
        match &self.config.domain {
            Some(domain) => {
                let scheme = if self.config.domain_has_tls { "https" } else { "http" };
                format!("{scheme}://{}.{domain}", preview.id)
            }
            None => format!("http://127.0.0.1:{port}"),
        }
    }

    async fn record_launch(&self, preview: &Preview) {
        let data = json!({ "user": preview.user_id, "tier": preview.user_tier });
        let event =
            Event { preview_id: preview.id, timestamp: Utc::now(), event_type: EventType::Launched, data };
        if let Err(error) = self.store.append_event(&event).await {
            tracing::error!(%error, preview = %preview.id, "an event was not written");
        }
    }

    /// Gives a preview its owning task, with the recipe of its image where that was just made out.
    pub(super) fn drive(self: &Arc<Self>, preview: Preview, begin: Begin, recipe: Option<Arc<Recipe>>) {
        let (outbox, inbox) = mpsc::channel(INBOX);
        let (view, seen) = watch::channel(preview.clone());
        let earlier = Earlier::of(&preview);
        let checks = Checks::default();
        self.registry.insert(preview.id, Entry { inbox: outbox.clone(), view: seen, earlier, checks });
        let upstream = match begin {
            Begin::Adopt => Upstream::Returning,
            _ => Upstream::Waiting { what: "being prepared".to_owned() },
        };
        self.ingress.set_upstream(preview.id, upstream);
        let mut life = Life::new(Arc::clone(self), preview, Arc::new(view), outbox);
        life.recipe = recipe;
        self.tasks.spawn(Driver { life, inbox, held: VecDeque::new() }.run(begin));
    }
}
