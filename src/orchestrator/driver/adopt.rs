//! Taking up a preview that an earlier run of the daemon left serving.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::exit::exit_words;
use super::patch::Broken;
use super::{Interrupt, Life};
use crate::domain::{EventType, PausedBy, Stage, Status};
use crate::engine::ContainerState;

impl Life {
    /// Finds the container, however long the engine takes to come, and serves it again.
    pub(super) async fn adopt(&mut self, interrupt: &CancellationToken) -> Result<(), Interrupt> {
        if self.is_on_disk() {
            self.adopt_on_disk().await;
            return Ok(());
        }
        let state = match interrupt.run_until_cancelled(self.find_container()).await {
            None => return Err(Interrupt::Asked),
            Some(Some(state)) => state,
            Some(None) => return Err(self.fail(Stage::Run, "its container is gone; somebody removed it")),
        };
        self.saw_container(Some(&state));
        if self.files.overlay.as_ref().is_some_and(|head| !head.in_place) {
            return self.adopt_half_patched(&state, interrupt).await;
        }
        self.follow_log();
        if !state.running && self.preview.failure.is_some() {
            self.files.broken = Some(Broken::Down);
            return Ok(());
        }
        if !state.running {
            self.logs_settled().await;
            return Err(self.fail(Stage::Run, exit_words(&state)));
        }
        let started = self.locate(&state)?;
        if self.preview.parked_until.is_some() {
            // A launch that comes meanwhile finds it as it was, and waits until it is looked at.
            self.address = Some(started.address());
        } else if self.is_frozen(&state) {
            self.address = Some(started.address());
            // Of one that its row says serves nobody has said that it shall not: the daemon ended as it
            // fell asleep, or while the engine was told that it is awake.
            if self.preview.status.is_serving() {
                self.preview.paused_by = Some(PausedBy::Idleness);
            }
            self.show_paused();
            self.preview.status = Status::Paused;
        } else {
            self.serve_at(started.address());
            self.preview.paused_by = None;
            if self.preview.status == Status::Paused {
                self.preview.status = Status::Running;
            }
        }
        self.keep().await;
        self.record(EventType::Adopted, json!({ "port": self.preview.port })).await;
        self.take_up_image().await;
        Ok(())
    }

    /// The daemon ended while files were brought in: the preview is brought up with them; unless they
    /// are known not to run, which the next ones may.
    async fn adopt_half_patched(
        &mut self,
        state: &ContainerState,
        interrupt: &CancellationToken,
    ) -> Result<(), Interrupt> {
        if self.preview.failure.is_none() {
            self.launching_again().await;
            return self.bring_up(interrupt, EventType::Restarted).await;
        }
        self.follow_log();
        self.files.broken = Some(if state.running { Broken::Unbuilt } else { Broken::Down });
        if state.running {
            let address = self.locate(state)?.address();
            self.serve_at(address);
        }
        self.record(EventType::Adopted, json!({ "port": self.preview.port })).await;
        Ok(())
    }

    async fn find_container(&self) -> Option<ContainerState> {
        let id = self.preview.container_id.as_deref()?;
        let mut pause = Duration::from_millis(200);
        loop {
            // How it is dialled must be known before its address means anything.
            let looked = match self.parts.reach.find_out(&self.parts.engine).await {
                Ok(_) => self.parts.engine.inspect(id).await,
                Err(error) => Err(error),
            };
            match looked {
                Ok(found) => return found,
                Err(error) => {
                    tracing::debug!(%error, preview = %self.preview.id, "cannot look at the container yet")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}
