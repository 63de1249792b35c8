//! Requests through a preview's port, beside nginx in front of the same container.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::answer::first_ok;
use crate::apps;
use crate::daemon::Daemon;
use crate::docker;
use crate::http::Client;
use crate::nginx::Nginx;
use crate::table::{Goal, Line, duration, quantile};
use crate::wrk::burst;

const PAIRS: usize = 5;
const SECONDS: u32 = 2;
const GENERATION: &str = "bench-proxy";

/// The same upstream behind two ways in.
struct Scene {
    daemon: Daemon,
    preview: SocketAddr,
    nginx: Nginx,
}

/// What one way in did in all bursts of a kind.
#[derive(Default)]
struct Tally {
    per_second: Vec<f64>,
    p99: Vec<f64>,
    /// CPU microseconds of the proxy's process for each request.
    cpu: Vec<f64>,
}

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    // One worker, as nginx has.
    let daemon = Daemon::start(&[("TOKIO_WORKER_THREADS", "1")]).await?;
    daemon.put(GENERATION, &apps::site(GENERATION)).await?;
    let preview = daemon.launch_and_wait(GENERATION).await?;
    first_ok(preview, GENERATION).await?;
    let host = docker::container_address(&format!("previewd.generation={GENERATION}"))?;
    let nginx = Nginx::start(&format!("{host}:{}", apps::SITE_PORT), GENERATION).await?;
    let scene = Scene { daemon, preview, nginx };
    scene.same_answers().await?;
    let mut lines = Vec::new();
    for (body, path) in [("small", "/"), ("1 MB", "/large.bin")] {
        for connections in [1, 32, 256] {
            lines.push(scene.compare(body, path, connections)?);
        }
    }
    scene.same_answers().await?;
    if let Some(last) = lines.last_mut() {
        last.notes.push(format!(
            "wrk, {PAIRS} bursts of {SECONDS} s each in turn, keep-alive; one worker each; upstream: a preview's nginx that logs nothing"
        ));
    }
    scene.daemon.stop(GENERATION).await?;
    scene.daemon.end().await?;
    Ok(lines)
}

impl Scene {
    fn compare(&self, body: &str, path: &str, connections: u32) -> anyhow::Result<Line> {
        let (mut ours, mut theirs) = (Tally::default(), Tally::default());
        for _ in 0..PAIRS {
            ours.add(self.preview, path, connections, self.daemon.pid())?;
            theirs.add(self.nginx.address, path, connections, self.nginx.worker()?)?;
        }
        let rate = |tally: &Tally| quantile(&tally.per_second, 0.5);
        let p99 = |tally: &Tally| duration(Duration::from_secs_f64(quantile(&tally.p99, 0.5)));
        let cpu = |tally: &Tally| quantile(&tally.cpu, 0.5);
        Ok(Line {
            row: format!("proxy {body} c={connections}"),
            ours: format!("{:.0}/s", rate(&ours)),
            baseline: format!("{:.0}/s", rate(&theirs)),
            ratio: Some(rate(&ours) / rate(&theirs)),
            goal: Goal::AtLeast(1.0),
            notes: vec![format!(
                "CPU a request {:.1} µs, nginx {:.1} µs; p99 {}, nginx {}",
                cpu(&ours),
                cpu(&theirs),
                p99(&ours),
                p99(&theirs)
            )],
        })
    }

    /// Both ways bring the same bytes.
    async fn same_answers(&self) -> anyhow::Result<()> {
        for address in [self.preview, self.nginx.address] {
            let answer = Client::new(address).get("/large.bin").await;
            ensure!(answer.status == 200, "{address} answers {}", answer.status);
            ensure!(answer.text() == apps::large(), "{address} brings other bytes");
        }
        Ok(())
    }
}

impl Tally {
    fn add(&mut self, address: SocketAddr, path: &str, connections: u32, pid: u32) -> anyhow::Result<()> {
        let before = cpu_seconds(pid)?;
        let done = burst(&format!("http://{address}{path}"), connections, SECONDS)?;
        let used = cpu_seconds(pid)? - before;
        self.per_second.push(done.per_second);
        self.p99.push(done.p99.as_secs_f64());
        self.cpu.push(used * 1e6 / done.requests.max(1) as f64);
        Ok(())
    }
}

/// User and system time of a process so far.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let mut ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let (user, system) = (ticks.next().context("no utime")??, ticks.next().context("no stime")??);
    Ok((user + system) / TICKS_A_SECOND)
}
