//! A launch of source that nobody has seen over dependencies that are known, beside `docker build`
//! and `docker run`, whose layers of the dependencies are cached as well.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::answer::{first_ok, until};
use crate::apps::Shop;
use crate::daemon::Daemon;
use crate::docker::{self, Baseline};
use crate::launch_cold::{marker, write};
use crate::table::{Goal, Line, Pairs};

const PAIRS: usize = 10;

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[("PREVIEW_WARM_MAX", "1")]).await?;
    let baseline = Baseline::new("launch-new-code");
    let marker = marker("bench-new");
    // What both have seen before: the dependencies, once.
    let tries = Cell::new(0);
    until("an environment is there", async || {
        let generation = format!("bench-new-known-{}", tries.replace(tries.get() + 1));
        let (_, runs_from) = ours(&daemon, &generation, &marker).await?;
        Ok((runs_from == "environment").then_some(()))
    })
    .await?;
    theirs(&baseline, "bench-new-known", &marker).await?;
    let mut pairs = Pairs::default();
    for at in 0..PAIRS {
        daemon.is_warm().await?;
        let (a, runs_from) = ours(&daemon, &format!("bench-new-{at}"), &marker).await?;
        ensure!(runs_from == "environment", "it did not start in its environment");
        pairs.push(a, theirs(&baseline, &format!("bench-new-{at}"), &marker).await?);
    }
    daemon.end().await?;
    let builder = if docker::has_buildkit() { "BuildKit" } else { "the classic builder: no buildx here" };
    let notes = vec![
        "FastAPI, SQLAlchemy, psycopg are installed already; app/main.py differs in every pair".to_owned(),
        "a container with their modules loaded waits, as behind every earlier launch of the user".to_owned(),
        "ours: PUT generation, POST launch, GET / every 2 ms until 200".to_owned(),
        format!(
            "baseline: docker build ({builder}, all but COPY . . cached), docker run -d -p, GET / every 2 ms"
        ),
    ];
    Ok(vec![pairs.line("launch-new-code", Goal::AtMost(0.1), notes)])
}

async fn ours(daemon: &Daemon, generation: &str, marker: &str) -> anyhow::Result<(Duration, String)> {
    let shop = Shop::new(generation, marker);
    let begun = Instant::now();
    daemon.put(generation, &shop.body()).await?;
    let address = daemon.launch(generation).await?;
    let took = first_ok(address, generation).await? - begun;
    let events = daemon.events(generation).await?;
    let started = events.iter().find(|event| event["eventType"] == "started").context("no start")?;
    let runs_from = started["data"]["runsFrom"].as_str().unwrap_or_default().to_owned();
    daemon.stop(generation).await?;
    Ok((took, runs_from))
}

async fn theirs(baseline: &Baseline, generation: &str, marker: &str) -> anyhow::Result<Duration> {
    let shop = Shop::new(generation, marker);
    let folder = tempfile::tempdir()?;
    write(folder.path(), &shop)?;
    let tag = format!("previewd-bench/{generation}");
    let begun = Instant::now();
    baseline.build_cached(folder.path(), &tag)?;
    let running = baseline.run(&tag, 8000)?;
    let took = first_ok(running.address, generation).await? - begun;
    running.ended()?;
    baseline.remove_containers()?;
    Ok(took)
}
