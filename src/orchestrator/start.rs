//! Taking up where an earlier run left off, and the loops that run for as long as the daemon.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::driver::Begin;
use super::metrics::ErrorType;
use super::reach::Dial;
use super::reconcile::Repair;
use super::{Orchestrator, Parts};
use crate::domain::{DatabaseType, Egress, Preview, PreviewId, Status};
use crate::engine::{EngineEvent, Kind};
use crate::store::StoreError;

impl Orchestrator {
    /// Gives every live preview of the store its driver again and starts the loops. Needs the
    /// store, not the engine: drivers wait for it.
    pub async fn start(&self) -> Result<(), StoreError> {
        self.parts.databases.load().await?;
        self.parts.load_doors().await?;
        for preview in self.parts.store.live_previews().await? {
            self.parts.take_up(preview).await?;
        }
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.watch_over().await });
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.hear_events().await });
        self.start_sampling();
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.watch_databases().await });
        let parts = Arc::clone(&self.parts);
        self.parts.tasks.spawn(async move { parts.watch_memory().await });
        self.parts.tasks.spawn(Arc::clone(&self.parts).keep_up());
        Ok(())
    }
}

impl Parts {
    async fn take_up(self: &Arc<Self>, mut preview: Preview) -> Result<(), StoreError> {
        let begin = match preview.status {
            Status::Stopping => Begin::Stop,
            // Killed between its row and that of its database: nobody was told of this launch.
            Status::Launching if self.is_half_written(&preview) => Begin::Stop,
            Status::Launching => Begin::Relaunch,
            _ => Begin::Adopt,
        };
        if begin != Begin::Stop && preview.parked_until.is_none() {
            match self.ingress.open(preview.id, preview.port).await {
                Ok(port) => {
                    preview.port = Some(port);
                    preview.base_url = self.base_url(&preview, port);
                }
                Err(error) => {
                    self.metrics.error(ErrorType::PortAllocation);
                    tracing::error!(%error, preview = %preview.id, "no port for a preview of an earlier run: stopping it");
                    preview.status = Status::Stopping;
                    self.drive(preview, Begin::Stop, None);
                    return Ok(());
                }
            }
            self.store.update_preview(&preview).await?;
        }
        self.drive(preview, begin, None);
        Ok(())
    }

    fn is_half_written(&self, preview: &Preview) -> bool {
        preview.database != DatabaseType::None && self.databases.known(preview.id).is_none()
    }

    /// Finds out about the engine when it comes, then compares and repairs until the end.
    async fn watch_over(self: &Arc<Self>) {
        if self.shutdown.run_until_cancelled(self.settle_in()).await.is_none() {
            return;
        }
        let mut failing = HashSet::new();
        while self
            .shutdown
            .run_until_cancelled(tokio::time::sleep(self.config.reconcile_every))
            .await
            .is_some()
        {
            // A round that has begun is finished.
            self.compare(&mut failing).await;
        }
    }

    /// `failing`: what could not be put right in the round before.
    async fn compare(self: &Arc<Self>, failing: &mut HashSet<Repair>) {
        if let Err(error) = self.take_up_ghosts().await {
            tracing::warn!(%error, "the store's live previews could not be compared");
        }
        if let Err(error) = self.reconcile(failing).await {
            tracing::warn!(%error, "the engine's inventory could not be compared");
        }
        self.egress.keep().await;
    }

    /// Launches wait until this is done, so that each reason for which it is not is told, once.
    async fn settle_in(&self) {
        let mut told = None;
        while let Err(reason) = self.take_up_networks().await {
            if told.as_ref() == Some(&reason) {
                tracing::debug!(reason, "what an earlier run left is still not taken up");
            } else {
                tracing::warn!(reason, "what an earlier run left is not taken up yet: launches wait for it");
            }
            self.networks.not_known(&reason);
            told = Some(reason);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if told.is_some() {
            tracing::info!("what an earlier run left is taken up now");
        }
    }

    /// An error is a text for the operator.
    async fn take_up_networks(&self) -> Result<(), String> {
        let dial = self.reach.find_out(&self.engine).await.map_err(|error| error.to_string())?;
        let homes = self.databases.homes().await.map_err(|error| error.to_string())?;
        // Nobody is given a network before this is done, so that what previews have now is all they have.
        let live = self.registry.previews().into_iter();
        let of_live: HashMap<String, Egress> =
            live.filter_map(|preview| Some((preview.network?, preview.egress))).collect();
        let in_use = of_live.keys().cloned().chain(homes).collect();
        self.egress.begin(of_live, dial == Dial::Published).await;
        self.networks.adopt(&in_use).await.map_err(|error| error.to_string())
    }

    /// Whose container it is: of one that waited for its start, the row says so.
    fn lives_in(&self, event: &EngineEvent) -> Option<PreviewId> {
        let id = &event.container_id;
        event.ownership.preview.or_else(|| {
            let entry = self.registry.find(|preview| preview.container_id.as_ref() == Some(id))?;
            let preview = entry.view.borrow().id;
            Some(preview)
        })
    }

    /// Exits are seen at once through the engine's events; should the stream die silently, the
    /// comparison sees them within its period.
    async fn hear_events(&self) {
        while !self.shutdown.is_cancelled() {
            let listen = async {
                let mut events = std::pin::pin!(self.engine.events());
                while let Some(Ok(event)) = events.next().await {
                    if matches!(event.ownership.kind, Kind::Server | Kind::Cache) {
                        self.server_changed.notify_one();
                    } else if let Some(preview) = self.lives_in(&event) {
                        self.tell_to_look(preview);
                    }
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            };
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = listen => {}
            }
        }
    }
}
