//! A scrape with a hundred live previews, beside a hundred of the engine's statistics calls at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::answer::first_ok;
use crate::daemon::Daemon;
use crate::docker;
use crate::http::Client;
use crate::table::{Goal, Line, Pairs};

const PREVIEWS: usize = 100;
/// Launches at once: more would only wait for the engine.
const TOGETHER: usize = 4;
const PAIRS: usize = 10;

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let most = PREVIEWS.to_string();
    let settings = [("PREVIEW_MAX_INSTANCES_PER_USER", &*most), ("PREVIEW_MAX_CONCURRENCY", &*most)];
    let daemon = Daemon::start(&settings).await?;
    let addresses = launch_all(&daemon).await?;
    let containers = containers(&daemon)?;
    ensure!(containers.len() == PREVIEWS, "{} containers run", containers.len());
    // A first one of each: what is opened once is open then.
    scrape(&daemon, addresses[0], 0).await?;
    stats_of_all(&containers).await?;
    let (mut pairs, mut received, mut slowest) = (Pairs::default(), 0, Duration::ZERO);
    for _ in 0..PAIRS {
        let (ours, now) = scrape(&daemon, addresses[0], received).await?;
        received = now;
        slowest = slowest.max(ours);
        pairs.push(ours, stats_of_all(&containers).await?);
    }
    daemon.end().await?;
    let notes = vec![
        "ours: GET /metrics over a connection of its own, every container sampled for it".to_owned(),
        "baseline: GET /containers/ID/stats?stream=false&one-shot=true of all containers at once".to_owned(),
        "checked: a figure of each preview in every scrape, and one that grows from scrape to scrape"
            .to_owned(),
    ];
    let within = Line {
        row: "scrape-within".to_owned(),
        ours: crate::table::duration(slowest),
        baseline: "–".to_owned(),
        ratio: None,
        goal: Goal::Within { took: slowest, limit: Duration::from_millis(50) },
        notes: vec![format!("the slowest of the {PAIRS} scrapes")],
    };
    Ok(vec![pairs.line("scrape", Goal::AtMost(0.01), notes), within])
}

/// A page each, all of one image.
async fn launch_all(daemon: &Daemon) -> anyhow::Result<Vec<SocketAddr>> {
    let name = |number: usize| format!("bench-scrape-{number}");
    let page = serde_json::json!({ "files": { "index.html": "<!doctype html>bench-scrape" } });
    let one = |number: usize| {
        let (name, page) = (name(number), &page);
        async move {
            daemon.put(&name, page).await?;
            let address = daemon.launch_and_wait(&name).await?;
            first_ok(address, "bench-scrape").await?;
            anyhow::Ok(address)
        }
    };
    let first = one(0).await?;
    let others = stream::iter(1..PREVIEWS).map(one).buffer_unordered(TOGETHER);
    let others: Vec<SocketAddr> = others.try_collect().await?;
    Ok([vec![first], others].concat())
}

fn containers(daemon: &Daemon) -> anyhow::Result<Vec<String>> {
    let filter = format!("label=previewd.instance={}", daemon.instance());
    let listed = docker::run(Command::new("docker").args(["ps", "-q", "--no-trunc", "--filter", &filter]))?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Visits one preview, scrapes, and checks that the visit is in it: how long the scrape took, and what
/// all containers have received.
async fn scrape(daemon: &Daemon, visited: SocketAddr, before: u64) -> anyhow::Result<(Duration, u64)> {
    Client::new(visited).get("/").await;
    let begun = Instant::now();
    let text = daemon.metrics().await;
    let took = begun.elapsed();
    for family in ["preview_cpu_usage_seconds_total", "preview_memory_working_set_bytes"] {
        let of: BTreeSet<&str> =
            text.lines().filter(|line| line.starts_with(&format!("{family}{{"))).collect();
        ensure!(of.len() == PREVIEWS, "{} previews have {family}", of.len());
    }
    let received = text.lines().filter(|line| line.starts_with("preview_network_receive_bytes_total{"));
    let received: u64 = received.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
    ensure!(received > before, "the sample did not change");
    Ok((took, received))
}

async fn stats_of_all(containers: &[String]) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let answers = try_join_all(containers.iter().map(|id| stats(id))).await?;
    let took = begun.elapsed();
    ensure!(answers.iter().all(|answer| answer.contains("\"total_usage\":")), "statistics without CPU");
    Ok(took)
}

/// One call, as plain as it can be made.
async fn stats(container: &str) -> anyhow::Result<String> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let socket = host.strip_prefix("unix://").context("the baseline needs the engine's socket")?;
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!(
        "GET /containers/{container}/stats?stream=false&one-shot=true HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(answer)
}
