//! `launch DIR`: store, build, start, wait, print the URL.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Answer, ClientError};
use super::context::Context;
use super::events::Stages;
use super::output::clean;
use super::problem::Problem;
use super::progress::Progress;
use super::upload::Upload;
use super::{Usage, build, logs_follow, preview, timespan};
use crate::domain::{DatabaseType, Egress, GenerationId, LogLevel, Metadata, ResourceTier};

#[derive(Debug, Args)]
pub struct LaunchArgs {
    /// The directory with the code
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The generation's id [default: the directory's name and a hash of its content]
    #[arg(long, value_name = "GID")]
    pub id: Option<GenerationId>,
    /// A JSON file with the generation's metadata [default: DIR/preview.json if there is one]
    #[arg(long, value_name = "FILE")]
    pub metadata: Option<PathBuf>,
    /// How much of the host it may use, within what your user tier allows
    #[arg(long, value_name = "T", value_parser = words::<ResourceTier>(&["minimal", "standard", "pro"]))]
    pub tier: Option<ResourceTier>,
    /// The kind of database it gets
    #[arg(long, value_name = "TYPE",
          value_parser = words::<DatabaseType>(&["none", "sqlite", "postgresql", "mysql", "mariadb", "mongodb"]))]
    pub db: Option<DatabaseType>,
    /// Where it may connect to, at most what the daemon allows: open, none, or a list with commas
    #[arg(long, value_name = "LIST")]
    pub egress: Option<Egress>,
    /// An environment variable of the app; may be given several times
    #[arg(long = "env", value_name = "K=V", value_parser = variable)]
    pub environment: Vec<(String, String)>,
    /// What the app is told to log at, as LOG_LEVEL: debug, info, warning, error [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// Lines of its log to keep, at least 100 [default: PREVIEW_LOG_MAX_LINES, which is the most]
    #[arg(long, value_name = "N")]
    pub log_lines: Option<u32>,
    /// Go on with the logs; Ctrl-C only detaches
    #[arg(long)]
    pub follow: bool,
    /// Open the URL in a browser
    #[arg(long)]
    pub open: bool,
}

/// The body of a launch.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct LaunchBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_type: Option<DatabaseType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_tier: Option<ResourceTier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<Egress>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_level: Option<LogLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_log_lines: Option<u32>,
    wait: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Launched {
    base_url: String,
    #[serde(default)]
    expires_at: Option<chrono::DateTime<chrono::Utc>>,
}

pub async fn run(context: &Context, args: LaunchArgs) -> anyhow::Result<()> {
    if !args.dir.is_dir() {
        return Err(Usage(format!("{} is not a directory", args.dir.display())).into());
    }
    let body = LaunchBody::of(&args)?;
    let (dir, metadata) = (args.dir.clone(), args.metadata.clone());
    let upload = tokio::task::spawn_blocking(move || Upload::read(&dir, metadata.as_deref())).await??;
    let generation = args.id.clone().map_or_else(|| upload.default_id(), Ok)?;
    let progress = Progress::new(&context.console);
    store(context, &generation, &upload, &progress).await?;
    let body = LaunchBody { project_id: upload.metadata.project_id.clone(), ..body };
    drop(upload);

    let built = tokio::select! {
        built = build::for_launch(&context.client, &generation, &progress) => built?,
        _ = tokio::signal::ctrl_c() => return interrupted_build(context, &generation).await,
    };
    if built.cached {
        progress.note("nothing has to be built");
    }
    let answer = tokio::select! {
        answer = start(context, &generation, &body, &progress) => answer?,
        _ = tokio::signal::ctrl_c() => {
            anyhow::bail!("detached; {generation} goes on starting. Stop it with `previewd stop {generation}`")
        }
    };
    print(context, &generation, &answer, &built, &body)?;
    let launched: Launched = answer.json()?;
    if args.open {
        open(context, &launched.base_url);
    }
    match args.follow {
        true => follow(context, &generation).await,
        false => Ok(()),
    }
}

impl LaunchBody {
    fn of(args: &LaunchArgs) -> Result<Self, Usage> {
        let environment: BTreeMap<String, String> = args.environment.iter().cloned().collect();
        Metadata::validate_environment(&environment).map_err(|wrong| Usage(wrong.to_string()))?;
        Ok(Self {
            project_id: None,
            database_type: args.db,
            egress: args.egress.clone(),
            resource_tier: args.tier,
            environment,
            log_level: args.log_level,
            max_log_lines: args.log_lines,
            wait: true,
        })
    }

    /// Something was asked for that only a new preview can have.
    fn is_particular(&self) -> bool {
        self.database_type.is_some()
            || self.resource_tier.is_some()
            || self.log_level.is_some()
            || self.max_log_lines.is_some()
            || !self.environment.is_empty()
    }
}

