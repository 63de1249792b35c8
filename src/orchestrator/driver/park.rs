//! A preview that is ready ahead of its launch: frozen, unseen, and waiting to be claimed.
//!
//! ```text
//!   answers ──► frozen ──► parked ── claimed ──► serving
//!                            ├── its time is over, its owner launched otherwise ──► nothing is left
//!                            └── its container ended, or is not what it was ──────┘
//! ```

use std::time::{Duration, Instant};

use chrono::{SubsecRound, Utc};
use serde_json::json;
use tokio::sync::oneshot;

use super::clock::Clock;
use super::{Driver, Ending, Life, Message, Phase, Refusal, Way};
use crate::domain::{
    ContainerStatus, DatabaseRecord, EventType, Failure, HealthStatus, LogLevel, LogSource, PausedBy,
    Preview, Stage, Status,
};
use crate::orchestrator::launch::LaunchError;
use crate::orchestrator::queue::{self, Ask, Verdict};
use crate::store::Insert;

/// What a launch wants of the preview that was made ahead of it.
pub(in crate::orchestrator) struct Claim {
    /// As the launch would have made it.
    pub wanted: Preview,
    pub database: Option<DatabaseRecord>,
    /// The image that its content has now.
    pub image: String,
    /// Whether only who shows a token gets in.
    pub is_private: bool,
}

/// What became of a claim.
pub(in crate::orchestrator) enum Claimed {
    /// It is the claimer's.
    Taken(Box<Preview>),
    /// It is not what is wanted; it goes where nobody can want it any more.
    Missed(&'static str),
    /// Whoever asks may have none.
    Refused(LaunchError),
}

impl Driver {
    pub(super) async fn park(&mut self) -> Phase {
        if let Some(ending) = self.life.be_parked().await {
            return Phase::End(ending);
        }
        for message in std::mem::take(&mut self.held) {
            if let Some(phase) = self.life.hear_parked(message).await {
                return phase;
            }
        }
        let shutdown = self.life.parts.shutdown.clone();
        loop {
            let phase = tokio::select! {
                Some(message) = self.inbox.recv() => self.life.hear_parked(message).await,
                () = tokio::time::sleep_until(self.life.clock.ends) => Some(Phase::End(Ending::Expired)),
                () = shutdown.cancelled() => Some(Phase::Detach),
            };
            if let Some(phase) = phase {
                return phase;
            }
        }
    }
}

impl Life {
    /// Frozen and written down, unless it is of no use by now.
    async fn be_parked(&mut self) -> Option<Ending> {
        let (generation, user) = (&self.preview.generation_id, &self.preview.user_id);
        match self.parts.store.live_preview(generation, user).await {
            Ok(None) => {}
            // Launched meanwhile, from the start.
            Ok(Some(_)) => return Some(Ending::Stopped),
            Err(error) => return Some(Ending::Failed(self.park_failure(error.to_string()))),
        }
        if !self.is_there_and_frozen().await
            && let Err(error) = self.freeze().await
        {
            return Some(Ending::Failed(self.park_failure(error.to_string())));
        }
        let is_new = self.preview.status == Status::Healthy;
        self.preview.container_status = Some(ContainerStatus::Paused);
        self.set_status(Status::Parked).await;
        if is_new {
            self.record(EventType::Parked, json!({ "until": self.preview.parked_until })).await;
        }
        None
    }

    fn park_failure(&self, reason: String) -> Failure {
        Failure::new(Stage::Prepare, reason, Vec::new())
    }

    async fn hear_parked(&mut self, message: Message) -> Option<Phase> {
        match message {
            Message::Claim(claim, reply) => self.claimed(*claim, reply).await,
            Message::Ask(ask, reply) => {
                let verdict = queue::decide(self.preview.status, ask, 0);
                let answer = match verdict {
                    Verdict::Deny(denial) => Err(Refusal::Denied(denial)),
                    Verdict::Accept | Verdict::Redundant => Ok(()),
                };
                let _ = reply.send(answer);
                (ask == Ask::Stop).then_some(Phase::End(Ending::Stopped))
            }
            Message::Look if !self.is_there_and_frozen().await => Some(Phase::End(self.spoiled())),
            _ => None,
        }
    }

