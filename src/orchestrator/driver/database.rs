//! A preview's database: promised before its container, made while that is made, filled by
//! migrations and seeds that run in containers of their own, watched while it serves.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::origin::put_source;
use super::serve::failed;
use super::{Interrupt, Life, Reply};
use crate::databases::{self, DatabaseError, Provided, Task, TaskEnd};
use crate::domain::{
    DatabaseRecord, DatabaseType, EventType, Failure, HealthStatus, LogLevel, LogSource, MigrationStatus,
    Stage,
};
use crate::engine::{ContainerSpec, EngineError, EngineLogLine, Kind, LogStream};
use crate::orchestrator::Check;
use crate::orchestrator::setup::{self, Step};
use crate::streams::level_of;

/// What is to be done for a preview's database before the app starts.
pub(super) struct Database {
    kind: DatabaseType,
    steps: Vec<Step>,
    /// Of the template that the steps lead to; nothing is worth keeping where nothing is done.
    key: Option<String>,
}

/// What was provided, and how long that took, whatever was made beside it.
pub(super) struct Given {
    provided: Provided,
    took: Duration,
}

impl Life {
    /// Settles how containers find the database, and what has to be done for it; `None` for a
    /// preview without one. Nothing may use what was there before any more.
    pub(super) async fn promise_database(&mut self) -> Result<Option<Database>, Interrupt> {
        let Some(known) = self.parts.databases.known(self.preview.id) else {
            return match self.preview.database {
                DatabaseType::None => Ok(None),
                _ => Err(self.fail(Stage::Database, "what database it was to have was not written down")),
            };
        };
        let (steps, key) = match known.record.ready || !known.record.migrate {
            true => (Vec::new(), None),
            false => self.steps(&known.record).await?,
        };
        let promised = self.parts.databases.promise(self.preview.id).await;
        promised.map_err(|error| self.no_database(&error))?;
        // The password is made by now, and no line may show it.
        self.guard_log();
        Ok(Some(Database { kind: known.record.kind, steps, key }))
    }

    /// The database as it was promised, and the cache. Of a preview without either, done at once.
    pub(super) async fn provide_database(
        &self,
        interrupt: &CancellationToken,
        database: Option<&Database>,
    ) -> Result<Given, Interrupt> {
        let begun = Instant::now();
        let network = self.preview.network.clone().unwrap_or_default();
        let (id, databases) = (self.preview.id, &self.parts.databases);
        let provide = async {
            let database = async {
                match database {
                    Some(database) => databases.provide(id, &network, database.key.as_deref()).await,
                    None => Ok(Provided::Kept),
                }
            };
            let (cache, provided) = tokio::join!(databases.provide_cache(id, &network), database);
            cache.and(provided)
        };
        match interrupt.run_until_cancelled(provide).await {
            None => Err(Interrupt::Asked),
            Some(Ok(provided)) => Ok(Given { provided, took: begun.elapsed() }),
            Some(Err(error)) => Err(self.no_database(&error)),
        }
    }

    /// Makes what was provided ready for the app to start on.
    pub(super) async fn fill_database(
        &mut self,
        interrupt: &CancellationToken,
        database: Database,
        given: Given,
    ) -> Result<(), Interrupt> {
        let (Database { kind, steps, key }, Given { provided, took }) = (database, given);
        let begun = Instant::now();
        if provided == Provided::Kept {
            return Ok(());
        }
        if provided == Provided::Empty {
            self.fill(interrupt, &steps).await?;
            let kept = self.parts.databases.keep(self.preview.id, key.as_deref()).await;
            kept.map_err(|error| self.no_database(&error))?;
        }
        self.database_problem = None;
        if key.is_some() {
            // Whoever looks after the server makes the next copy ahead.
            self.parts.server_changed.notify_one();
        }
        let copied = provided == Provided::Copied;
        let elapsed_ms = u64::try_from((took + begun.elapsed()).as_millis()).unwrap_or(u64::MAX);
        let data =
            json!({ "database": kind, "copied": copied, "steps": steps.len(), "elapsedMs": elapsed_ms });
        self.record(EventType::Migrated, data).await;
        Ok(())
    }

