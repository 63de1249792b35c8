//! A launch with dependencies that no build has seen, beside `docker build` and `docker run`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::answer::first_ok;
use crate::apps::Shop;
use crate::daemon::Daemon;
use crate::docker::{self, Baseline};
use crate::table::{Goal, Line, Pairs};

const PAIRS: usize = 5;

/// As people write it. Debian's Python asks for the setting, others ignore it.
pub const DOCKERFILE: &str = r#"FROM previewd/python:3.11
ENV PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_INDEX_URL
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]
"#;

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    let baseline = Baseline::new("launch-cold");
    // The host is one in use: wheels that were installed before may lie in uv's cache.
    ours(&daemon, "bench-cold-warm-up").await?;
    let mut pairs = Pairs::default();
    for at in 0..PAIRS {
        let a = ours(&daemon, &format!("bench-cold-{at}")).await?;
        let b = theirs(&baseline, &format!("bench-cold-{at}")).await?;
        pairs.push(a, b);
    }
    daemon.end().await?;
    let builder = if docker::has_buildkit() { "BuildKit" } else { "the classic builder: no buildx here" };
    let notes = vec![
        "FastAPI, SQLAlchemy, psycopg; requirements.txt never seen before, so no layer of it is cached"
            .to_owned(),
        "ours: PUT generation, POST launch, GET / until 200; wheels may come from uv's cache mount"
            .to_owned(),
        format!(
            "baseline: docker build --no-cache ({builder}, pip install --no-cache-dir), docker run -d -p, GET /"
        ),
    ];
    Ok(vec![pairs.line("launch-cold", Goal::AtMost(0.5), notes)])
}

async fn ours(daemon: &Daemon, generation: &str) -> anyhow::Result<Duration> {
    let shop = Shop::new(generation, &marker(generation));
    let begun = Instant::now();
    daemon.put(generation, &shop.body()).await?;
    let address = daemon.launch(generation).await?;
    let took = first_ok(address, generation).await? - begun;
    let log = daemon.build_log(generation).await?;
    let installs = |line: &&String| line.contains("pip install") && !line.ends_with("CACHED");
    ensure!(log.iter().any(|line| installs(&line)), "nothing was installed: {log:?}");
    daemon.stop(generation).await?;
    Ok(took)
}

async fn theirs(baseline: &Baseline, generation: &str) -> anyhow::Result<Duration> {
    let shop = Shop::new(generation, &marker(generation));
    let folder = tempfile::tempdir()?;
    write(folder.path(), &shop)?;
    let tag = format!("previewd-bench/{generation}");
    let begun = Instant::now();
    baseline.build(folder.path(), &tag)?;
    let running = baseline.run(&tag, 8000)?;
    let took = first_ok(running.address, generation).await? - begun;
    running.ended()?;
    baseline.remove_containers()?;
    Ok(took)
}

pub fn write(folder: &Path, shop: &Shop) -> anyhow::Result<()> {
    std::fs::create_dir(folder.join("app"))?;
    std::fs::write(folder.join("app/__init__.py"), "")?;
    std::fs::write(folder.join("app/main.py"), &shop.main)?;
    std::fs::write(folder.join("requirements.txt"), &shop.requirements)?;
    std::fs::write(folder.join("Dockerfile"), DOCKERFILE)?;
    Ok(())
}

/// Another one in every run.
pub fn marker(generation: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{generation} {} {}", std::process::id(), now.as_nanos())
}
