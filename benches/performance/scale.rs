//! A hundred and three hundred live previews of which most sleep, beside ten: what waking one, asking the
//! API and doing nothing cost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::answer::{first_ok, until};
use crate::daemon::Daemon;
use crate::table::{Goal, Line, duration, quantile};

/// How many the baseline's daemon has all the time.
const FEW: usize = 10;
const STEPS: [usize; 2] = [100, 300];
const APP: &str = "bench-scale";
/// Launches at once: more would only wait for the engine.
const TOGETHER: usize = 8;
/// Previews of each daemon that are woken at each step.
const LOOKS: usize = 200;
/// After each waking the status is asked for so many times, and a list of previews as often.
const QUESTIONS: usize = 4;
/// From one look at a daemon to the next. In ten such times a preview is asleep again, so that both have
/// the same to do, however many previews they have.
const PACE: Duration = Duration::from_millis(400);
/// For so long the daemons are watched doing nothing.
const REST: Duration = Duration::from_secs(20);

/// A daemon and where its previews are.
struct Host {
    daemon: Daemon,
    addresses: Vec<SocketAddr>,
}

/// What was found with so many previews.
struct Found {
    previews: usize,
    wake_p99: Duration,
    api_p99: Duration,
    /// Cores in use while nobody asks for anything.
    cores: f64,
    rss_mib: f64,
}

/// Seconds.
#[derive(Default)]
struct Times {
    wakes: Vec<f64>,
    questions: Vec<f64>,
}

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    // One beside the other, so that whatever else the machine does it does to both.
    let mut few = Host::start([]).await?;
    let apart = [
        ("PREVIEW_PORT_MIN", "13101"),
        ("PREVIEW_PORT_MAX", "13500"),
        ("PREVIEW_NETWORK_POOL", "10.214.0.0/16"),
    ];
    let mut many = Host::start(apart).await?;
    few.grow_to(FEW).await?;
    let mut table = Vec::new();
    for previews in STEPS {
        many.grow_to(previews).await?;
        let [few, many] = compare(&few, &many).await?;
        table.extend(lines(&few, &many));
    }
    // Its previews run from the image that the other daemon has made.
    many.daemon.end().await?;
    few.daemon.end().await?;
    Ok(table)
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
        "99th percentile of {LOOKS} first requests to previews that sleep; baseline: a daemon with {}, by turns",
        few.previews
    );
    let api = format!(
        "99th percentile of {} GET status and as many lists of {FEW}; baseline: a daemon with {}, by turns",
        LOOKS * QUESTIONS,
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

impl Host {
    async fn start<const N: usize>(own: [(&str, &str); N]) -> anyhow::Result<Self> {
        let most = STEPS[1].to_string();
        let mut settings = vec![
            ("PREVIEW_MAX_INSTANCES_PER_USER", &*most),
            ("PREVIEW_MAX_CONCURRENCY", &*most),
            ("PREVIEW_SESSION_TIMEOUT_HOURS", "10"),
            ("PREVIEW_IDLE_PAUSE", "3"),
        ];
        settings.extend(own);
        Ok(Self { daemon: Daemon::start(&settings).await?, addresses: Vec::new() })
    }

    async fn grow_to(&mut self, previews: usize) -> anyhow::Result<()> {
        let page = json!({ "files": { "index.html": format!("<!doctype html>{APP}") } });
        let daemon = &self.daemon;
        let one = |number: usize| {
            let page = &page;
            async move {
                daemon.put(&name(number), page).await?;
                let address = daemon.launch_and_wait(&name(number)).await?;
                first_ok(address, APP).await?;
                anyhow::Ok(address)
            }
        };
        let numbers = self.addresses.len()..previews;
        let new: Vec<_> = stream::iter(numbers).map(one).buffered(TOGETHER).try_collect().await?;
        self.addresses.extend(new);
        Ok(())
    }

    /// Wakes one and asks about it.
    async fn look(&self, at: usize, times: &mut Times) -> anyhow::Result<()> {
        let number = at * 7 % self.addresses.len();
        self.daemon.is_now(&name(number), "paused").await?;
        let begun = Instant::now();
        times.wakes.push((first_ok(self.addresses[number], APP).await? - begun).as_secs_f64());
        for _ in 0..QUESTIONS {
            let begun = Instant::now();
            self.daemon.status(&name(number)).await?;
            times.questions.push(begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            // As many as the fewest have, so that the answers are of one size.
            let listed = self.daemon.list(FEW).await?;
            times.questions.push(begun.elapsed().as_secs_f64());
            ensure!(listed == FEW, "{listed} listed");
        }
        Ok(())
    }

    fn found(&self, times: &Times, cores: f64, rss_mib: f64) -> Found {
        let p99 = |times: &[f64]| Duration::from_secs_f64(quantile(times, 0.99));
        let (wake_p99, api_p99) = (p99(&times.wakes), p99(&times.questions));
        Found { previews: self.addresses.len(), wake_p99, api_p99, cores, rss_mib }
    }
}

async fn compare(few: &Host, many: &Host) -> anyhow::Result<[Found; 2]> {
    let hosts = [few, many];
    for host in hosts {
        all_sleep(&host.daemon, host.addresses.len()).await?;
    }
    let used = || anyhow::Ok([cpu_seconds(few.daemon.pid())?, cpu_seconds(many.daemon.pid())?]);
    let (begun, before) = (Instant::now(), used()?);
    tokio::time::sleep(REST).await;
    let (after, rest) = (used()?, begun.elapsed().as_secs_f64());
    let cores = [0, 1].map(|of| (after[of] - before[of]) / rest);
    let rss_mib = [rss_mib(few.daemon.pid())?, rss_mib(many.daemon.pid())?];
    let mut times = [Times::default(), Times::default()];
    let mut ticks = tokio::time::interval(PACE / 2);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for at in 0..LOOKS {
        for of in 0..2 {
            // Neither always comes first.
            let of = (of + at) % 2;
            ticks.tick().await;
            hosts[of].look(at, &mut times[of]).await?;
        }
    }
    Ok([0, 1].map(|of| hosts[of].found(&times[of], cores[of], rss_mib[of])))
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
