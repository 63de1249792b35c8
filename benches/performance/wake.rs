//! The first request to a preview that sleeps, beside `docker unpause` and a request.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::answer::first_ok;
use crate::apps;
use crate::daemon::Daemon;
use crate::docker::{self, Baseline};
use crate::table::{Goal, Line, Pairs};

const PAIRS: usize = 20;
const GENERATION: &str = "bench-wake";

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[("PREVIEW_IDLE_PAUSE", "1")]).await?;
    let baseline = Baseline::new("wake");
    daemon.put(GENERATION, &apps::fastapi(GENERATION)).await?;
    let address = daemon.launch_and_wait(GENERATION).await?;
    first_ok(address, GENERATION).await?;
    let image = daemon.image(GENERATION).await?;
    let running = baseline.run(&image, 8000)?;
    let theirs_at = running.address;
    first_ok(theirs_at, GENERATION).await?;
    running.ended()?;
    let container = docker::container_of(baseline.label())?;
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        let a = ours(&daemon, address).await?;
        let b = theirs(&container, theirs_at).await?;
        pairs.push(a, b);
    }
    daemon.end().await?;
    let notes = vec![
        "ours: GET / to the preview's port while its status is paused, until 200".to_owned(),
        "baseline: docker unpause, then GET / to the published port, until 200".to_owned(),
    ];
    Ok(vec![pairs.line("wake", Goal::AtMost(0.3), notes)])
}

async fn ours(daemon: &Daemon, address: SocketAddr) -> anyhow::Result<Duration> {
    daemon.is_now(GENERATION, "paused").await?;
    let begun = Instant::now();
    Ok(first_ok(address, GENERATION).await? - begun)
}

async fn theirs(container: &str, address: SocketAddr) -> anyhow::Result<Duration> {
    docker::run(Command::new("docker").args(["pause", container]))?;
    let begun = Instant::now();
    docker::run(Command::new("docker").args(["unpause", container]))?;
    Ok(first_ok(address, GENERATION).await? - begun)
}