    fn spoiled(&self) -> Ending {
        Ending::Failed(self.park_failure("its container ended, or was woken by somebody else".to_owned()))
    }

    /// A file of the kernel says it in microseconds; the engine is asked where there is none.
    async fn is_there_and_frozen(&self) -> bool {
        if let Some(freezer) = &self.freezer {
            return freezer.is_frozen() == Some(true);
        }
        let id = self.preview.container_id.as_deref().unwrap_or_default();
        let found = self.parts.engine.inspect(id).await;
        found.ok().flatten().is_some_and(|state| state.running && self.is_frozen(&state))
    }

    async fn claimed(&mut self, claim: Claim, reply: oneshot::Sender<Claimed>) -> Option<Phase> {
        if reply.is_closed() || queue::decide(self.preview.status, Ask::Claim, 0) != Verdict::Accept {
            return None;
        }
        let begun = Instant::now();
        let (answer, phase) = match self.take(claim).await {
            Ok(phase) => (Claimed::Taken(Box::new(self.preview.clone())), Some(phase)),
            Err(NotTaken::Spoiled) => {
                let ending = self.spoiled();
                (Claimed::Missed("its container is not as it was left"), Some(Phase::End(ending)))
            }
            Err(NotTaken::Stale(why)) => (Claimed::Missed(why), Some(Phase::End(Ending::Stopped))),
            Err(NotTaken::Other(why)) => (Claimed::Missed(why), None),
            Err(NotTaken::Refused(error)) => (Claimed::Refused(error), None),
        };
        let is_taken = matches!(answer, Claimed::Taken(_));
        // A launch that was given up finds its preview live.
        let _ = reply.send(answer);
        if is_taken {
            self.parts.metrics.launched(begun.elapsed());
            self.keep().await;
        }
        phase
    }

    /// Checked, admitted, written down as one that sleeps, and woken: a daemon that dies in between
    /// leaves a preview that its first visitor wakes.
    async fn take(&mut self, claim: Claim) -> Result<Phase, NotTaken> {
        self.differs(&claim)?;
        if !self.is_there_and_frozen().await {
            return Err(NotTaken::Spoiled);
        }
        let parked = self.preview.clone();
        let waited = Utc::now() - parked.started_at.unwrap_or(parked.created_at);
        self.become_wanted(&claim.wanted);
        if let Err(refusal) = self.admit(claim.is_private).await {
            self.parts.ingress.close(self.preview.id).await;
            self.parts.doors.forget(self.preview.id);
            self.preview = parked;
            return Err(refusal);
        }
        self.bound_log();
        self.guard_log();
        let left = (self.preview.expires_at - Utc::now()).to_std().unwrap_or_default();
        self.clock = Clock::new(tokio::time::Instant::now(), left);
        self.used = tokio::time::Instant::now();
        let data = json!({
            "user": self.preview.user_id, "tier": self.preview.user_tier, "prewarmed": true,
            "container": self.preview.container_id, "waitedSeconds": waited.num_seconds(),
        });
        self.record(EventType::Launched, data).await;
        if let Err(error) = self.thaw().await {
            let text = format!("the prewarmed container does not wake: {error}; it is started anew");
            self.say(LogLevel::Warning, LogSource::System, &text);
            self.launching_again().await;
            return Ok(Phase::Lead(Way::BringUp(EventType::Started)));
        }
        self.preview.paused_by = None;
        self.preview.container_status = Some(ContainerStatus::Running);
        self.preview.status = Status::Healthy;
        self.preview.health = HealthStatus::Healthy;
        self.show();
        Ok(Phase::Serve)
    }

