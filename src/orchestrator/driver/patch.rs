//! Changed files for a live preview: checked, written down, brought into its container, and what
//! becomes of a preview that does not run with them.
//!
//! ```text
//!   serving ── files ──► written down ──► hot, restart or rebuild ──► serving
//!                                              │
//!                          cannot be built ────┼──► degraded: what was there serves on
//!                          does not answer ────┴──► unhealthy: nobody starts it again
//!                                                   but a patch or a restart
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Driver, Interrupt, Life, Phase, Way};
use crate::domain::{
    EventType, Failure, Generation, HealthChange, HealthStatus, Invalid, LogLevel, LogSource, Patch,
    ReloadWay, Status,
};
use crate::generation::{self, Reload};
use crate::ingress::Upstream;
use crate::orchestrator::health;
use crate::orchestrator::images::{ImageError, Recipe};
use crate::orchestrator::queue::{self, Ask, Denial, Verdict};
use crate::store::{Overlay, OverlayHead, StoreError};

/// Files for a preview, and who wants to hear what became of them.
pub(in crate::orchestrator) struct Patching {
    pub patch: Patch,
    /// Of all files together, with the patch on top.
    pub max_bytes: u64,
    pub reply: oneshot::Sender<Result<Patched, PatchError>>,
}

/// A preview that runs with its new files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patched {
    /// How many files differ from what it had before.
    pub applied: usize,
    pub way: ReloadWay,
    /// Why this way.
    pub reason: String,
    pub elapsed: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    #[error(transparent)]
    Denied(#[from] Denial),
    /// Nothing was changed.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nothing was changed: no app can be made out in the files.
    #[error(transparent)]
    Plan(ImageError),
    /// The files are the preview's from now on, and it does not run with them.
    #[error("the preview does not run with these files: {}", .0.reason)]
    Failed(Failure),
    #[error("{0}")]
    Busy(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a driver knows of the files of its preview.
#[derive(Debug, Default)]
pub(in crate::orchestrator) struct Files {
    /// What is on top of the generation.
    pub(super) overlay: Option<OverlayHead>,
    pub(super) broken: Option<Broken>,
    /// Of the files put in place last, in seconds since 1970.
    pub(super) modified: u64,
}

/// Why a preview does not run with the files it was given last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::orchestrator) enum Broken {
    /// They could not be built. What was there before serves on.
    Unbuilt,
    /// Its app ended or does not answer.
    Down,
}

/// One step from old files to new ones.
pub(super) struct Change {
    pub generation: Arc<Generation>,
    pub recipe: Arc<Recipe>,
    pub reload: Reload,
    applied: usize,
    overlay: Overlay,
}

impl Driver {
    /// The way to the new files, where they are legal now.
    pub(super) fn begin_patch(&self, patching: Box<Patching>) -> Option<Phase> {
        match queue::decide(self.life.preview.status, Ask::Patch, 0) {
            Verdict::Deny(denial) => {
                // A caller that went away needs no answer.
                let _ = patching.reply.send(Err(denial.into()));
                None
            }
            Verdict::Accept | Verdict::Redundant => Some(Phase::Lead(Way::Patch(patching))),
        }
    }
}

impl Life {
    /// What an earlier run of the daemon has written of the files. The store is waited for: code
    /// that was replaced is not to run again.
    pub(super) async fn load_overlay(&mut self) {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.parts.store.overlay_head(self.preview.id).await {
                Ok(head) => {
                    // Pages that were open listen still.
                    self.parts.ingress.set_live(self.preview.id, head.is_some());
                    self.files.overlay = head;
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, preview = %self.preview.id, "its files are not known yet")
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.parts.shutdown.cancelled() => return,
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Brings the files in and answers. An error is that somebody asked to stop.
    pub(super) async fn patch(
        &mut self,
        patching: Patching,
        interrupt: &CancellationToken,
    ) -> Result<(), Interrupt> {
        let Patching { patch, max_bytes, reply } = patching;
        let begun = Instant::now();
        let (answer, on) = match self.change(patch, max_bytes).await {
            Err(error) => (Err(error), Ok(())),
            Ok(change) if change.applied == 0 && self.files.broken.is_none() => {
                let reason = "nothing differs from what is there".to_owned();
                (Ok(Patched { applied: 0, way: ReloadWay::Hot, reason, elapsed: begun.elapsed() }), Ok(()))
            }
            Ok(change) => match self.bring_in(&change, interrupt).await {
                Ok((way, reason)) => {
                    let patched = Patched { applied: change.applied, way, reason, elapsed: begun.elapsed() };
                    self.reloaded(&patched).await;
                    (Ok(patched), Ok(()))
                }
                Err(Interrupt::Asked) => (Err(Denial::Stopping.into()), Err(Interrupt::Asked)),
                Err(Interrupt::Trouble(failure)) => (Err(PatchError::Failed(failure)), Ok(())),
            },
        };
        // A caller that went away needs no answer.
        let _ = reply.send(answer);
        on
    }

    /// Wakes the preview and works out what is to be done; nothing is changed yet.
    async fn change(&mut self, patch: Patch, max_bytes: u64) -> Result<Change, PatchError> {
        self.wake_for_files().await?;
        let gone = || PatchError::Busy("its generation was deleted".to_owned());
        let base = self.parts.store.generation(&self.preview.generation_id).await?.ok_or_else(gone)?;
        let earlier = self.parts.store.overlay(self.preview.id).await?;
        let whole = earlier.map(|overlay| overlay.patch).unwrap_or_default();
        let old_files = whole.applied_to(&base.files, u64::MAX)?;
        let applied = patch.clone().on(&old_files).len();
        let whole = whole.then(patch).on(&base.files);
        let new_files = whole.applied_to(&base.files, max_bytes)?;
        let of = |files| Generation::new(base.id.clone(), base.owner.clone(), base.metadata.clone(), files);
        let (old, new) = (Arc::new(of(old_files)), Arc::new(of(new_files)));
        let old_recipe = self.parts.images.recipe(&old).await.map_err(PatchError::Plan)?;
        let recipe = self.parts.images.recipe(&new).await.map_err(PatchError::Plan)?;
        let reload = generation::reload((&old_recipe.plan, &old.files), (&recipe.plan, &new.files));
        let head = OverlayHead { content_hash: new.content_hash.clone(), in_place: false };
        let overlay = Overlay { patch: whole, head };
        Ok(Change { generation: new, recipe, reload, applied, overlay })
    }

    /// The engine is to do something in the container, so it has to know that it runs. One that is
    /// on disk comes back with its new files.
    async fn wake_for_files(&mut self) -> Result<(), PatchError> {
        if self.is_on_disk() {
            let memory = self.parts.memory_for(&self.preview.limits).await;
            return memory.map_err(|_| {
                PatchError::Busy("the host lacks the memory to start the preview again".to_owned())
            });
        }
        if self.preview.status == Status::Paused {
            self.unpause().await.map_err(|error| PatchError::Busy(error.to_string()))?;
            self.resumed("patch").await;
        }
        self.tell_engine_now().await;
        Ok(())
    }

    /// Written down first: from here on it is what the preview runs, however often it is started.
    async fn bring_in(
        &mut self,
        change: &Change,
        interrupt: &CancellationToken,
    ) -> Result<(ReloadWay, String), Interrupt> {
        if let Err(error) = self.parts.store.put_overlay(self.preview.id, &change.overlay).await {
            return Err(self.fail(crate::domain::Stage::Prepare, error.to_string()));
        }
        // An image of the files as they were is compared with a container that has them still.
        self.leave_image().await;
        let was_in_place = self.files.overlay.as_ref().is_none_or(|head| head.in_place);
        self.files.overlay = Some(change.overlay.head.clone());
        self.parts.make_pages_live(&self.preview, &change.recipe.plan);
        let plan = &change.recipe.plan;
        (self.preview.health_path, self.preview.health_path_given) =
            (plan.health_path.clone(), plan.health_path_given);
        self.preview.container_port = plan.port;
        let outcome = self.reload(change, was_in_place, interrupt).await;
        if let Err(Interrupt::Trouble(failure)) = &outcome {
            self.broke(failure.clone()).await;
        }
        outcome
    }

    /// The container has the files.
    pub(super) async fn in_place(&mut self) {
        let Some(head) = self.files.overlay.as_mut() else { return };
        head.in_place = true;
        if let Err(error) = self.parts.store.overlay_in_place(self.preview.id).await {
            // A daemon that starts next brings the preview up anew, which does no harm.
            tracing::warn!(%error, preview = %self.preview.id, "it is not written that files are in place");
        }
    }

    async fn reloaded(&mut self, patched: &Patched) {
        let elapsed_ms = u64::try_from(patched.elapsed.as_millis()).unwrap_or(u64::MAX);
        let data = json!({
            "way": patched.way, "reason": patched.reason, "files": patched.applied, "elapsedMs": elapsed_ms,
        });
        self.parts.ingress.refresh_pages(self.preview.id);
        self.record(EventType::Reloaded, data).await;
        self.used = tokio::time::Instant::now();
    }

    /// The preview does not run with its files: it stays, and is not started again by itself, so
    /// that the next files can mend it.
    async fn broke(&mut self, failure: Failure) {
        let id = self.preview.container_id.clone().unwrap_or_default();
        let unbuilt = failure.stage == crate::domain::Stage::Build;
        let state = self.parts.engine.inspect(&id).await.ok().flatten().filter(|state| state.running);
        let running = state.and_then(|state| self.locate(&state).ok());
        let (broken, health) = match (&running, unbuilt) {
            (Some(_), true) => (Broken::Unbuilt, HealthStatus::Degraded),
            _ => (Broken::Down, HealthStatus::Unhealthy),
        };
        match running {
            Some(started) => self.serve_at(started.address()),
            None => {
                self.address = None;
                let reason = format!("it does not run with its new files: {}", failure.reason);
                self.parts.ingress.set_upstream(self.preview.id, Upstream::Down { reason });
            }
        }
        self.files.broken = Some(broken);
        self.visitors_wait = false;
        self.preview.health = health;
        self.preview.failure = Some(failure.clone());
        self.say(LogLevel::Error, LogSource::Error, &format!("the new files do not run: {}", failure.reason));
        self.set_status(health::status_of(health)).await;
        let change = HealthChange::new("http", health, &failure.reason);
        self.parts.tell_health(&self.preview, vec![change]);
        let event = if health == HealthStatus::Degraded { EventType::Degraded } else { EventType::Unhealthy };
        self.record(event, json!({ "stage": failure.stage, "check": failure.reason })).await;
    }

    /// An app that did not run with its files does now, or is about to be started anew.
    pub(super) fn mended(&mut self) {
        self.files.broken = None;
        self.preview.failure = None;
    }

    /// Its app is down because of the files it was given: to start it again would change nothing.
    pub(super) fn waits_for_files(&self) -> bool {
        self.files.broken == Some(Broken::Down)
    }
}
