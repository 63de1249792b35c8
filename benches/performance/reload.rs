//! One changed file in a live preview, beside building and running it again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::answer::{first_ok, until};
use crate::apps;
use crate::daemon::Daemon;
use crate::docker::{self, Baseline};
use crate::http::Client;
use crate::launch_cold::DOCKERFILE;
use crate::table::{Goal, Line, Pairs, quantile};

const PAIRS: usize = 10;
/// Mode, which launch of these dependencies, the row, and the way of the new files. Only for those after
/// the first a container has waited.
const LAUNCHES: [(&str, &str, &str, &str); 3] = [
    ("run", "first", "reload (first launch)", "restart"),
    ("run", "later", "reload", "restart"),
    ("dev", "later", "reload (dev server)", "hot"),
];

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[("PREVIEW_WARM_MAX", "1")]).await?;
    let baseline = Baseline::new("reload");
    let folder = tempfile::tempdir()?;
    write(folder.path(), "bench-reload-begin")?;
    // The layer of the dependencies is there, as it is where somebody works.
    baseline.build_cached(folder.path(), TAG)?;
    let mut lines = Vec::new();
    for (mode, launch, row, way) in LAUNCHES {
        let generation = format!("bench-reload-{launch}-{mode}");
        let mut body = apps::fastapi(&generation);
        body["metadata"]["mode"] = json!(mode);
        daemon.put(&generation, &body).await?;
        let address = daemon.launch_and_wait(&generation).await?;
        // For the next launch; what makes it would disturb.
        daemon.is_warm().await?;
        let client = Client::new(address);
        let mut pairs = Pairs::default();
        for at in 0..=PAIRS {
            let a = ours(&daemon, &client, &generation, &format!("{mode}-ours-{at}"), way).await?;
            let b = theirs(&baseline, folder.path(), &format!("{mode}-theirs-{at}")).await?;
            // The first of each has everything still to read.
            if at > 0 {
                pairs.push(a, b);
            }
        }
        daemon.stop(&generation).await?;
        let notes = vec![
            format!(
                "ours: PATCH of app/main.py (FastAPI, mode {mode}, {launch} launch, answered \"{way}\"), then GET / until the new body"
            ),
            "baseline: docker build with the dependencies' layer cached, docker run -d -p, GET / every 2 ms"
                .to_owned(),
        ];
        lines.push(pairs.line(row, Goal::AtMost(0.05), notes));
    }
    let ending = ending(&baseline).await?;
    lines[1]
        .notes
        .push(format!("uvicorn by itself takes {ending:.0?} from SIGTERM to its end, nearly all of it asleep; here it is awake at once"));
    daemon.end().await?;
    Ok(lines)
}

/// How long the server takes to end when it is told to, median of five.
async fn ending(baseline: &Baseline) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let running = baseline.run(TAG, 8000)?;
        let address = running.address;
        running.ended()?;
        first_ok(address, "").await?;
        let server = docker::main_process(&docker::container_of(baseline.label())?)?;
        let begun = Instant::now();
        rustix::process::kill_process(server, rustix::process::Signal::TERM)?;
        until("it has ended", async || Ok(rustix::process::test_kill_process(server).is_err().then_some(())))
            .await?;
        times.push(begun.elapsed().as_secs_f64());
        baseline.remove_containers()?;
    }
    Ok(Duration::from_secs_f64(quantile(&times, 0.5)))
}

const TAG: &str = "previewd-bench/reload";

async fn ours(
    daemon: &Daemon,
    client: &Client,
    generation: &str,
    marker: &str,
    way: &str,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let answer = daemon.patch(generation, &json!({ "app/main.py": main(marker) })).await?;
    let shown = || async {
        let asked = client.try_send(hyper::Method::GET, "/", "").await;
        Ok(asked.ok().filter(|answer| answer.status == 200 && answer.text().contains(marker)))
    };
    until("the new body", shown).await?;
    let took = begun.elapsed();
    ensure!(answer["reloaded"] == way, "not by {way}: {answer}");
    Ok(took)
}

async fn theirs(baseline: &Baseline, folder: &Path, marker: &str) -> anyhow::Result<Duration> {
    write(folder, marker)?;
    let begun = Instant::now();
    baseline.build_cached(folder, TAG)?;
    let running = baseline.run(TAG, 8000)?;
    let took = first_ok(running.address, marker).await? - begun;
    running.ended()?;
    baseline.remove_containers()?;
    Ok(took)
}

/// The app of [`apps::fastapi`], with another answer.
fn main(marker: &str) -> String {
    apps::fastapi(marker)["files"]["app/main.py"].as_str().unwrap_or_default().to_owned()
}

fn write(folder: &Path, marker: &str) -> anyhow::Result<()> {
    let body = apps::fastapi(marker);
    let files = body["files"].as_object().context("files")?;
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(path, text.as_str().context("text")?)?;
    }
    Ok(std::fs::write(folder.join("Dockerfile"), DOCKERFILE)?)
}
