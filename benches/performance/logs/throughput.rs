//! A flood of numbered lines to one and to ten who watch, and what that costs the app.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::try_join_all;

use super::viewer::{DockerLogs, Socket};
use super::{behind, launched, number_of};
use crate::daemon::Daemon;
use crate::docker::{self, Baseline};
use crate::http::Client;
use crate::table::{Goal, Line, quantile};

const GENERATION: &str = "bench-log-flood";
const LINES: usize = 300_000;
const ROUNDS: usize = 3;

/// Lines a second in all, and how long the app took to print them.
struct Flood {
    rate: f64,
    printing: f64,
}

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    launched(&daemon, GENERATION).await?;
    let image = daemon.image(GENERATION).await?;
    let alone = alone(&image).await?;
    let mut lines = Vec::new();
    for (viewers, goal) in [(1, 1.0), (10, 10.0)] {
        let (mut ours_all, mut theirs_all, mut ours_printing) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let flood = ours(&daemon, viewers).await?;
            ours_all.push(flood.rate);
            ours_printing.push(flood.printing);
            theirs_all.push(theirs(&image, viewers).await?.rate);
        }
        let (ours, theirs) = (quantile(&ours_all, 0.5), quantile(&theirs_all, 0.5));
        // Ten of ours against what one `docker logs -f` brings.
        let one = if viewers == 1 { theirs } else { theirs_of_one(&lines, theirs) };
        lines.push(Line {
            row: format!("log-throughput-{viewers}"),
            ours: format!("{:.0}k/s", ours / 1e3),
            baseline: format!("{:.0}k/s", theirs / 1e3),
            ratio: Some(ours / theirs),
            goal: Goal::AtLeast(goal),
            notes: vec![
                format!("{LINES} lines to each of {viewers}, all complete and in order; lines a second in all; {ROUNDS} pairs"),
                format!("{:.1} times what one docker logs -f brings", ours / one),
                format!(
                    "the app printed for {:.2} s, and {alone:.2} s with nobody following: slowed {:.2} times",
                    quantile(&ours_printing, 0.5),
                    quantile(&ours_printing, 0.5) / alone
                ),
            ],
        });
    }
    daemon.stop(GENERATION).await?;
    daemon.end().await?;
    Ok(lines)
}

/// What the row before measured of one follower.
fn theirs_of_one(lines: &[Line], otherwise: f64) -> f64 {
    let rate = lines.first().and_then(|line| line.baseline.trim_end_matches("k/s").parse::<f64>().ok());
    rate.map_or(otherwise, |thousands| thousands * 1e3)
}

async fn ours(daemon: &Daemon, viewers: usize) -> anyhow::Result<Flood> {
    // A preview of its own: what an earlier flood left must not be in the way.
    daemon.stop(GENERATION).await?;
    let app = daemon.launch_and_wait(GENERATION).await?;
    let token = daemon.preview_token(GENERATION).await?;
    let mut sockets = Vec::new();
    for _ in 0..viewers {
        sockets.push(Socket::open(daemon.address(), GENERATION, &token).await?);
    }
    let begun = Instant::now();
    Client::new(app).get(&format!("/flood/{LINES}")).await;
    let reading = sockets.into_iter().map(|mut socket| {
        tokio::spawn(async move {
            let mut check = Check::default();
            loop {
                for line in socket.frame().await?.lines() {
                    if check.see(line)? {
                        return Ok(check.printing);
                    }
                }
            }
        })
    });
    rate(viewers, begun, reading).await
}

async fn theirs(image: &str, viewers: usize) -> anyhow::Result<Flood> {
    let baseline = Baseline::new("log-throughput");
    let running = baseline.run(image, 8000)?;
    let app = running.address;
    running.ended()?;
    crate::answer::first_ok(app, GENERATION).await?;
    let container = docker::container_of(baseline.label())?;
    let mut logs = Vec::new();
    for _ in 0..viewers {
        logs.push(DockerLogs::follow(&container)?);
    }
    // They have no way to say that they follow.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    Client::new(app).get(&format!("/flood/{LINES}")).await;
    let reading = logs.into_iter().map(|mut logs| {
        tokio::spawn(async move {
            let mut check = Check { lossy: true, ..Check::default() };
            loop {
                if check.see(&logs.line().await?)? {
                    return Ok(check.printing);
                }
            }
        })
    });
    rate(viewers, begun, reading).await
}

/// How long the app prints with nobody following, in a container of plain docker.
async fn alone(image: &str) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let baseline = Baseline::new("log-alone");
        let running = baseline.run(image, 8000)?;
        let app = running.address;
        running.ended()?;
        crate::answer::first_ok(app, GENERATION).await?;
        let container = docker::container_of(baseline.label())?;
        Client::new(app).get(&format!("/flood/{LINES}")).await;
        let over = crate::answer::until("the flood is over", async || {
            let tail =
                docker::run(std::process::Command::new("docker").args(["logs", "--tail", "1", &container]))?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(tail.contains("over after").then_some(tail))
        });
        times.push(printing_time(&over.await?).context("no time")?);
    }
    Ok(quantile(&times, 0.5))
}

async fn rate(
    viewers: usize,
    begun: Instant,
    reading: impl Iterator<Item = tokio::task::JoinHandle<anyhow::Result<f64>>>,
) -> anyhow::Result<Flood> {
    let ended = tokio::time::timeout(Duration::from_secs(180), try_join_all(reading)).await??;
    let took = begun.elapsed().as_secs_f64();
    let printing = ended.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Flood { rate: (viewers * LINES) as f64 / took, printing: printing.first().copied().unwrap_or(0.0) })
}

/// That every line comes, in order.
#[derive(Default)]
struct Check {
    next: usize,
    printing: f64,
    /// The engine's own followers skip what it rotates away under them.
    lossy: bool,
}

impl Check {
    /// True at the end of the flood.
    fn see(&mut self, line: &str) -> anyhow::Result<bool> {
        if let Some(number) = number_of(line) {
            if number != self.next && !self.lossy {
                bail!("{} was next: {line}", self.next);
            }
            self.next = number + 1;
            return Ok(false);
        }
        if line.contains("\"type\":\"dropped\"") {
            bail!("lines were dropped: {line}");
        }
        let Some(printing) = printing_time(line) else { return Ok(false) };
        if self.next != LINES && !self.lossy {
            bail!("only {} lines came", self.next);
        }
        self.printing = printing;
        Ok(true)
    }
}

fn printing_time(line: &str) -> Option<f64> {
    let rest = behind(line, "over after ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}
