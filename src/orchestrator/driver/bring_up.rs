//! From a row in the store to an app that answers.
//!
//! Each step writes what it is about to make, makes it, and writes what came of it, so that a
//! daemon that dies between any two of them leaves only work for the next start. Long waits
//! (build, first answer) end at once when somebody asks to stop; engine calls are finished.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::origin::{Origin, put_source};
use super::warm::Taken;
use super::{Interrupt, Life};
use crate::domain::{
    BuildEvent, ContainerStatus, DatabaseType, EventType, Failure, Generation, HealthChange, HealthStatus,
    LogLevel, LogSource, Stage,
};
use crate::engine::{ContainerSpec, EngineError, Kind, Ownership};
use crate::ingress::Upstream;
use crate::orchestrator::images::{BuiltImage, ImageError, Recipe};
use crate::orchestrator::retry::{patiently, retry};
use crate::orchestrator::starts::Turn;
use crate::orchestrator::{Check, Dial};

impl Life {
    /// Apart from the driver's own future, of which every preview has one for all its life.
    pub(super) async fn bring_up(
        &mut self,
        interrupt: &CancellationToken,
        event: EventType,
    ) -> Result<(), Interrupt> {
        Box::pin(self.come_up(interrupt, event)).await
    }

    async fn come_up(&mut self, interrupt: &CancellationToken, event: EventType) -> Result<(), Interrupt> {
        let begun = Instant::now();
        if !self.is_fresh && interrupt.run_until_cancelled(self.engine_there()).await.is_none() {
            return Err(Interrupt::Asked);
        }
        self.leave_image().await;
        let origin = self.origin(interrupt).await?;
        go_on(interrupt)?;
        self.waiting("being started");
        self.preview.image = Some(origin.image.clone());
        let is_built = origin.is_built;
        self.origin = Some(origin);
        // Whoever waits for what an earlier run left keeps nobody's turn meanwhile.
        match interrupt.run_until_cancelled(self.parts.networks.known_in_time()).await {
            None => return Err(Interrupt::Asked),
            Some(known) => known.map_err(|error| self.fail(Stage::Prepare, error.to_string()))?,
        }
        self.move_in().await?;
        let turn = self.turn(interrupt).await?;
        self.network().await?;
        go_on(interrupt)?;
        // A database takes its time, in which others can start.
        let turn = turn.filter(|_| self.preview.database == DatabaseType::None);
        self.make(interrupt).await?;
        go_on(interrupt)?;
        let turn = match turn {
            Some(turn) => Some(turn),
            None => self.turn(interrupt).await?,
        };
        let created = Instant::now();
        let started = self.start().await?;
        self.record(event, self.place()).await;
        if let Err(interrupted) = Turn::until(turn, self.await_answer(interrupt, &started)).await {
            let Interrupt::Trouble(failure) = &interrupted else { return Err(interrupted) };
            return self.anew(failure, created, interrupt, event).await.unwrap_or(Err(interrupted));
        }
        self.warmed_by = None;
        self.parts.metrics.started(created.elapsed());
        if self.preview.parked_until.is_none() {
            self.parts.metrics.launched(begun.elapsed());
        }
        self.in_place().await;
        self.serves_well().await;
        self.record(EventType::Healthy, json!({})).await;
        if !is_built {
            self.make_image_behind();
        }
        self.keep_warm();
        Ok(())
    }

    /// The first look at a container, or at a new one: it answers, so it runs and listens.
    pub(super) fn first_checks(&self) {
        const SAID: &str = "the app answers";
        for check in [Check::Http, Check::Port, Check::Container] {
            self.parts.checked(&self.preview, check, HealthStatus::Healthy, SAID);
        }
        let change = HealthChange::new(Check::Http.as_str(), HealthStatus::Healthy, SAID);
        self.parts.tell_health(&self.preview, vec![change]);
    }

    pub(super) fn waiting(&self, what: &str) {
        let upstream = match self.visitors_wait {
            true => Upstream::Returning,
            false => Upstream::Waiting { what: what.to_owned() },
        };
        self.parts.ingress.set_upstream(self.preview.id, upstream);
    }

