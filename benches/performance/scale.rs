//! Ten, a hundred and three hundred live previews of which most sleep: what waking one, asking the API
//! and doing nothing cost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::answer::{first_ok, until};
use crate::daemon::Daemon;
use crate::table::{Goal, Line, duration, quantile};

const STEPS: [usize; 3] = [10, 100, 300];
const APP: &str = "bench-scale";
/// Launches at once: more would only wait for the engine.
const TOGETHER: usize = 8;
/// Previews woken, and questions asked, at each step.
const LOOKS: usize = 60;
/// For so long the daemon is watched doing nothing.
const REST: Duration = Duration::from_secs(20);

/// What was found with so many previews.
struct Found {
    previews: usize,
    wake_p99: Duration,
    api_p99: Duration,
    /// Cores in use while nobody asks for anything.
    cores: f64,
    rss_mib: f64,
}

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let most = STEPS[2].to_string();
    let settings = [
        ("PREVIEW_MAX_INSTANCES_PER_USER", &*most),
        ("PREVIEW_MAX_CONCURRENCY", &*most),
        ("PREVIEW_PORT_MAX", "13500"),
        ("PREVIEW_SESSION_TIMEOUT_HOURS", "10"),
        ("PREVIEW_IDLE_PAUSE", "3"),
    ];
    let daemon = Daemon::start(&settings).await?;
    let (mut addresses, mut found) = (Vec::new(), Vec::new());
    for previews in STEPS {
        addresses.extend(launch(&daemon, addresses.len()..previews).await?);
        found.push(look(&daemon, &addresses).await?);
    }
    daemon.end().await?;
    let few = &found[0];
    Ok(found.iter().skip(1).flat_map(|many| lines(few, many)).collect())
}

fn lines(few: &Found, many: &Found) -> Vec<Line> {
    let row = |what: &str| format!("scale-{}-{what}", many.previews);
    let compared = |what: &str, ours: Duration, baseline: Duration, note: String| Line {
        row: row(what),
        ours: duration(ours),
        baseline: duration(baseline),
        ratio: Some(ours.as_secs_f64() / baseline.as_secs_f64()),
        goal: Goal::AtMost(2.0),
        notes: vec![note],
    };
    let wake = format!(
        "99th percentile of {LOOKS} first requests to previews that sleep; baseline: the same with {}",
        few.previews
    );
    let api = format!(
        "99th percentile of {LOOKS} GET status and as many lists of 10; baseline: the same with {}",
        few.previews
    );
    let below = |what: &str, is: f64, limit: f64, unit, note: String| Line {
        row: row(what),
        ours: format!("{is:.3} {unit}"),
        baseline: "–".to_owned(),
        ratio: None,
        goal: Goal::Below { is, limit, unit },
        notes: vec![note],
    };
    let idle = format!(
        "of the daemon in {} s in which nobody asks; with {}: {:.3}",
        REST.as_secs(),
        few.previews,
        few.cores
    );
    // The goal is for a hundred; so much more for each further one.
    let limit = 60.0 * (many.previews as f64 / 100.0);
    vec![
        compared("wake", many.wake_p99, few.wake_p99, wake),
        compared("api", many.api_p99, few.api_p99, api),
        below("idle", many.cores, 0.05, "core", idle),
        below("rss", many.rss_mib, limit, "MiB", format!("with {}: {:.1}", few.previews, few.rss_mib)),
    ]
}

fn name(number: usize) -> String {
    format!("{APP}-{number}")
}

async fn launch(daemon: &Daemon, numbers: std::ops::Range<usize>) -> anyhow::Result<Vec<SocketAddr>> {
    let page = json!({ "files": { "index.html": format!("<!doctype html>{APP}") } });
    let one = |number: usize| {
        let page = &page;
        async move {
            daemon.put(&name(number), page).await?;
            let address = daemon.launch_and_wait(&name(number)).await?;
            first_ok(address, APP).await?;
            anyhow::Ok(address)
        }
    };
    stream::iter(numbers).map(one).buffered(TOGETHER).try_collect().await
}

async fn look(daemon: &Daemon, addresses: &[SocketAddr]) -> anyhow::Result<Found> {
    all_sleep(daemon, addresses.len()).await?;
    let (begun, before) = (Instant::now(), cpu_seconds(daemon.pid())?);
    tokio::time::sleep(REST).await;
    let cores = (cpu_seconds(daemon.pid())? - before) / begun.elapsed().as_secs_f64();
    let rss_mib = rss_mib(daemon.pid())?;
    let (mut wakes, mut asked) = (Vec::new(), Vec::new());
    for at in 0..LOOKS {
        let number = at * 7 % addresses.len();
        daemon.is_now(&name(number), "paused").await?;
        let begun = Instant::now();
        wakes.push((first_ok(addresses[number], APP).await? - begun).as_secs_f64());
        let begun = Instant::now();
        daemon.status(&name(number)).await?;
        asked.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        // As many as the fewest have, so that the answers are of one size.
        let listed = daemon.list(STEPS[0]).await?;
        asked.push(begun.elapsed().as_secs_f64());
        ensure!(listed == STEPS[0], "{listed} listed");
    }
    let p99 = |times: &[f64]| Duration::from_secs_f64(quantile(times, 0.99));
    Ok(Found { previews: addresses.len(), wake_p99: p99(&wakes), api_p99: p99(&asked), cores, rss_mib })
}

async fn all_sleep(daemon: &Daemon, previews: usize) -> anyhow::Result<()> {
    until("all previews sleep", async || {
        let text = daemon.metrics().await;
        let paused =
            text.lines().filter(|line| line.starts_with("preview_instances_total{status=\"paused\""));
        let count: f64 = paused.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok((count as usize == previews).then_some(()))
    })
    .await
}

/// Fields 14 and 15 of its line, in ticks of a hundredth.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').context("no name")?.1;
    let ticks = after.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

fn rss_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}
