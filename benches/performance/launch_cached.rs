//! A launch whose image is there, beside `docker run` of the same image.

use std::time::Instant;

use crate::answer::first_ok;
use crate::apps;
use crate::daemon::Daemon;
use crate::docker::Baseline;
use crate::table::{Goal, Line, Pairs};

const PAIRS: usize = 15;
const GENERATION: &str = "bench-cached";

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    let baseline = Baseline::new("launch-cached");
    daemon.put(GENERATION, &apps::fastapi(GENERATION)).await?;
    let image = daemon.image(GENERATION).await?;
    let address = daemon.launch_and_wait(GENERATION).await?;
    first_ok(address, GENERATION).await?;
    daemon.stop(GENERATION).await?;
    theirs(&baseline, &image).await?;
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        let a = ours(&daemon).await?;
        let b = theirs(&baseline, &image).await?;
        pairs.push(a, b);
    }
    daemon.end().await?;
    let notes = vec![
        "ours: POST launch, then GET / through the preview's port every 2 ms until 200".to_owned(),
        "baseline: docker run -d -p, same image, limits and hardening, default bridge; GET / every 2 ms"
            .to_owned(),
    ];
    Ok(vec![pairs.line("launch-cached", Goal::AtMost(1.0), notes)])
}

async fn ours(daemon: &Daemon) -> anyhow::Result<std::time::Duration> {
    let begun = Instant::now();
    let address = daemon.launch(GENERATION).await?;
    let took = first_ok(address, GENERATION).await? - begun;
    daemon.stop(GENERATION).await?;
    Ok(took)
}

async fn theirs(baseline: &Baseline, image: &str) -> anyhow::Result<std::time::Duration> {
    let begun = Instant::now();
    let running = baseline.run(image, 8000)?;
    let took = first_ok(running.address, GENERATION).await? - begun;
    running.ended()?;
    baseline.remove_containers()?;
    Ok(took)
}
