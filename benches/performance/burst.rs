//! Fifty launches at once, beside fifty `docker run` at once.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::answer::first_ok_every;
use crate::apps;
use crate::daemon::Daemon;
use crate::docker::{self, Baseline};
use crate::table::{Goal, Line, Pairs, quantile};

const LAUNCHES: usize = 50;
const PAIRS: usize = 3;
const APP: &str = "bench-burst";
/// Between two questions of one of fifty.
const EVERY: Duration = Duration::from_millis(20);

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let most = LAUNCHES.to_string();
    let daemon =
        Daemon::start(&[("PREVIEW_MAX_INSTANCES_PER_USER", &most), ("PREVIEW_NETWORK_SPARES", &most)])
            .await?;
    let baseline = Baseline::new("burst");
    for number in 0..LAUNCHES {
        daemon.put(&name(number), &apps::fastapi(APP)).await?;
    }
    let image = daemon.image(&name(0)).await?;
    daemon.launch_and_wait(&name(0)).await?;
    daemon.stop(&name(0)).await?;
    // A first one of each, and the daemon's networks are ready as they would be on a host in use.
    ours(&daemon).await?;
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        let a = ours(&daemon).await?;
        let b = theirs(&baseline, &image).await?;
        pairs.push(a, b);
    }
    daemon.end().await?;
    let notes = vec![
        format!("the 99th percentile of {LAUNCHES} times from the request to 200, median of {PAIRS} bursts"),
        format!("ours: POST launch at once, a network to itself for each, PREVIEW_NETWORK_SPARES={LAUNCHES}"),
        "baseline: docker run -d -p at once, same image, limits and hardening, default bridge for all"
            .to_owned(),
        "checked: all of both answer with their name".to_owned(),
    ];
    Ok(vec![pairs.line("burst", Goal::AtMost(0.5), notes)])
}

fn name(number: usize) -> String {
    format!("{APP}-{number}")
}

async fn ours(daemon: &Daemon) -> anyhow::Result<Duration> {
    let one = |number: usize| async move {
        let begun = Instant::now();
        let address = daemon.launch(&name(number)).await?;
        anyhow::Ok(first_ok_every(EVERY, address, APP).await? - begun)
    };
    let times = try_join_all((0..LAUNCHES).map(one)).await?;
    try_join_all((0..LAUNCHES).map(|number| async move { daemon.stop(&name(number)).await })).await?;
    Ok(p99(&times))
}

async fn theirs(baseline: &Baseline, image: &str) -> anyhow::Result<Duration> {
    let ports = docker::free_ports(LAUNCHES)?;
    let begun = Instant::now();
    let running = ports.into_iter().map(|port| baseline.run_at(port, image, 8000));
    let running = running.collect::<anyhow::Result<Vec<_>>>()?;
    let one = |address| async move { anyhow::Ok(first_ok_every(EVERY, address, APP).await? - begun) };
    let times = try_join_all(running.iter().map(|running| one(running.address))).await?;
    running.into_iter().try_for_each(docker::Running::ended)?;
    baseline.remove_containers()?;
    Ok(p99(&times))
}

fn p99(times: &[Duration]) -> Duration {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    Duration::from_secs_f64(quantile(&seconds, 0.99))
}
