//! Building a generation's image ahead of its launch, with the steps as they happen.

use std::time::Duration;

use anyhow::Context as _;
use hyper::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::build_view::{BuildView, Outcome};
use super::client::{Client, ClientError};
use super::progress::Progress;
use crate::domain::{BuildEvent, GenerationId};

/// The state of a build, as far as the client goes by it.
#[derive(Debug, Clone, Deserialize)]
pub struct BuildState {
    pub state: String,
    #[serde(default)]
    pub image: Option<String>,
    /// What it can start in without a build.
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub step: Option<String>,
}

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    pub image: Option<String>,
    /// Nothing had to be built.
    pub cached: bool,
}

/// What a launch needs: the image, or what starts without it. One that is missing is built.
pub async fn for_launch(
    client: &Client,
    generation: &GenerationId,
    progress: &Progress<'_>,
) -> anyhow::Result<Built> {
    let state: BuildState = client.call(Method::GET, path(generation, "")).json().await?;
    match state.environment {
        Some(environment) => Ok(Built { image: Some(environment), cached: true }),
        None => run(client, generation, progress).await,
    }
}

/// Builds, or joins the build under way, and shows it until it has ended.
pub async fn run(
    client: &Client,
    generation: &GenerationId,
    progress: &Progress<'_>,
) -> anyhow::Result<Built> {
    let state: BuildState = client.call(Method::POST, path(generation, "")).json().await?;
    if state.state == "built" {
        return Ok(Built { image: state.image, cached: true });
    }
    match follow(client, generation, progress).await? {
        Outcome::Built { image, cached } => Ok(Built { image: Some(image), cached }),
        Outcome::Failed { step: Some(step), reason } if !reason.contains(&step) => {
            anyhow::bail!("the build failed: {reason}\n  in the step: {}", whole(&step))
        }
        Outcome::Failed { reason, .. } => anyhow::bail!("the build failed: {reason}"),
        Outcome::Cancelled => anyhow::bail!("the build was cancelled"),
    }
}

/// A step to its end, which is where a long command tends to say what it was about; what a
/// program wrote into one is cut at last.
fn whole(step: &str) -> String {
    const LONGEST: usize = 2000;
    match step.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &step[..at]),
        None => step.to_owned(),
    }
}

/// Stops a build under way.
pub async fn cancel(client: &Client, generation: &GenerationId) -> Result<(), ClientError> {
    client.call(Method::DELETE, path(generation, "")).send().await.map(drop)
}

/// Reads the stream of steps to its last event. A stream that breaks is opened again; it starts
/// from the beginning, and the view shows nothing twice.
async fn follow(
    client: &Client,
    generation: &GenerationId,
    progress: &Progress<'_>,
) -> anyhow::Result<Outcome> {
    const PATIENCE: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_millis(500);
    let mut view = BuildView::new(progress);
    let mut alive = Instant::now();
    loop {
        match read(client, generation, &mut view, &mut alive).await {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => {}
            Err(Trouble::Call(error)) if error.is_transient() && alive.elapsed() < PATIENCE => {}
            Err(Trouble::Call(error)) => return Err(error.into()),
            Err(Trouble::Event(error)) => return Err(error),
        }
        // The stream may have ended with the build, before its last event reached us.
        let state: Result<BuildState, _> = client.call(Method::GET, path(generation, "")).json().await;
        match state {
            Ok(state) => {
                if let Some(outcome) = state.outcome() {
                    return Ok(outcome);
                }
            }
            Err(error) if error.is_transient() && alive.elapsed() < PATIENCE => {}
            Err(error) => return Err(error.into()),
        }
        sleep(PAUSE).await;
    }
}

enum Trouble {
    Call(ClientError),
    Event(anyhow::Error),
}

/// One stream, until it ends. `alive` becomes the time of its newest event.
async fn read(
    client: &Client,
    generation: &GenerationId,
    view: &mut BuildView<'_>,
    alive: &mut Instant,
) -> Result<Option<Outcome>, Trouble> {
    let call = client.call(Method::GET, path(generation, "/logs"));
    let mut stream = call.events(None).await.map_err(Trouble::Call)?;
    while let Some(event) = stream.next().await.map_err(Trouble::Call)? {
        *alive = Instant::now();
        let event: BuildEvent = serde_json::from_str(&event.data)
            .with_context(|| format!("the daemon sent a build event of an unknown kind: {}", event.data))
            .map_err(Trouble::Event)?;
        if let Some(outcome) = view.show(event) {
            return Ok(Some(outcome));
        }
    }
    Ok(None)
}

impl BuildState {
    fn outcome(&self) -> Option<Outcome> {
        match self.state.as_str() {
            "built" => Some(Outcome::Built { image: self.image.clone().unwrap_or_default(), cached: false }),
            "failed" => Some(Outcome::Failed {
                step: self.step.clone(),
                reason: self.reason.clone().unwrap_or_else(|| "the daemon gives no reason".to_owned()),
            }),
            "cancelled" => Some(Outcome::Cancelled),
            _ => None,
        }
    }
}

fn path(generation: &GenerationId, tail: &str) -> String {
    format!("/api/v2/generations/{generation}/build{tail}")
}
