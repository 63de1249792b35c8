//! `stop`, `restart`, `pause`, `resume`, `extend`.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Client, ClientError};
use super::context::Context;
use super::preview::{self, Glance, Targets};
use super::timespan;
use crate::domain::GenerationId;

#[derive(Debug, Args)]
pub struct ExtendArgs {
    #[command(flatten)]
    target: preview::Target,
    /// How much more time: 1800, 30m, 1h30m
    #[arg(value_name = "DURATION", value_parser = timespan::parse)]
    duration: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extended {
    new_expires_at: chrono::DateTime<chrono::Utc>,
    #[serde(default)]
    extensions_remaining: Option<u32>,
}

/// How long a preview may take to reach the state asked for, before we stop watching.
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(200);

pub async fn stop(context: &Context, targets: Targets) -> anyhow::Result<()> {
    each(context, targets, "stopped", async |client, generation| {
        client.call(Method::DELETE, preview::path(generation, "")).send().await?;
        settled(client, generation, |status| status == "stopped" || status == "failed").await
    })
    .await
}

/// Accepted is all it says: how the app comes up again is for `status` and `logs`.
pub async fn restart(context: &Context, targets: Targets) -> anyhow::Result<()> {
    each(context, targets, "restarting", async |client, generation| {
        client.call(Method::POST, preview::path(generation, "/restart")).send().await?;
        Ok(())
    })
    .await
}

pub async fn pause(context: &Context, targets: Targets) -> anyhow::Result<()> {
    each(context, targets, "paused", async |client, generation| {
        client.call(Method::POST, preview::path(generation, "/pause")).send().await?;
        settled(client, generation, |status| status == "paused").await
    })
    .await
}

pub async fn resume(context: &Context, targets: Targets) -> anyhow::Result<()> {
    each(context, targets, "resumed", async |client, generation| {
        client.call(Method::POST, preview::path(generation, "/resume")).send().await?;
        settled(client, generation, |status| status != "paused").await
    })
    .await
}

pub async fn extend(context: &Context, args: ExtendArgs) -> anyhow::Result<()> {
    let generation = &args.target.generation;
    let call = context.client.call(Method::POST, preview::path(generation, "/extend"));
    let answer = call.body(&json!({ "duration": args.duration.as_secs() }))?.send().await?;
    if context.console.json {
        return Ok(context.console.value(&answer.json::<Value>()?)?);
    }
    let extended: Extended = answer.json()?;
    let left = match extended.extensions_remaining {
        Some(1) => ", 1 extension left".to_owned(),
        Some(n) => format!(", {n} extensions left"),
        None => String::new(),
    };
    let until = extended.new_expires_at.format("%Y-%m-%d %H:%M:%SZ");
    Ok(context.console.line(&format!("{generation} expires at {until}{left}"))?)
}

/// Does one thing to each; the first that cannot be done ends it.
async fn each(
    context: &Context,
    targets: Targets,
    done: &str,
    action: impl AsyncFn(&Client, &GenerationId) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let several = targets.generations.len() > 1;
    for generation in &targets.generations {
        let result = action(&context.client, generation).await;
        match several {
            true => result.map_err(|error| error.context(generation.to_string()))?,
            false => result?,
        }
        match context.console.json {
            true => context.console.value(&json!({ "generationId": generation, "status": done }))?,
            false => context.console.line(&format!("{generation} {done}"))?,
        }
    }
    Ok(())
}

/// Waits until the status is one of those hoped for. A preview that is gone is as settled as
/// one can be, unless it was to run.
async fn settled(
    client: &Client,
    generation: &GenerationId,
    hoped: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut last = String::new();
    while begun.elapsed() < PATIENCE {
        match Glance::of(client, generation).await {
            Ok(glance) if hoped(&glance.status) => return Ok(()),
            Ok(glance) if !glance.is_live() => anyhow::bail!("it is {} now", glance.status),
            Ok(glance) => last = glance.status,
            Err(error) if is_gone(&error) && hoped("stopped") => return Ok(()),
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error.into()),
        }
        sleep(GLANCE).await;
    }
    anyhow::bail!("accepted, but it is still {last} after {} s", PATIENCE.as_secs())
}

fn is_gone(error: &ClientError) -> bool {
    error.status() == Some(404)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cli::testing::{context, empty, json_answer, problem, serve};

    fn targets(ids: &[&str]) -> Targets {
        Targets { generations: ids.iter().map(|id| id.parse().expect("an id")).collect() }
    }

    fn status(word: &str) -> Value {
        json!({"previewInstanceId": "id", "status": word})
    }

    #[tokio::test]
    async fn stop_waits_until_it_has_stopped() {
        let asked = AtomicUsize::new(0);
        let server = serve(move |call| match (call.method.as_str(), call.path.as_str()) {
            ("DELETE", "/api/v2/generations/g-1/preview") => empty(204),
            ("GET", "/api/v2/generations/g-1/preview/status") => {
                let word = if asked.fetch_add(1, Ordering::SeqCst) == 0 { "stopping" } else { "stopped" };
                json_answer(200, &status(word))
            }
            other => panic!("{other:?}"),
        })
        .await;
        let (context, out, _) = context(&server, false);
        stop(&context, targets(&["g-1"])).await.expect("stopped");
        assert_eq!(out.text(), "g-1 stopped\n");
        assert_eq!(server.count("GET"), 2);
    }

    #[tokio::test]
    async fn one_of_several_that_fails_is_named() {
        let server = serve(|call| match call.path.contains("/g-2/") {
            true => problem(409, &json!({"detail": "it is stopping"})),
            false => json_answer(202, &json!({})),
        })
        .await;
        let (context, out, _) = context(&server, true);
        let error = restart(&context, targets(&["g-1", "g-2", "g-3"])).await.expect_err("g-2 refuses");
        assert_eq!(format!("{error:#}"), "g-2: it is stopping");
        assert_eq!(out.text(), "{\"generationId\":\"g-1\",\"status\":\"restarting\"}\n");
    }

    #[tokio::test]
    async fn a_pause_that_ends_in_failure_is_one() {
        let server = serve(|call| match call.method.as_str() {
            "POST" => json_answer(202, &json!({})),
            _ => json_answer(200, &status("failed")),
        })
        .await;
        let (context, ..) = context(&server, false);
        let error = pause(&context, targets(&["g-1"])).await.expect_err("failed");
        assert_eq!(error.to_string(), "it is failed now");
    }

    #[tokio::test]
    async fn extend_sends_seconds() {
        let server = serve(|call| {
            assert_eq!(call.json(), json!({"duration": 5400}));
            json_answer(
                200,
                &json!({"status": "extended", "newExpiresAt": "2026-01-31T12:00:00Z",
                                     "extensionsRemaining": 2, "maxExtensions": 3}),
            )
        })
        .await;
        let (context, out, _) = context(&server, false);
        let target = preview::Target { generation: "g-1".parse().expect("an id") };
        let duration = timespan::parse("1h30m").expect("a span");
        extend(&context, ExtendArgs { target, duration }).await.expect("extended");
        assert_eq!(out.text(), "g-1 expires at 2026-01-31 12:00:00Z, 2 extensions left\n");
    }
}
