//! A start in a container that waited for it, with what the app loads loaded already.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::frost::TELL_AFTER;
use super::ready::Started;
use super::{Interrupt, Life};
use crate::domain::{ContainerStatus, EventType, Failure, LogLevel, LogSource};
use crate::engine::{ContainerProcess, ContainerSpec};
use crate::generation;
use crate::orchestrator::images::Recipe;
use crate::orchestrator::retry::retry;
use crate::orchestrator::warm::{Mould, Warmed};
use crate::streams::ContainerReader;

/// A container that this preview has taken.
pub(in crate::orchestrator) struct Taken {
    warmed: Warmed,
    mould: Mould,
}

impl Taken {
    pub(super) fn process(&self) -> Option<&ContainerProcess> {
        self.warmed.state.process.as_ref()
    }
}

impl Life {
    /// Moves into a container that waits for a start like this one, where there is one.
    pub(super) async fn move_in(&mut self) -> Result<(), Interrupt> {
        if !self.is_in_environment() || !self.is_homeless() {
            return Ok(());
        }
        if !self.is_fresh {
            self.remove_containers().await.map_err(|error| self.refused("clearing the way", &error))?;
            self.is_fresh = true;
        }
        let Some(mould) = self.mould() else { return Ok(()) };
        let Some(warmed) = self.parts.warm.take(&mould) else { return Ok(()) };
        let name = warmed.state.name.clone();
        self.preview.network = Some(warmed.network.clone());
        self.preview.container_id = Some(warmed.state.id.clone());
        self.preview.container_status = Some(ContainerStatus::Paused);
        self.warm = Some(Taken { warmed, mould });
        let intended = self.intend().await;
        // Whatever comes, it is this preview's from here on.
        self.parts.warm.forget(&name);
        intended
    }

    /// One that has a network has others in it, or has been in it.
    fn is_homeless(&self) -> bool {
        self.preview.network.is_none()
    }

    /// Whether a container waits for a start like this one.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_homeless() && self.mould().is_some_and(|mould| self.parts.warm.has(&mould))
    }

    /// What a container that waits for such a start is like; nothing where none can.
    fn mould(&self) -> Option<Mould> {
        let recipe = self.replaceable_start()?;
        let command = generation::warm(&recipe.plan)?;
        let environment = recipe.environment.clone()?;
        let spec = ContainerSpec { image: environment, ..self.container_spec() };
        let given = spec.environment.iter().filter(|(name, _)| generation::reads_early(&recipe.plan, name));
        let given = given.map(|(name, value)| (name.clone(), value.clone()));
        let environment = generation::start(&recipe.plan).variables.into_iter().chain(given).collect();
        // What it keeps its data in is its own.
        spec.volumes.is_empty().then(|| Mould::new(&spec, command, environment))
    }

    /// Has one wait for the next start, of this preview's owner and over the same dependencies.
    pub(super) fn keep_warm(&self) {
        let Some(mould) = self.mould() else { return };
        self.parts.keep_warm(mould, self.preview.egress.clone(), self.preview.user_id.clone());
    }

    /// What a process that waited, or runs the app in a child, is told to run.
    pub(super) fn order(&self) -> Option<Vec<u8>> {
        let start = generation::start(&self.recipe.as_ref()?.plan);
        let environment = self.container_spec().given_environment();
        generation::order(&start.working_dir, &start.arguments?, &environment)
    }

    /// A container whose app is a child of the process that can run it again, where it may be one.
    pub(super) fn kept(&self, spec: ContainerSpec) -> ContainerSpec {
        let recipe = self.replaceable_start().filter(|_| self.parts.config.warm.max > 0);
        match recipe.and_then(|recipe| generation::keeper(&recipe.plan)) {
            Some(command) => ContainerSpec { command: Some(command), arguments: None, ..spec },
            None => spec,
        }
    }

    /// What it is made of, where a process of ours may stand in for the start: no program of the
    /// image itself is to have the first word.
    fn replaceable_start(&self) -> Option<&Recipe> {
        self.recipe.as_deref().filter(|recipe| !recipe.has_entry_point)
    }

    /// Lets it go on, which is the app's start.
    pub(super) async fn release(&mut self, taken: Taken) -> Result<Started, Interrupt> {
        let Taken { warmed, mould } = taken;
        let Warmed { state, output, .. } = warmed;
        let output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (engine, logs) = (self.parts.engine.clone(), self.parts.logs.clone());
        self.read_log(ContainerReader::with(engine, logs, self.preview.id, state.id.clone(), output));
        let freezer = state.process.as_ref().and_then(|process| process.freezer());
        if freezer.is_none_or(|freezer| freezer.thaw().is_err()) {
            retry(|| self.parts.engine.unpause(&state.id))
                .await
                .map_err(|error| self.refused("waking the container", &error))?;
        }
        self.preview.started_at = Some(Utc::now());
        self.preview.container_status = Some(ContainerStatus::Running);
        self.show();
        let started = self.locate(&state)?;
        self.tell_engine_at = self.tell_engine_at.map(|_| tokio::time::Instant::now() + TELL_AFTER);
        self.warmed_by = Some(mould);
        Ok(started)
    }

    /// It did not come to serve in a container that waited for it: whether that is the app's own
    /// fault is known once it was started anew. `None` where there is nothing to try.
    pub(super) async fn anew(
        &mut self,
        failure: &Failure,
        begun: Instant,
        interrupt: &CancellationToken,
        event: EventType,
    ) -> Option<Result<(), Interrupt>> {
        let mould = self.warmed_by.take()?;
        if begun.elapsed() >= Duration::from_secs(u64::from(self.preview.startup_timeout_s)) {
            return None;
        }
        let said = format!("it did not start in a warm container ({}): it is started anew", failure.reason);
        self.say(LogLevel::Warning, LogSource::System, &said);
        self.parts.warm.give_up(mould);
        Some(self.bring_up(interrupt, event).await)
    }
}
