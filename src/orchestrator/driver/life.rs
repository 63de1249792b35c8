//! What a driver holds of its preview, and how each change of it is kept and shown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::behind::Behind;
use super::clock::Clock;
use super::origin::Origin;
use super::patch::Files;
use super::recover::Restarts;
use super::warm::Taken;
use super::{Interrupt, Message, Way};
use crate::domain::{Event, EventType, Failure, LogLevel, LogSource, NoticeContent, Preview, Stage, Status};
use crate::engine::{ContainerProcess, Freezer};
use crate::ingress::Upstream;
use crate::orchestrator::Parts;
use crate::orchestrator::images::Recipe;
use crate::orchestrator::served::Earlier;
use crate::orchestrator::warm::Mould;
use crate::store::StoreError;
use crate::streams::CONTINUED;

/// The newest row of a preview, for everyone who asks. Only its driver changes it.
pub(in crate::orchestrator) type View = Arc<watch::Sender<Preview>>;

pub(in crate::orchestrator) struct Life {
    pub parts: Arc<Parts>,
    pub preview: Preview,
    pub view: View,
    /// For the facts that tasks of this life report back.
    pub outbox: mpsc::Sender<Message>,
    /// Ends the tasks that watch the present container.
    pub watchers: CancellationToken,
    /// Resolves when the last lines of the present container are read.
    pub log_end: Option<oneshot::Receiver<()>>,
    /// No container of this preview can exist yet, not even one whose making was not heard of.
    pub is_fresh: bool,
    /// What the image is made of, once it is known.
    pub recipe: Option<Arc<Recipe>>,
    /// What its container is made from, once that is known.
    pub(super) origin: Option<Origin>,
    /// The container that waited for its start, until that.
    pub(super) warm: Option<Taken>,
    /// What its present container was like while it waited, until the app serves.
    pub(super) warmed_by: Option<Mould>,
    /// The making of its image, while it runs from its environment.
    pub(super) behind: Option<Behind>,
    /// What it served while an earlier run of the daemon had it.
    pub earlier: Earlier,
    /// What is wrong with its database, when something is.
    pub database_problem: Option<String>,
    /// The first process of the present container, where the engine said which.
    pub process: Option<ContainerProcess>,
    /// Where the app is dialled, once it answered.
    pub address: Option<SocketAddr>,
    /// The switch of its present container, where this host lets us see it.
    pub freezer: Option<Freezer>,
    /// When to tell the engine that the container runs, which was woken without it.
    pub tell_engine_at: Option<Instant>,
    /// What the engine believes of the container's being frozen is not known.
    pub engine_may_differ: bool,
    /// The engine was asked to freeze it for want of visitors, and did not answer in time.
    pub(super) may_freeze_yet: bool,
    /// Visitors wait while it is brought up, instead of being told that it is.
    pub(super) visitors_wait: bool,
    pub(super) clock: Clock,
    /// The latest use that the way in knows nothing of: being brought up, adopted or resumed.
    pub used: Instant,
    pub(super) restarts: Restarts,
    pub(super) files: Files,
}

impl Life {
    /// The time that is left is taken off the wall clock once, here.
    pub(in crate::orchestrator) fn new(
        parts: Arc<Parts>,
        preview: Preview,
        view: View,
        outbox: mpsc::Sender<Message>,
    ) -> Self {
        let left = (preview.expires_at - Utc::now()).to_std().unwrap_or(Duration::ZERO);
        let watchers = CancellationToken::new();
        Self {
            earlier: Earlier::of(&preview),
            parts,
            preview,
            view,
            outbox,
            watchers,
            log_end: None,
            is_fresh: false,
            recipe: None,
            origin: None,
            warm: None,
            warmed_by: None,
            behind: None,
            database_problem: None,
            process: None,
            address: None,
            freezer: None,
            tell_engine_at: None,
            engine_may_differ: false,
            may_freeze_yet: false,
            visitors_wait: false,
            clock: Clock::new(Instant::now(), left),
            used: Instant::now(),
            restarts: Restarts::default(),
            files: Files::default(),
        }
    }

    pub(super) async fn follow(&mut self, way: Way, interrupt: &CancellationToken) -> Result<(), Interrupt> {
        match way {
            Way::BringUp(event) => self.bring_up(interrupt, event).await,
            Way::Adopt => self.adopt(interrupt).await,
            Way::Again { after } => self.again(interrupt, after).await,
            Way::Patch(patching) => self.patch(*patching, interrupt).await,
        }
    }

