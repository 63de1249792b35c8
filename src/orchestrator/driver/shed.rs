//! A preview that makes room on a host short of memory: its container goes, everything else stays,
//! and the next visitor waits while it is started again.

use serde_json::json;

use super::serve::failed;
use super::{Life, Phase, Refusal, Reply, Way};
use crate::domain::{EventType, LogLevel, LogSource, PausedBy, Status};
use crate::ingress::Upstream;
use crate::orchestrator::queue::Denial;
use crate::orchestrator::retry::retry;

impl Life {
    /// Written down before the container goes, so that a daemon that dies in between has it go.
    pub(super) async fn shed(&mut self) -> Reply {
        if self.preview.paused_by == Some(PausedBy::Request) || self.preview.container_id.is_none() {
            return Err(Refusal::Denied(Denial::InUse));
        }
        let was_served_at = self.address.filter(|_| self.preview.status.is_serving());
        self.parts.ingress.set_upstream(self.preview.id, Upstream::Asleep);
        if self.parts.ingress.unused_since(self.preview.id).is_none() {
            if let Some(address) = was_served_at {
                self.serve_at(address);
            }
            return Err(Refusal::Denied(Denial::InUse));
        }
        let used = self.parts.samples.take(self.preview.id).map(|sample| sample.counters.memory_bytes >> 20);
        self.watchers.cancel();
        (self.address, self.freezer, self.tell_engine_at) = (None, None, None);
        self.preview.container_id = None;
        self.paused(PausedBy::Memory).await;
        let text =
            format!("the host is short of memory: stopped to give back {} MiB", used.unwrap_or_default());
        self.say(LogLevel::Info, LogSource::System, &text);
        retry(|| self.remove_containers()).await.map_err(failed)
    }

    /// Whether nothing but its container is missing.
    pub(super) fn is_on_disk(&self) -> bool {
        self.preview.status == Status::Paused && self.preview.container_id.is_none()
    }

    /// Started again, its visitors waiting for it, when there is memory for it.
    pub(super) async fn come_back(&mut self) -> Option<Phase> {
        if self.parts.memory_for(&self.preview.limits).await.is_err() {
            tracing::info!(preview = %self.preview.id, "a preview waits for memory to be started again");
            return None;
        }
        self.visitors_wait = true;
        self.waiting("being started again");
        self.launching_again().await;
        Some(Phase::Lead(Way::BringUp(EventType::Resumed)))
    }

    /// What is to be done about a container that the row says is gone.
    pub(super) async fn adopt_on_disk(&mut self) {
        if let Err(error) = retry(|| self.remove_containers()).await {
            tracing::warn!(%error, preview = %self.preview.id, "a container that made room is not gone yet");
        }
        self.show_paused();
        self.keep().await;
        self.record(EventType::Adopted, json!({ "port": self.preview.port })).await;
    }
}
