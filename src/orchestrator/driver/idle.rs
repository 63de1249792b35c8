//! A preview that nobody uses: frozen until the next visitor, or ended before its time.
//!
//! ```text
//!   serving ── unused for `idle_pause` ──► asleep ── a request, a WebSocket, resume ──► serving
//!      └───── unused for `idle_timeout` ─────┴──► stopped
//! ```
//!
//! Requests and tunnels are use; an open connection that carries nothing is not.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{Ending, Life, Phase};
use crate::domain::{ContainerStatus, EventType, HealthStatus, PausedBy, Status};
use crate::ingress::Upstream;
use crate::orchestrator::{Check, health};

impl Life {
    /// How often to look whether anybody uses the preview; none when that does not matter.
    pub(super) fn idle_look(&self) -> Option<Duration> {
        let shortest = [self.parts.config.idle_pause, self.idle_timeout()].into_iter().flatten().min()?;
        Some((shortest / 8).clamp(Duration::from_millis(50), Duration::from_secs(10)))
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.preview.idle_timeout_s.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Puts the preview to sleep, or ends it, when it has been unused for long enough; wakes one that
    /// has a visitor whose call was not heard, as while the preview was being adopted.
    pub(super) async fn look_for_use(&mut self) -> Option<Phase> {
        let Some(unused) = self.unused_for() else {
            return self.wake().await;
        };
        if self.idle_timeout().is_some_and(|limit| unused >= limit) {
            return Some(Phase::End(Ending::Idle));
        }
        if self.preview.status.is_serving()
            && self.parts.config.idle_pause.is_some_and(|limit| unused >= limit)
        {
            self.fall_asleep().await;
        }
        None
    }

    /// None while it is in use.
    fn unused_for(&self) -> Option<Duration> {
        let since = self.parts.ingress.unused_since(self.preview.id)?;
        Some(Instant::now().duration_since(self.used.max(since.into())))
    }

    /// From the moment the way in is closed, a new request asks to be let in; one that slipped
    /// through before that is seen, and keeps the preview awake.
    async fn fall_asleep(&mut self) {
        let Some(address) = self.address else { return };
        self.parts.ingress.set_upstream(self.preview.id, Upstream::Asleep);
        let slept = match self.parts.ingress.unused_since(self.preview.id) {
            None => Ok(false),
            Some(_) => self.freeze().await.map(|()| true),
        };
        match slept {
            Ok(true) => self.paused(PausedBy::Idleness).await,
            Ok(false) => self.serve_at(address),
            Err(error) => {
                tracing::warn!(%error, preview = %self.preview.id, "an idle preview could not be paused");
                // An engine that was only slow may do it yet.
                self.may_freeze_yet = error.is_transient();
                self.used = Instant::now();
                self.serve_at(address);
            }
        }
    }

    /// A visitor is waiting. What it waits for may have happened already.
    pub(super) async fn wake(&mut self) -> Option<Phase> {
        match self.preview.paused_by {
            None | Some(PausedBy::Request) => return None,
            Some(PausedBy::Memory) => return self.come_back().await,
            Some(PausedBy::Idleness) => {}
        }
        match self.thaw().await {
            Ok(()) => self.resumed("request").await,
            Err(error) => tracing::warn!(%error, preview = %self.preview.id, "a preview does not wake"),
        }
        None
    }

    pub(super) async fn paused(&mut self, by: PausedBy) {
        self.preview.paused_by = Some(by);
        self.may_freeze_yet = false;
        // One that made room has none.
        self.preview.container_status =
            self.preview.container_id.is_some().then_some(ContainerStatus::Paused);
        self.show_paused();
        self.set_status(Status::Paused).await;
        let said = match by {
            PausedBy::Memory => "stopped to give back its memory; the next visitor starts it again",
            PausedBy::Request | PausedBy::Idleness => "it is paused",
        };
        self.parts.checked(&self.preview, Check::Container, HealthStatus::Healthy, said);
        self.record(EventType::Paused, json!({ "by": by })).await;
    }

    /// What visitors find while it is paused.
    pub(super) fn show_paused(&self) {
        let upstream = match self.preview.paused_by {
            Some(PausedBy::Idleness | PausedBy::Memory) => Upstream::Asleep,
            Some(PausedBy::Request) | None => Upstream::Paused,
        };
        self.parts.ingress.set_upstream(self.preview.id, upstream);
    }

    pub(super) async fn resumed(&mut self, by: &str) {
        self.preview.paused_by = None;
        self.preview.container_status = Some(ContainerStatus::Running);
        self.used = Instant::now();
        self.set_status(health::status_of(self.preview.health)).await;
        self.record(EventType::Resumed, json!({ "by": by })).await;
    }
}