    /// The variables that lead the app to its database.
    pub(super) fn database_environment(&self) -> BTreeMap<String, String> {
        let access = self.parts.databases.known(self.preview.id).and_then(|known| known.access);
        let Some(access) = access else { return BTreeMap::new() };
        let Some(plan) = self.recipe.as_ref().map(|recipe| &recipe.plan) else {
            return access.environment(None, [], &[]);
        };
        let read = plan.environment_read.iter().map(|read| read.name.as_str());
        let prefix = setup::url_prefix(plan, self.preview.database);
        access.environment(prefix, read, &setup::variables(plan))
    }

    /// The variables that lead the app to its cache.
    pub(super) fn cache_environment(&self) -> BTreeMap<String, String> {
        let Some(plan) = self.recipe.as_ref().map(|recipe| &recipe.plan) else { return BTreeMap::new() };
        let read = plan.environment_read.iter().map(|read| read.name.as_str());
        self.parts.databases.cache_environment(self.preview.id, read, &setup::cache_variables(plan))
    }

    /// What is to be done with the empty database, and the key of what comes of it.
    async fn steps(&self, record: &DatabaseRecord) -> Result<(Vec<Step>, Option<String>), Interrupt> {
        let Some(recipe) = &self.recipe else { return Ok((Vec::new(), None)) };
        let generation = self.generation().await?;
        let steps = setup::steps(record.kind, &generation.metadata, &recipe.plan, &generation.files)
            .map_err(|reason| Interrupt::Trouble(Failure::new(Stage::Database, reason, Vec::new())))?;
        let words: Vec<Vec<String>> = steps.iter().map(Step::words).collect();
        let (owner, environment) = (&self.preview.user_id, &self.preview.environment);
        let key = databases::template_key(owner, record, &words, environment, &generation.files);
        let key = (!steps.is_empty()).then_some(key);
        Ok((steps, key))
    }

    /// Runs the steps one after the other, all of them within one deadline.
    async fn fill(&mut self, interrupt: &CancellationToken, steps: &[Step]) -> Result<(), Interrupt> {
        if steps.is_empty() {
            return Ok(());
        }
        self.waiting("having its database migrated");
        self.note(MigrationStatus::Running).await?;
        let deadline = Instant::now() + self.parts.config.databases.initialization;
        for step in steps {
            let done = self.step(step, deadline.saturating_duration_since(Instant::now()));
            let outcome = match interrupt.run_until_cancelled(done).await {
                None => return Err(Interrupt::Asked),
                Some(outcome) => outcome,
            };
            if let Err(trouble) = outcome {
                self.note(MigrationStatus::Failed).await?;
                return Err(trouble);
            }
        }
        Ok(())
    }

    async fn note(&self, status: MigrationStatus) -> Result<(), Interrupt> {
        let noted = self.parts.databases.migrating(self.preview.id, status).await;
        noted.map_err(|error| self.no_database(&error))
    }

    async fn step(&self, step: &Step, within: Duration) -> Result<(), Interrupt> {
        self.say(LogLevel::Info, LogSource::Database, &format!("{}: {step}", step.what));
        let spec = self.task_spec(step).map_err(|error| self.no_database(&error))?;
        let mut tail = VecDeque::new();
        let report = |line: &EngineLogLine| {
            let message = self.parts.logs.masked(self.preview.id, &line.message);
            let level = level_of(&message, line.stream == LogStream::Stderr);
            self.parts.logs.append(self.preview.id, line.timestamp, level, LogSource::Database, &message);
            if tail.len() == Failure::TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(message);
        };
        let task = Task { spec: &spec, within };
        let prepare = async |container: &str| self.prepare_task(container, step).await;
        let end = databases::run_task(&self.parts.engine, task, prepare, report).await;
        let end = end.map_err(|error| self.no_database(&error.into()))?;
        let Some(reason) = why_it_failed(step, &end, self.parts.config.databases.initialization) else {
            return Ok(());
        };
        Err(Interrupt::Trouble(Failure::new(Stage::Database, reason, tail.into())))
    }

