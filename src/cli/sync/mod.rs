//! `sync DIR GID`: the preview has what the directory has, from now until Ctrl-C.
//!
//! ```text
//!   ask what it has ──► compare ──► send what differs ──► wait for a change ─┐
//!        ▲                 ▲   nothing differs ───────────► ▲                │
//!        │                 └──────────────────────────────────────────────── ┘
//!        └── the daemon did not answer: what it has is not known any more
//! ```

mod difference;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Local;
use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::client::ClientError;
use super::context::Context;
use super::output::{Tone, clean, count};
use super::upload::Upload;
use super::{Usage, preview};
use crate::domain::GenerationId;
use difference::{Difference, Known};
use watch::Watch;

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// The directory with the code
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    target: preview::Target,
    /// Bring the preview to what the directory has now, and end
    #[arg(long)]
    once: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patched {
    applied: usize,
    reloaded: String,
    #[serde(default)]
    reason: String,
}

/// A rebuild and a start may be part of it.
const PATIENCE: Duration = Duration::from_secs(1500);
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What came of one try.
enum Step {
    /// The preview has what the directory has.
    Same,
    /// It cannot have it as it is: something in the directory has to change first.
    Refused,
    /// The daemon may do better in a moment.
    Later(ClientError),
}

pub async fn run(context: &Context, args: SyncArgs) -> anyhow::Result<()> {
    if !args.dir.is_dir() {
        return Err(Usage(format!("{} is not a directory", args.dir.display())).into());
    }
    let dir = args.dir.canonicalize()?;
    let generation = &args.target.generation;
    let mut sync = Sync { context, dir: &dir, generation, known: None, watch: Watch::new()? };
    tokio::select! {
        ended = sync.keep(args.once) => ended,
        _ = tokio::signal::ctrl_c() => {
            context.console.note(&format!("\nno longer synced; {generation} goes on running"));
            Ok(())
        }
    }
}

struct Sync<'a> {
    context: &'a Context,
    dir: &'a Path,
    generation: &'a GenerationId,
    /// What the preview has, as far as is known.
    known: Option<Known>,
    watch: Watch,
}

impl Sync<'_> {
    async fn keep(&mut self, once: bool) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        let mut greeted = false;
        loop {
            match self.step().await? {
                Step::Later(error) => {
                    // Somebody who waits need not read this each time.
                    if pause == FIRST_PAUSE {
                        self.context.console.note(&format!("{}; trying again", clean(&error.to_string())));
                    }
                    self.known = None;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                Step::Refused if once => anyhow::bail!("{} does not run with these files", self.generation),
                Step::Same if once => return Ok(()),
                Step::Same | Step::Refused => pause = FIRST_PAUSE,
            }
            if !std::mem::replace(&mut greeted, true) {
                let console = &self.context.console;
                console.note(&format!("watching {}; Ctrl-C ends it", self.dir.display()));
            }
            self.watch.changed().await?;
        }
    }

    async fn step(&mut self) -> anyhow::Result<Step> {
        let begun = Instant::now();
        let upload = self.read().await?;
        let known = match &self.known {
            Some(known) => known,
            None => match self.ask().await {
                Ok(known) => self.known.insert(known),
                Err(error) if error.is_transient() => return Ok(Step::Later(error)),
                Err(error) => return Err(error.into()),
            },
        };
        let difference = Difference::between(known, &upload.files);
        if difference.is_empty() {
            return Ok(Step::Same);
        }
        let path = preview::path(self.generation, "/files");
        let call = self.context.client.call(Method::PATCH, path).deadline(PATIENCE);
        let answer = call.body_bytes(difference.body()?).send().await;
        self.outcome(answer, &upload, &difference, begun)
    }

    /// The directory as it is, every folder of it watched before it is read the last time.
    async fn read(&mut self) -> anyhow::Result<Upload> {
        loop {
            let dir = self.dir.to_owned();
            let upload = tokio::task::spawn_blocking(move || Upload::read(&dir, None)).await??;
            if !self.watch.these(self.dir, &upload.folders)? {
                return Ok(upload);
            }
        }
    }

    async fn ask(&self) -> Result<Known, ClientError> {
        let path = preview::path(self.generation, "/files");
        self.context.client.call(Method::GET, path).json().await
    }

    fn outcome(
        &mut self,
        answer: Result<super::client::Answer, ClientError>,
        upload: &Upload,
        difference: &Difference,
        begun: Instant,
    ) -> anyhow::Result<Step> {
        match answer {
            Ok(answer) => {
                self.known = Some(Known::of(&upload.files));
                self.tell(&answer.json()?, difference, begun)?;
                Ok(Step::Same)
            }
            Err(error) => match (error.status(), error.problem()) {
                // It has them, and does not run with them.
                (Some(502), Some(problem)) if problem.stage.is_some() => {
                    self.known = Some(Known::of(&upload.files));
                    self.complain(&error, &problem.log_tail)?;
                    Ok(Step::Refused)
                }
                (Some(413 | 422), _) => {
                    self.complain(&error, &[])?;
                    Ok(Step::Refused)
                }
                _ if error.is_transient() => Ok(Step::Later(error)),
                _ => Err(error.into()),
            },
        }
    }

    fn tell(&self, patched: &Patched, difference: &Difference, begun: Instant) -> anyhow::Result<()> {
        let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let console = &self.context.console;
        if console.json {
            return Ok(console.value(&json!({
                "generationId": self.generation, "reloaded": patched.reloaded, "reason": patched.reason,
                "applied": patched.applied, "files": difference.paths(), "elapsedMs": elapsed,
            }))?);
        }
        let way = console.paint(Tone::Good, &clean(&patched.reloaded));
        let files = count(patched.applied, "file");
        let time = Local::now().format("%H:%M:%S");
        Ok(console.line(&format!("{time} {way}: {files} in {elapsed} ms ({})", clean(&patched.reason)))?)
    }

    fn complain(&self, error: &ClientError, log_tail: &[String]) -> anyhow::Result<()> {
        let console = &self.context.console;
        if console.json {
            return Ok(console.value(&json!({
                "generationId": self.generation, "error": error.to_string(), "logTail": log_tail,
            }))?);
        }
        for line in log_tail {
            console.note(&format!("   │ {}", clean(line)));
        }
        let time = Local::now().format("%H:%M:%S");
        Ok(console.line(&format!(
            "{time} {}: {}",
            console.paint(Tone::Bad, "failed"),
            clean(&error.to_string())
        ))?)
    }
}