    /// A launch that goes on after a restart of the daemon waits for the engine: both may be
    /// starting.
    async fn engine_there(&self) {
        let mut pause = Duration::from_millis(200);
        while self.parts.reach.find_out(&self.parts.engine).await.is_err()
            || self.parts.engine.info().await.is_err()
        {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// The image; where that is not there, or nothing waits in its environment, that and the source;
    /// where that is not there either, the image once it is built.
    async fn origin(&mut self, interrupt: &CancellationToken) -> Result<Origin, Interrupt> {
        let (recipe, generation) = self.recipe().await?;
        self.recipe = Some(Arc::clone(&recipe));
        self.guard_log();
        let (ready, environment) = tokio::join!(
            patiently(|| self.parts.images.ready(&recipe)),
            patiently(|| self.parts.images.environment(&recipe)),
        );
        let ready = ready.map_err(|error| self.build_failed(error))?;
        let environment = environment.map_err(|error| self.build_failed(error))?;
        let is_built = ready.is_some();
        let is_awaited = environment.is_some() && self.is_awaited();
        if let Some(image) = ready.filter(|_| !is_awaited) {
            return Ok(Origin::whole(image));
        }
        let generation = match generation {
            Some(generation) => generation,
            None => self.generation().await?,
        };
        if let Some(environment) = environment {
            let why = if is_awaited { "a warm container waits" } else { "its image is not built yet" };
            let said = format!("{why}: starting from {environment}, its source put in");
            self.say(LogLevel::Info, LogSource::Build, &said);
            return Ok(Origin::environment(environment, generation, &recipe, is_built));
        }
        self.built(interrupt, &generation, &recipe).await
    }

    async fn built(
        &mut self,
        interrupt: &CancellationToken,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
    ) -> Result<Origin, Interrupt> {
        self.waiting("being built");
        Ok(Origin::whole(self.build(interrupt, generation, recipe).await?))
    }

    /// Builds the image, unless it is there by now.
    pub(super) async fn build(
        &mut self,
        interrupt: &CancellationToken,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
    ) -> Result<BuiltImage, Interrupt> {
        self.record(EventType::Building, json!({ "image": recipe.tag })).await;
        let (logs, id) = (self.parts.logs.clone(), self.preview.id);
        let report = |event: &BuildEvent| {
            if let Some((level, line)) = as_line(event) {
                logs.append(id, Utc::now(), level, LogSource::Build, &line);
            }
        };
        let begun = Instant::now();
        let build = self.parts.images.ensure(generation, recipe, report);
        match interrupt.run_until_cancelled(build).await {
            None => Err(Interrupt::Asked),
            Some(Ok(image)) => {
                self.parts.metrics.built(begun.elapsed());
                Ok(image)
            }
            Some(Err(error)) => Err(self.build_failed(error)),
        }
    }

    /// What to build. The files are read only when this content was not planned before.
    pub(super) async fn recipe(&self) -> Result<(Arc<Recipe>, Option<Arc<Generation>>), Interrupt> {
        if self.is_fresh
            && let Some(recipe) = &self.recipe
        {
            return Ok((Arc::clone(recipe), None));
        }
        let hash = match &self.files.overlay {
            Some(head) => Some(head.content_hash.clone()),
            None => {
                let head = self.parts.store.generation_head(&self.preview.generation_id).await;
                head.ok().flatten().map(|head| head.content_hash)
            }
        };
        if let Some(hash) = hash
            && let Ok(Some(recipe)) =
                patiently(|| self.parts.images.known(&self.preview.user_id, &hash)).await
        {
            return Ok((recipe, None));
        }
        let generation = self.generation().await?;
        match patiently(|| self.parts.images.recipe(&generation)).await {
            Ok(recipe) => Ok((recipe, Some(generation))),
            Err(error) => Err(self.build_failed(error)),
        }
    }

    /// With the files that were changed since on top.
    pub(super) async fn generation(&self) -> Result<Arc<Generation>, Interrupt> {
        match self.parts.source(&self.preview).await {
            Ok(Some(generation)) => Ok(Arc::new(generation)),
            Ok(None) => Err(self.fail(Stage::Plan, "its generation was deleted")),
            Err(error) => Err(self.fail(Stage::Plan, format!("its generation cannot be read: {error}"))),
        }
    }

    fn build_failed(&self, error: ImageError) -> Interrupt {
        let stage = if matches!(error, ImageError::Plan(_)) { Stage::Plan } else { Stage::Build };
        let reason = error.to_string();
        let tail = match error {
            ImageError::Build { tail, .. } => tail,
            _ => self.log_tail(),
        };
        Interrupt::Trouble(Failure::new(stage, reason, tail))
    }

    /// Its turn to be started, among everyone's; none where its container runs already.
    async fn turn(&self, interrupt: &CancellationToken) -> Result<Option<Turn>, Interrupt> {
        if self.warm.is_some() {
            return Ok(None);
        }
        let turn = self.parts.starts.turn(&self.preview.user_id, self.preview.parked_until.is_some());
        interrupt.run_until_cancelled(turn).await.map(Some).ok_or(Interrupt::Asked)
    }

    async fn network(&mut self) -> Result<(), Interrupt> {
        if let Some(name) = self.preview.network.clone() {
            match self.is_fresh || retry(|| self.parts.networks.is_there(&name)).await.unwrap_or(true) {
                true => return self.confine().await,
                false => self.parts.networks.forget(&name).await,
            }
        }
        match self.parts.networks.lease().await {
            Ok(name) => self.preview.network = Some(name),
            Err(error) => return Err(self.fail(Stage::Prepare, error.to_string())),
        }
        self.confine().await?;
        // A daemon that dies before this is written leaves a network that no row names: the
        // next start makes it a spare.
        self.intend().await
    }

    /// Before anything of it runs: its network reaches no more than it may.
    async fn confine(&self) -> Result<(), Interrupt> {
        let network = self.preview.network.as_deref().unwrap_or_default();
        let confined = self.parts.egress.assign(network, &self.preview.egress).await;
        confined.map_err(|error| self.fail(Stage::Prepare, error.to_string()))
    }

    /// The container, not started yet, and the database it will find. Neither waits for the
    /// other: how they meet is settled before both.
    async fn make(&mut self, interrupt: &CancellationToken) -> Result<(), Interrupt> {
        if !std::mem::take(&mut self.is_fresh) {
            // Whatever an earlier try, or the time before a restart or a reset, has left.
            self.remove_containers().await.map_err(|error| self.refused("clearing the way", &error))?;
        }
        let database = self.promise_database().await?;
        if database.is_some() {
            self.waiting("being given its database");
        }
        let (container, given) =
            tokio::join!(self.container(), self.provide_database(interrupt, database.as_ref()));
        self.preview.container_id = Some(container?);
        self.preview.container_status = Some(ContainerStatus::Created);
        self.intend().await?;
        let given = given?;
        let filled = match database {
            Some(database) => self.fill_database(interrupt, database, given).await,
            None => Ok(()),
        };
        // The source is held no longer than it is sent.
        self.origin = None;
        filled
    }

    async fn container(&self) -> Result<String, Interrupt> {
        let id = match &self.preview.container_id {
            Some(id) if self.warm.is_some() => id.clone(),
            _ => {
                let spec = self.kept(self.container_spec());
                let created = retry(|| self.parts.engine.create_container(&spec)).await;
                created.map_err(|error| self.refused("creating the container", &error))?
            }
        };
        let prepared = self.parts.databases.prepare_container(self.preview.id, &id).await;
        prepared.map_err(|error| self.refused("preparing the container", &error))?;
        let order = self.warm.is_some().then(|| self.order()).flatten();
        let process = self.warm.as_ref().and_then(Taken::process);
        put_source(&self.parts.engine, self.origin.as_ref(), order, (&id, process))
            .await
            .map_err(|error| self.refused("putting the source in", &error))?;
        Ok(id)
    }

    /// What the app, and every job that is done for it, finds in its environment.
    fn environment(&self) -> BTreeMap<String, String> {
        // What the image would set, where its environment stands for it.
        let mut environment = self.image_start().map(|start| start.variables).unwrap_or_default();
        environment.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        environment.insert("LOG_LEVEL".to_owned(), self.preview.log_level.as_str().to_owned());
        if let Some(recipe) = &self.recipe {
            environment.extend(recipe.plan.dotenv.clone());
        }
        // A `.env` of generated code names the database of whoever wrote it; a caller's own
        // address is meant.
        environment.extend(self.database_environment());
        environment.extend(self.cache_environment());
        let given = self.preview.environment.clone();
        environment.extend(match &self.recipe {
            Some(recipe) => recipe.plan.beside(given),
            None => given,
        });
        // The port the plan chose is the one we dial, whatever the environment says.
        environment.insert("PORT".to_owned(), self.preview.container_port.to_string());
        environment
    }

    pub(super) fn container_spec(&self) -> ContainerSpec {
        let (preview, start) = (&self.preview, self.image_start());
        let folders = self.recipe.as_ref().map(|recipe| recipe.plan.writable()).unwrap_or_default();
        ContainerSpec {
            name: format!("previewd-{}-{}", self.parts.instance, preview.id),
            image: preview.image.clone().unwrap_or_default(),
            environment: self.environment(),
            network: preview.network.clone().unwrap_or_default(),
            names: Vec::new(),
            limits: preview.limits,
            ownership: Ownership {
                preview: Some(preview.id),
                generation: Some(preview.generation_id.clone()),
                owner: Some(preview.user_id.clone()),
                ..Ownership::of(self.parts.instance.clone(), Kind::Preview)
            },
            publish: (self.parts.reach.dial() == Dial::Published).then_some(preview.container_port),
            runtime: self.parts.config.runtime.clone(),
            command: None,
            arguments: start.as_ref().and_then(|start| start.arguments.clone()),
            working_dir: start.map(|start| start.working_dir),
            writable: self.writable(folders),
            scratch: Vec::new(),
            volumes: self.parts.databases.volumes(preview.id),
        }
    }

    pub(super) fn refused(&self, doing: &str, error: &EngineError) -> Interrupt {
        self.fail(Stage::Prepare, format!("{doing}: {error}"))
    }
}

/// A safe point: nothing is half made here.
fn go_on(interrupt: &CancellationToken) -> Result<(), Interrupt> {
    if interrupt.is_cancelled() { Err(Interrupt::Asked) } else { Ok(()) }
}

/// A build event as a line of the preview's log.
fn as_line(event: &BuildEvent) -> Option<(LogLevel, String)> {
    let line = match event {
        BuildEvent::Queued { ahead: 0 } | BuildEvent::Done { .. } | BuildEvent::Cancelled => return None,
        BuildEvent::Queued { ahead } => format!("waiting for {ahead} other builds"),
        BuildEvent::Builder { name, note: Some(note) } => format!("building with {name}: {note}"),
        BuildEvent::Builder { name, note: None } => format!("building with {name}"),
        BuildEvent::Started { step, .. } => step.name.clone(),
        BuildEvent::Finished { step, cached: true, .. } => format!("{} CACHED", step.name),
        BuildEvent::Finished { step, error: Some(error), .. } => {
            return Some((LogLevel::Error, format!("{}: {error}", step.name)));
        }
        BuildEvent::Finished { step, elapsed_ms, .. } => {
            format!("{} done in {:.1} s", step.name, Duration::from_millis(*elapsed_ms).as_secs_f64())
        }
        BuildEvent::Output { line, .. } => line.clone(),
        BuildEvent::Failed { reason, .. } => return Some((LogLevel::Error, reason.clone())),
    };
    Some((LogLevel::Info, line))
}