    /// The app's own container in all but its command; a file of SQL needs the server's client.
    fn task_spec(&self, step: &Step) -> Result<ContainerSpec, DatabaseError> {
        let base = self.container_spec();
        let folder = self.recipe.as_ref().map(|recipe| recipe.plan.working_dir.clone());
        let mut spec = ContainerSpec {
            name: format!("{}-setup", base.name),
            command: Some(step.command()),
            arguments: None,
            working_dir: step.working_dir.clone().or(folder),
            publish: None,
            ..base
        };
        spec.ownership.kind = Kind::Task;
        if let Some(file) = step.file() {
            let client = self.parts.databases.sql_client(self.preview.id, &file)?;
            spec.image = client.image;
            spec.command = Some(client.argv);
            spec.environment.extend(client.environment);
            spec.working_dir = Some("/".to_owned());
            spec.writable = vec![setup::SCRIPTS.to_owned()];
        }
        Ok(spec)
    }

    async fn prepare_task(&self, container: &str, step: &Step) -> Result<(), EngineError> {
        self.parts.databases.prepare_container(self.preview.id, container).await?;
        match step.script() {
            Some(archive) => self.parts.engine.upload(container, archive, setup::SCRIPTS).await,
            // The commands are the app's own.
            None => put_source(&self.parts.engine, self.origin.as_ref(), None, (container, None)).await,
        }
    }

    fn no_database(&self, error: &DatabaseError) -> Interrupt {
        Interrupt::Trouble(Failure::new(Stage::Database, error.to_string(), Vec::new()))
    }

    /// The database is to be made anew; the app ends first and comes back on it.
    pub(super) async fn begin_reset(&mut self) -> Reply {
        self.parts.databases.empty_cache(self.preview.id).await.map_err(failed)?;
        if self.preview.database != DatabaseType::None {
            self.parts.databases.spoil(self.preview.id).await.map_err(failed)?;
        }
        self.launching_again().await;
        Ok(())
    }

    /// How the database is, as the watch over its server says.
    pub(super) async fn database_seen(&mut self, problem: Option<String>) {
        if !self.preview.status.is_serving() {
            return;
        }
        let outcome = if problem.is_some() { HealthStatus::Unhealthy } else { HealthStatus::Healthy };
        if self.database_problem.is_some() == problem.is_some() {
            let said = problem.as_deref().unwrap_or("the database answers");
            self.parts.checked(&self.preview, Check::Database, outcome, said);
            return;
        }
        let said = problem.clone().unwrap_or_else(|| "the database answers again".to_owned());
        self.say(LogLevel::Warning, LogSource::Database, &said);
        self.database_problem = problem;
        self.regrade(Check::Database, outcome, &said).await;
    }
}

fn why_it_failed(step: &Step, end: &TaskEnd, limit: Duration) -> Option<String> {
    let what = step.what;
    match end {
        TaskEnd::Done => None,
        TaskEnd::TimedOut => Some(format!(
            "{what} did not end within {} s (PREVIEW_DATABASE_INITIALIZATION_TIMEOUT) and were stopped: {step}",
            limit.as_secs()
        )),
        TaskEnd::Exited { out_of_memory: true, .. } => {
            Some(format!("{what} ran out of memory and were killed (OOM): {step}"))
        }
        TaskEnd::Exited { code: code @ (126 | 127), .. } => {
            Some(format!("{what} could not be run (exit code {code}): {step}"))
        }
        TaskEnd::Exited { code, .. } => Some(format!("{what} failed with exit code {code}: {step}")),
    }
}
