//! The three ways of new files into a running preview.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::patch::Change;
use super::{Interrupt, Life};
use crate::domain::{EventType, HealthStatus, ReloadWay, Stage, Status};
use crate::engine::{ContainerProcess, ContainerState, EngineError, Kind};
use crate::generation;
use crate::orchestrator::health;

/// Where an app's files lie in its container.
const APP: &str = "/app";
/// What an app may take to end when its code is replaced; requests have ended before.
const GRACE: Duration = Duration::from_secs(2);
/// What a development server may take until it answers with new files.
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
const PROBE: Duration = Duration::from_secs(2);

/// Why files did not come into a container.
enum Stuck {
    Engine(EngineError),
    Interrupt(Interrupt),
}

impl Life {
    /// The way that was chosen; by a new image, where files cannot be put into the container.
    pub(super) async fn reload(
        &mut self,
        change: &Change,
        was_in_place: bool,
        interrupt: &CancellationToken,
    ) -> Result<(ReloadWay, String), Interrupt> {
        let container = self.container_now().await;
        let (way, reason) = self.possible_way(change, was_in_place, container.as_ref());
        let stuck = match (way, container) {
            (ReloadWay::Hot, Some(state)) => self.hot(change, state.process, interrupt).await,
            (ReloadWay::Restart, Some(state)) => self.restart(change, &state, interrupt).await,
            _ => return self.rebuild(change, interrupt).await.map(|()| (ReloadWay::Rebuild, reason)),
        };
        match stuck {
            Ok(()) => {
                self.recipe = Some(change.recipe.clone());
                Ok((way, reason))
            }
            Err(Stuck::Interrupt(interrupt)) => Err(interrupt),
            Err(Stuck::Engine(error)) => {
                tracing::info!(%error, preview = %self.preview.id, "files go into a new image instead");
                let reason = format!("files could not be put into the container: {error}");
                self.rebuild(change, interrupt).await.map(|()| (ReloadWay::Rebuild, reason))
            }
        }
    }

    async fn container_now(&self) -> Option<ContainerState> {
        let id = self.preview.container_id.as_deref()?;
        self.parts.engine.inspect(id).await.ok().flatten()
    }

    /// What was chosen for a container that runs and has what was there before; else another.
    fn possible_way(
        &self,
        change: &Change,
        was_in_place: bool,
        container: Option<&ContainerState>,
    ) -> (ReloadWay, String) {
        let rebuild = |reason: &str| (ReloadWay::Rebuild, reason.to_owned());
        let runs = container.is_some_and(|state| state.running);
        match change.reload.way {
            ReloadWay::Rebuild => (ReloadWay::Rebuild, change.reload.reason.clone()),
            _ if container.is_none() => rebuild("its container is gone"),
            _ if !was_in_place => rebuild("the container may have older files than those before"),
            // Files can be put into a container that has ended, but not taken out.
            ReloadWay::Restart if !runs && change.reload.remove.is_empty() => {
                (ReloadWay::Restart, change.reload.reason.clone())
            }
            _ if !runs => rebuild("the app has ended"),
            way => (way, change.reload.reason.clone()),
        }
    }

    /// What serves the files sees them by itself.
    async fn hot(
        &mut self,
        change: &Change,
        process: Option<ContainerProcess>,
        interrupt: &CancellationToken,
    ) -> Result<(), Stuck> {
        let before = process.as_ref().map(ContainerProcess::descendants).unwrap_or_default();
        self.put_files(change, process.as_ref(), None).await?;
        self.in_place().await;
        if let Some(within) = change.reload.notices_within {
            self.settled(within, process.as_ref(), &before, interrupt).await?;
            self.serves_well().await;
        }
        Ok(())
    }