/// Puts the generation where the daemon finds it.
async fn store(
    context: &Context,
    generation: &GenerationId,
    upload: &Upload,
    progress: &Progress<'_>,
) -> anyhow::Result<()> {
    const DEADLINE: Duration = Duration::from_secs(300);
    for note in &upload.notes {
        progress.note(&clean(note));
    }
    let spinner = progress.spinner(&format!("storing {generation}: {}", upload.summary()));
    let path = format!("/api/v2/generations/{generation}");
    let call = context.client.call(Method::PUT, path).deadline(DEADLINE).body_bytes(upload.body()?);
    let answer = call.send().await;
    drop(spinner);
    match answer {
        Ok(_) => Ok(()),
        Err(error) => {
            let hint = store_hint(&error, generation, upload);
            Err(match hint {
                Some(hint) => anyhow::Error::new(error).context(hint),
                None => error.into(),
            })
        }
    }
}

fn store_hint(error: &ClientError, generation: &GenerationId, upload: &Upload) -> Option<String> {
    match error.status()? {
        409 => Some(format!(
            "{generation} holds other content, and a generation never changes: take another --id, or none"
        )),
        413 => Some(format!(
            "{} are more than the daemon takes; the largest: {}; leave out what is not code with a .dockerignore",
            upload.summary(),
            upload.largest()
        )),
        _ => None,
    }
}

/// Launches and waits until the preview is healthy, showing how far it is.
async fn start(
    context: &Context,
    generation: &GenerationId,
    body: &LaunchBody,
    progress: &Progress<'_>,
) -> anyhow::Result<Answer> {
    // The daemon's own deadlines for start-up, migrations and seeds end it well before.
    const DEADLINE: Duration = Duration::from_secs(900);
    const GLANCE: Duration = Duration::from_millis(500);
    let call = context.client.call(Method::POST, preview::path(generation, "/launch"));
    let launch = call.deadline(DEADLINE).body(body)?.send();
    tokio::pin!(launch);
    let spinner = progress.spinner("starting");
    let mut stages = Stages::since_now();
    let answer = loop {
        tokio::select! {
            answer = &mut launch => break answer,
            () = tokio::time::sleep(GLANCE) => {
                for stage in stages.new_ones(context, generation).await {
                    spinner.say(&stage);
                    if !progress.is_live() {
                        progress.note(&stage);
                    }
                }
            }
        }
    };
    drop(spinner);
    answer.map_err(|error| {
        if let Some(problem) = error.problem() {
            show_failure(problem, progress);
        }
        error.into()
    })
}

/// The last lines of a preview that did not come up; the error itself says why.
fn show_failure(problem: &Problem, progress: &Progress<'_>) {
    if let Some(stage) = &problem.stage {
        progress.note(&clean(&format!("failed in stage {stage}")));
    }
    for line in &problem.log_tail {
        progress.note(&format!("   │ {}", clean(line)));
    }
}

/// The URL alone on stdout; what else is good to know beside it.
fn print(
    context: &Context,
    generation: &GenerationId,
    answer: &Answer,
    built: &build::Built,
    body: &LaunchBody,
) -> anyhow::Result<()> {
    let console = &context.console;
    let was_live = answer.status != hyper::StatusCode::CREATED;
    if console.json {
        let mut object: Value = answer.json()?;
        object["generationId"] = json!(generation);
        object["image"] = json!(built.image);
        object["imageCached"] = json!(built.cached);
        object["alreadyRunning"] = json!(was_live);
        return Ok(console.value(&object)?);
    }
    let launched: Launched = answer.json()?;
    if was_live {
        console.note(&format!("{generation} is running already"));
        if body.is_particular() {
            console.note(&format!(
                "it keeps the settings it was launched with; for others, first `previewd stop {generation}`"
            ));
        }
    }
    console.line(&clean(&launched.base_url))?;
    let left = launched.expires_at.map(|at| (at - chrono::Utc::now()).num_seconds().max(0));
    let expires = left.map(|left| format!("expires in {}; ", timespan::long(left.unsigned_abs())));
    console.note(&format!("{}stop it with `previewd stop {generation}`", expires.unwrap_or_default()));
    Ok(())
}

async fn interrupted_build(context: &Context, generation: &GenerationId) -> anyhow::Result<()> {
    build::cancel(&context.client, generation).await.context("interrupted; cannot cancel the build")?;
    anyhow::bail!("interrupted; the build is cancelled")
}

async fn follow(context: &Context, generation: &GenerationId) -> anyhow::Result<()> {
    // What the build said has been seen.
    let filter = logs_follow::Filter { hide_build: true, ..logs_follow::Filter::default() };
    tokio::select! {
        end = logs_follow::follow(context, generation, &filter, 100) => end,
        _ = tokio::signal::ctrl_c() => {
            context.console.note(&format!(
                "\ndetached; {generation} goes on running. Stop it with `previewd stop {generation}`"
            ));
            Ok(())
        }
    }
}

/// A browser that does not come up is worth a remark, not a failure.
fn open(context: &Context, url: &str) {
    if !url.starts_with("http://") && !url.starts_with("https://") {
        context.console.note("not opened: the URL is not one of the web");
        return;
    }
    let mut browser = tokio::process::Command::new("xdg-open");
    browser.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = browser.spawn() {
        context.console.note(&format!("cannot open a browser with xdg-open: {error}"));
    }
}

/// One of `words`, as the domain type it names.
fn words<T>(words: &'static [&'static str]) -> impl clap::builder::TypedValueParser<Value = T>
where
    T: for<'a> Deserialize<'a> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value::<T>(Value::from(word)))
}

/// `K=V`; the value may be empty and may hold further `=`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests;
