//! A launch of a generation that was made ready ahead of it, beside `docker run` of the same image.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::answer::first_ok;
use crate::apps;
use crate::daemon::Daemon;
use crate::docker::Baseline;
use crate::table::{Goal, Line, Pairs};

const PAIRS: usize = 15;
const GENERATION: &str = "bench-prewarmed";

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    let baseline = Baseline::new("launch-prewarmed");
    let mut app = apps::fastapi(GENERATION);
    app["metadata"]["prewarm"] = json!(true);
    ours(&daemon, &app).await?;
    let address = daemon.launch_and_wait(GENERATION).await?;
    first_ok(address, GENERATION).await?;
    let image = daemon.image(GENERATION).await?;
    daemon.stop(GENERATION).await?;
    theirs(&baseline, &image).await?;
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        let a = ours(&daemon, &app).await?;
        let b = theirs(&baseline, &image).await?;
        pairs.push(a, b);
    }
    daemon.end().await?;
    let notes = vec![
        "ours: PUT with prewarm and a wait until it is ready, not counted; POST launch, then GET / until 200"
            .to_owned(),
        "baseline: docker run -d -p, same image, limits and hardening, default bridge; GET / every 2 ms"
            .to_owned(),
        "checked: the trail of every launch says that it was prewarmed".to_owned(),
    ];
    Ok(vec![pairs.line("launch-prewarmed", Goal::AtMost(0.05), notes)])
}

async fn ours(daemon: &Daemon, app: &Value) -> anyhow::Result<Duration> {
    daemon.put(GENERATION, app).await?;
    daemon.is_prewarmed(GENERATION).await?;
    let begun = Instant::now();
    let address = daemon.launch(GENERATION).await?;
    let took = first_ok(address, GENERATION).await? - begun;
    let events = daemon.events(GENERATION).await?;
    let claimed = |event: &Value| event["eventType"] == "launched" && event["data"]["prewarmed"] == true;
    anyhow::ensure!(events.iter().any(claimed), "it was not the prewarmed one: {events:?}");
    daemon.stop(GENERATION).await?;
    Ok(took)
}

async fn theirs(baseline: &Baseline, image: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let running = baseline.run(image, 8000)?;
    let took = first_ok(running.address, GENERATION).await? - begun;
    running.ended()?;
    baseline.remove_containers()?;
    Ok(took)
}
