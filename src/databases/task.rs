//! A container that does one job and is gone: a migration, a seed, a look into a file.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use crate::engine::{ContainerSpec, Engine, EngineError, EngineLogLine, LogsFrom};

/// A job.
pub struct Task<'a> {
    pub spec: &'a ContainerSpec,
    /// From its start to its end.
    pub within: Duration,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd {
    Done,
    Exited {
        code: i64,
        out_of_memory: bool,
    },
    /// It was killed for taking too long.
    TimedOut,
}

/// Creates the container, lets `prepare` work on it, runs it to its end and removes it; `report`
/// is given every line while it runs. A caller that goes away leaves the container to whoever
/// clears up after its preview.
pub async fn run(
    engine: &Engine,
    task: Task<'_>,
    prepare: impl AsyncFnOnce(&str) -> Result<(), EngineError>,
    mut report: impl FnMut(&EngineLogLine),
) -> Result<TaskEnd, EngineError> {
    let id = engine.create_container(task.spec).await?;
    let outcome = async {
        prepare(&id).await?;
        engine.start(&id).await?;
        let deadline = Instant::now() + task.within;
        if !follow(engine, &id, deadline, &mut report).await {
            engine.kill(&id).await?;
            return Ok(TaskEnd::TimedOut);
        }
        // The lines have ended, so the container has, or is about to.
        let code = engine.wait(&id, Duration::from_secs(10)).await?;
        let state = engine.inspect(&id).await?;
        let out_of_memory = state.is_some_and(|state| state.oom_killed);
        Ok(if code == 0 { TaskEnd::Done } else { TaskEnd::Exited { code, out_of_memory } })
    };
    let outcome: Result<TaskEnd, EngineError> = outcome.await;
    engine.remove(&id).await?;
    outcome
}

/// Reads to the last line; false when the deadline came first.
async fn follow(
    engine: &Engine,
    id: &str,
    deadline: Instant,
    report: &mut impl FnMut(&EngineLogLine),
) -> bool {
    let read = async {
        let mut lines = std::pin::pin!(engine.logs(id, LogsFrom::Start, true));
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => report(&line),
                Err(error) => tracing::debug!(%error, container = id, "a job's lines broke off"),
            }
        }
    };
    tokio::time::timeout_at(deadline, read).await.is_ok()
}
