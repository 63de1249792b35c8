//! Leaving nothing behind: container, database, network, port, subscribers.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;

use super::{Ending, Life};
use crate::databases::DatabaseError;
use crate::domain::{ContainerStatus, EventType, Failure, LogLevel, LogSource, Status};
use crate::engine::{EngineError, Kind, OwnedContainer};
use crate::ingress::Upstream;

impl Life {
    /// Ends the preview. An engine that is away is asked again until it comes or the daemon
    /// goes; the row says `stopping` until all is gone, so the next start goes on with it.
    pub(super) async fn tear_down(&mut self, ending: Ending) {
        self.watchers.cancel();
        self.leave_image().await;
        self.thaw_in_kernel();
        self.preview.status = Status::Stopping;
        self.preview.container_status = self.preview.container_status.map(|_| ContainerStatus::Removing);
        if let Ending::Failed(failure) = &ending {
            let mask = |text: &String| self.parts.logs.masked(self.preview.id, text);
            let tail = failure.log_tail.iter().map(mask).collect();
            self.preview.failure = Some(Failure::new(failure.stage, mask(&failure.reason), tail));
            self.say(LogLevel::Error, LogSource::Error, &format!("failed: {}", failure.reason));
        } else {
            self.preview.failure = None;
        }
        self.keep().await;
        let reason = "stopped".to_owned();
        self.parts.ingress.set_upstream(self.preview.id, Upstream::Down { reason });
        if !self.parts.networks.is_known() {
            // Its network cannot be given back yet; what runs in it need not wait for that.
            if let Err(error) = self.remove_containers().await {
                tracing::debug!(%error, preview = %self.preview.id, "its containers are still there");
            }
            tokio::select! {
                // One that stays unknown is removed, and nobody has it next.
                _ = self.parts.networks.known_in_time() => {}
                () = self.parts.shutdown.cancelled() => return,
            }
        }
        let mut pause = Duration::from_millis(200);
        while let Err(error) = self.remove_all().await {
            tracing::warn!(%error, preview = %self.preview.id, "a preview is not all gone yet");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.parts.shutdown.cancelled() => return,
            }
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        self.finish(ending).await;
    }

    async fn remove_all(&mut self) -> Result<(), DatabaseError> {
        self.parts.record_last(&self.preview);
        self.remove_containers().await?;
        self.preview.container_id = None;
        self.preview.container_status = None;
        // Before the network goes on to another preview: a connection that is just being made
        // must not end in a container that gets the same address.
        self.parts.ingress.close(self.preview.id).await;
        self.parts.doors.forget(self.preview.id);
        // Its server leaves the network before that goes on to another preview.
        self.parts.databases.drop_of(self.preview.id, self.preview.network.as_deref()).await?;
        self.give_network_back().await
    }

    /// The row first: a daemon that is killed in between finds a network that no row names, and not
    /// two rows that name one, which another preview has by then.
    async fn give_network_back(&mut self) -> Result<(), DatabaseError> {
        let Some(network) = self.preview.network.take() else { return Ok(()) };
        let mut given = self.save().await.map_err(DatabaseError::from);
        if given.is_ok() {
            given = self.parts.networks.give_back(&network).await.map_err(DatabaseError::from);
        }
        if given.is_err() {
            self.preview.network = Some(network);
        }
        given
    }

    /// Every container that carries this preview's label, whether its id was ever written down
    /// or not: the reply of a create may have been lost. And the one that it lives in, which may have
    /// been made before the preview was. A database server of its own stays until its database goes.
    pub(super) async fn remove_containers(&self) -> Result<(), EngineError> {
        let owned = self.parts.engine.owned_containers().await?;
        let ours = |container: &&OwnedContainer| {
            let is_home = Some(&container.id) == self.preview.container_id.as_ref();
            let is_named = container.ownership.preview == Some(self.preview.id);
            is_named && !matches!(container.ownership.kind, Kind::Server | Kind::Cache)
                || is_home && container.ownership.kind == Kind::Warm
        };
        for container in owned.iter().filter(ours) {
            self.parts.engine.remove(&container.id).await?;
        }
        Ok(())
    }

    /// One that nobody launched is no failed launch; nobody is told of it but the operator.
    fn note_failure(&self, failure: &Failure) {
        if self.preview.parked_until.is_none() {
            self.parts.metrics.failed(failure.stage);
            return;
        }
        let (generation, stage) = (&self.preview.generation_id, failure.stage);
        tracing::info!(%generation, %stage, reason = failure.reason, "a preview ahead of its launch has failed");
    }

    async fn finish(&mut self, ending: Ending) {
        let (status, event, data) = match &ending {
            Ending::Stopped => (Status::Stopped, EventType::Stopped, json!({})),
            Ending::Expired => (Status::Stopped, EventType::Expired, json!({})),
            Ending::Idle => (Status::Stopped, EventType::Expired, json!({ "reason": "idle" })),
            Ending::Failed(failure) => {
                self.note_failure(failure);
                (
                    Status::Failed,
                    EventType::Failed,
                    json!({ "stage": failure.stage, "reason": failure.reason }),
                )
            }
        };
        self.record(event, data).await;
        if self.preview.parked_until.is_none() {
            let lasted = Utc::now() - self.preview.created_at;
            self.parts.metrics.session_ended(event, lasted.to_std().unwrap_or_default());
        }
        self.preview.stopped_at = Some(Utc::now());
        self.preview.status = status;
        self.preview.port = None;
        self.preview.paused_by = None;
        // Until the row says so the preview counts as live, so its driver does not let go.
        while let Err(error) = self.save().await {
            tracing::error!(%error, preview = %self.preview.id, "the end of a preview is not written yet");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(5)) => {}
                () = self.parts.shutdown.cancelled() => return,
            }
        }
        if let Err(error) = self.parts.store.forget_overlay(self.preview.id).await {
            tracing::warn!(%error, preview = %self.preview.id, "its changed files stay in the store with its row");
        }
        self.parts.logs.end(self.preview.id);
        self.parts.samples.forget(self.preview.id);
        self.parts.registry.remove(self.preview.id);
    }
}