    /// Writes the row, then shows it. A busy store is asked again for ten seconds.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        self.take_numbers();
        let mut pause = Duration::from_millis(50);
        for _ in 0..8 {
            match self.parts.store.update_preview(&self.preview).await {
                Err(error) if error.is_busy() => tokio::time::sleep(pause).await,
                other => {
                    self.show();
                    return other;
                }
            }
            pause *= 2;
        }
        let outcome = self.parts.store.update_preview(&self.preview).await;
        self.show();
        outcome
    }

    /// The traffic figures outlive the port and the daemon.
    fn take_numbers(&mut self) {
        if let Some(traffic) = self.parts.ingress.traffic(self.preview.id) {
            let served = self.earlier.and(&traffic);
            self.preview.request_count = served.requests;
            self.preview.error_count = served.errors;
            self.preview.avg_response_time = served.avg_ms;
        }
    }

    /// A stop that was asked for meanwhile stays visible.
    pub(super) fn show(&self) {
        let mut changed = None;
        self.view.send_modify(|shown| {
            let before = shown.status;
            let is_stopping = before == Status::Stopping && self.preview.status.is_live();
            *shown = self.preview.clone();
            if is_stopping {
                shown.status = Status::Stopping;
            }
            changed = (shown.status != before).then_some(shown.status);
        });
        if let Some(status) = changed {
            self.parts.logs.notices().publish(self.preview.id, NoticeContent::State { status });
        }
    }

    /// Saves before the engine is called: an intent that is not written is not acted on.
    pub(super) async fn intend(&mut self) -> Result<(), Interrupt> {
        self.save().await.map_err(|error| {
            let reason = format!("the daemon's store does not take writes: {error}");
            Interrupt::Trouble(Failure::new(Stage::Prepare, reason, Vec::new()))
        })
    }

    pub(super) async fn set_status(&mut self, status: Status) {
        self.preview.status = status;
        self.keep().await;
    }

    /// Saves a fact that is true whether it can be written or not; the next save carries it.
    pub(super) async fn keep(&mut self) {
        if let Err(error) = self.save().await {
            tracing::error!(%error, preview = %self.preview.id, "a preview's row could not be written");
        }
    }

    /// One entry of the audit trail and one line in the preview's log.
    pub(super) async fn record(&self, event_type: EventType, data: Value) {
        let data = masked(data, &|text| self.parts.logs.masked(self.preview.id, text));
        let event =
            Event { preview_id: self.preview.id, timestamp: Utc::now(), event_type, data: data.clone() };
        let line = match &data {
            Value::Object(members) if members.is_empty() => event_type.as_str().to_owned(),
            data => format!("{} {data}", event_type.as_str()),
        };
        let source = match event_type {
            EventType::Started | EventType::Restarted | EventType::Healthy => LogSource::Startup,
            _ => LogSource::System,
        };
        self.say(LogLevel::Info, source, &line);
        if let Err(error) = self.parts.store.append_event(&event).await {
            tracing::error!(%error, preview = %self.preview.id, event = event_type.as_str(), "an event was not written");
        }
    }

    pub(super) fn say(&self, level: LogLevel, source: LogSource, message: &str) {
        self.parts.logs.append(self.preview.id, Utc::now(), level, source, message);
    }

    /// Visitors reach the app from now on.
    pub(super) fn serve_at(&mut self, address: SocketAddr) {
        self.address = Some(address);
        self.visitors_wait = false;
        self.parts.ingress.set_upstream(self.preview.id, Upstream::At { address });
    }

    pub(super) fn fail(&self, stage: Stage, reason: impl Into<String>) -> Interrupt {
        let reason = self.parts.logs.masked(self.preview.id, &reason.into());
        Interrupt::Trouble(Failure::new(stage, reason, self.log_tail()))
    }

    /// The last lines the app printed; those of its build while it has printed none.
    pub(super) fn log_tail(&self) -> Vec<String> {
        let lines = self.parts.logs.tail(self.preview.id, 4 * Failure::TAIL_LINES);
        let from = |source| lines.iter().filter(move |line| line.source == source).peekable();
        let mut told = from(LogSource::App);
        if told.peek().is_none() {
            told = from(LogSource::Build);
        }
        let mut text = String::new();
        for line in told {
            // Pieces of one message are one again.
            let goes_on = line.message.strip_prefix(CONTINUED).filter(|_| text.ends_with(CONTINUED));
            match goes_on {
                Some(rest) => {
                    text.truncate(text.len() - CONTINUED.len());
                    text.push_str(rest);
                }
                None => {
                    text.push_str(if text.is_empty() { "" } else { "\n" });
                    text.push_str(&line.message);
                }
            }
        }
        let tail: Vec<String> = text.lines().map(str::to_owned).collect();
        tail[tail.len().saturating_sub(Failure::TAIL_LINES)..].to_vec()
    }

    /// What an event says of where the preview is.
    pub(super) fn place(&self) -> Value {
        json!({
            "port": self.preview.port,
            "image": self.preview.image,
            "runsFrom": if self.is_in_environment() { "environment" } else { "image" },
        })
    }
}

/// Every text in it without the preview's secrets.
fn masked(value: Value, mask: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(mask(&text)),
        Value::Array(items) => items.into_iter().map(|item| masked(item, mask)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, masked(value, mask))).collect()
        }
        plain => plain,
    }
}