    /// Whether the launch wants another preview than this one.
    fn differs(&self, claim: &Claim) -> Result<(), NotTaken> {
        let (is, wanted) = (&self.preview, &claim.wanted);
        // In its environment it runs what that image will hold.
        let same_recipe = self.recipe.as_ref().is_some_and(|recipe| recipe.tag == claim.image);
        let in_environment = same_recipe && self.is_in_environment();
        if is.image.as_ref() != Some(&claim.image) && !in_environment {
            return Err(NotTaken::Stale("its image is not the one that is built today"));
        }
        if tokio::time::Instant::now() >= self.clock.ends {
            return Err(NotTaken::Stale("its time is over"));
        }
        if is.limits != wanted.limits {
            return Err(NotTaken::Other("another tier is wanted"));
        }
        if is.egress != wanted.egress {
            return Err(NotTaken::Other("another egress is wanted"));
        }
        if is.environment != wanted.environment {
            return Err(NotTaken::Other("another environment is wanted"));
        }
        if is.log_level != wanted.log_level {
            return Err(NotTaken::Other("another log level is wanted"));
        }
        let known = self.parts.databases.known(is.id).map(|known| known.record);
        let what =
            |record: &DatabaseRecord| (record.kind, record.mode, record.version.clone(), record.migrate);
        if known.as_ref().map(what) != claim.database.as_ref().map(what) {
            return Err(NotTaken::Other("another database is wanted"));
        }
        Ok(())
    }

    /// What belongs to the launch, not to the container.
    fn become_wanted(&mut self, wanted: &Preview) {
        let session = wanted.expires_at - wanted.created_at;
        let now = Utc::now().trunc_subsecs(3);
        let preview = &mut self.preview;
        preview.project_id.clone_from(&wanted.project_id);
        preview.user_tier = wanted.user_tier;
        preview.created_at = now;
        preview.expires_at = now + session;
        preview.idle_timeout_s = wanted.idle_timeout_s;
        preview.startup_timeout_s = wanted.startup_timeout_s;
        preview.extensions_allowed = wanted.extensions_allowed;
        preview.max_log_lines = wanted.max_log_lines;
        preview.parked_until = None;
        preview.status = Status::Paused;
        preview.paused_by = Some(PausedBy::Idleness);
    }

    /// Its port, and its place among the owner's previews.
    async fn admit(&mut self, is_private: bool) -> Result<(), NotTaken> {
        if is_private {
            // Before there is a door to come in by.
            let made = self.parts.store.make_private(self.preview.id).await;
            made.map_err(|error| NotTaken::Refused(LaunchError::Store(error)))?;
            self.parts.doors.close(self.preview.id);
        }
        let opened = self.parts.ingress.open(self.preview.id, None).await;
        let port = opened.map_err(|error| NotTaken::Refused(LaunchError::Port(error)))?;
        self.preview.port = Some(port);
        self.preview.base_url = self.parts.base_url(&self.preview, port);
        self.show_paused();
        let (per_user, live) = (self.parts.config.max_per_user, self.parts.config.max_live);
        match self.parts.store.claim_preview(&self.preview, Some(per_user), Some(live)).await {
            Ok(Insert::Inserted) => Ok(()),
            Ok(Insert::Live(_)) => Err(NotTaken::Stale("another one is live")),
            Ok(Insert::UserFull { live }) => Err(NotTaken::Refused(LaunchError::UserFull { live })),
            Ok(Insert::HostFull { live }) => Err(NotTaken::Refused(LaunchError::HostFull { live })),
            Err(error) => Err(NotTaken::Refused(LaunchError::Store(error))),
        }
    }
}

/// Why a claim came to nothing.
enum NotTaken {
    /// Nobody can want it any more.
    Stale(&'static str),
    Spoiled,
    /// Another launch may want it.
    Other(&'static str),
    Refused(LaunchError),
}

/// How long a launch waits for the answer to its claim before it goes the long way.
pub(in crate::orchestrator) const CLAIM_TAKES: Duration = Duration::from_secs(3);