    /// The same container, its app started anew. Visitors wait meanwhile.
    async fn restart(
        &mut self,
        change: &Change,
        state: &ContainerState,
        interrupt: &CancellationToken,
    ) -> Result<(), Stuck> {
        // What its start needs is the same with these files.
        self.recipe.get_or_insert_with(|| Arc::clone(&change.recipe));
        let keeper = state.process.as_ref().and_then(keeper_of);
        // What waited for its start there waits again, unless it is told.
        let has_waited = state.ownership.as_ref().is_some_and(|ownership| ownership.kind == Kind::Warm);
        let order = (has_waited || keeper.is_some()).then(|| self.order()).flatten();
        let keeper = keeper.filter(|_| order.is_some());
        self.put_files(change, state.process.as_ref(), order).await?;
        self.parts.ingress.hold(self.preview.id).await;
        self.mended();
        self.preview.health = HealthStatus::Unknown;
        self.set_status(Status::Running).await;
        let started = match keeper {
            Some(keeper) if self.another(state, keeper).await => self.locate(state)?,
            failed => {
                if failed.is_some() && has_waited {
                    // Taken by a process that has not come to run it.
                    self.put_files(change, state.process.as_ref(), self.order()).await?;
                }
                if state.running {
                    self.parts.engine.stop(&state.id, GRACE).await?;
                    self.logs_settled().await;
                }
                self.start().await?
            }
        };
        self.in_place().await;
        self.await_answer(interrupt, &started).await?;
        self.serves_well().await;
        Ok(())
    }

    /// Has the process that runs the app end it and run it again, with everything loaded; false where
    /// it does not.
    async fn another(&mut self, state: &ContainerState, (process, keeper): Keeper<'_>) -> bool {
        let before = process.descendants();
        if process.signal_main(generation::AGAIN).is_err()
            && self.parts.engine.signal(&state.id, generation::AGAIN).await.is_err()
        {
            return false;
        }
        let begun = Instant::now();
        // Ended, or killed at the end of its grace; who started it stays, or is the app itself now.
        while process.descendants().iter().any(|pid| *pid != keeper && before.contains(pid)) {
            if begun.elapsed() >= GRACE + PROBE {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.preview.started_at = Some(Utc::now());
        true
    }

    /// What is there serves until the image is; then the preview moves onto it.
    async fn rebuild(&mut self, change: &Change, interrupt: &CancellationToken) -> Result<(), Interrupt> {
        self.build(interrupt, &change.generation, &change.recipe).await?;
        self.parts.ingress.hold(self.preview.id).await;
        // They have found it serving, and find it so again.
        self.visitors_wait = true;
        self.launching_again().await;
        self.bring_up(interrupt, EventType::Restarted).await
    }

    /// Takes away first: what was a file may have become a folder.
    async fn put_files(
        &mut self,
        change: &Change,
        process: Option<&ContainerProcess>,
        order: Option<Vec<u8>>,
    ) -> Result<(), Stuck> {
        let id = self.preview.container_id.clone().unwrap_or_default();
        let engine = &self.parts.engine;
        engine.remove_files(&id, APP, &change.reload.remove).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Caches of compiled code go by seconds and size.
        self.files.modified = now.max(self.files.modified + 1);
        let archive = change.reload.archive(self.files.modified, order);
        let archive =
            archive.map_err(|error| Stuck::Interrupt(self.fail(Stage::Prepare, error.to_string())))?;
        engine.put((&id, process), Bytes::from(archive), APP).await?;
        Ok(())
    }

    /// Waits until a development server answers with the new files: it has started another process
    /// of its own, or had time enough to do so.
    async fn settled(
        &self,
        within: Duration,
        process: Option<&ContainerProcess>,
        before: &BTreeSet<u32>,
        interrupt: &CancellationToken,
    ) -> Result<(), Stuck> {
        let begun = Instant::now();
        loop {
            if interrupt.is_cancelled() {
                return Err(Stuck::Interrupt(Interrupt::Asked));
            }
            let now = process.map(ContainerProcess::descendants).unwrap_or_default();
            let noticed = begun.elapsed() >= within || now.iter().any(|pid| !before.contains(pid));
            let well = match self.address {
                Some(address) => {
                    health::is_well(self.ask(address, PROBE).await, self.preview.health_path_given)
                }
                None => false,
            };
            if noticed && well {
                return Ok(());
            }
            if begun.elapsed() >= SETTLED_WITHIN {
                let reason = format!(
                    "it has not answered for {} s since its files changed",
                    begun.elapsed().as_secs()
                );
                return Err(Stuck::Interrupt(self.fail(Stage::Startup, reason)));
            }
            tokio::select! {
                () = interrupt.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
    }
}

/// A container's first process, and the one in it that runs the app in a child.
type Keeper<'s> = (&'s ContainerProcess, u32);

fn keeper_of(process: &ContainerProcess) -> Option<Keeper<'_>> {
    let keeper = process.main().filter(|_| process.main_is_called(generation::WAITING))?;
    Some((process, keeper))
}

impl From<EngineError> for Stuck {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<Interrupt> for Stuck {
    fn from(interrupt: Interrupt) -> Self {
        Self::Interrupt(interrupt)
    }
}
