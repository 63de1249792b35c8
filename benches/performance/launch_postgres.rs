//! A launch with a new PostgreSQL database, migrated and seeded, beside what `docker compose up`
//! with a fresh `postgres` service does for the same app.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use previewd::cli::upload::Upload;
use serde_json::{Value, json};

use crate::answer::{first_ok, until};
use crate::daemon::Daemon;
use crate::docker::{self, Baseline, Service};
use crate::table::{Goal, Line, Pairs, duration, median};

const PAIRS: usize = 7;
const GENERATION: &str = "bench-postgres";

/// Initialises a cluster as the official image does at its first start, and serves it.
const SERVE: &str = "initdb -D /tmp/data -U app --auth=trust >/dev/null && \
    echo 'host all all all trust' >>/tmp/data/pg_hba.conf && \
    exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp";
/// As compose files have it.
const START: &str = "alembic upgrade head && python -m seed && \
    exec uvicorn app.main:app --host 0.0.0.0 --port 8000";

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[("PREVIEW_WARM_MAX", "1")]).await?;
    let baseline = Baseline::new("launch-postgres");
    daemon.put(GENERATION, &ledger()?).await?;
    let image = daemon.image(GENERATION).await?;
    let address = daemon.launch_and_wait(GENERATION).await?;
    first_ok(address, GENERATION).await?;
    daemon.stop(GENERATION).await?;
    theirs(&baseline, &image).await?;
    let (mut pairs, mut copies) = (Pairs::default(), Vec::new());
    for _ in 0..PAIRS {
        let (a, copied) = ours(&daemon).await?;
        let b = theirs(&baseline, &image).await?;
        pairs.push(a, b);
        copies.push(copied);
    }
    daemon.end().await?;
    let notes = vec![
        "FastAPI, SQLAlchemy, Alembic; image and migrated schema seen before, the database new".to_owned(),
        "a container with the app's modules loaded waits, as behind every earlier launch of the user"
            .to_owned(),
        "ours: POST launch, GET / (which asks the database) through the preview's port every 2 ms until 200"
            .to_owned(),
        "baseline: docker network create, docker run of a fresh PostgreSQL (initdb), ready by docker exec \
         psql; then docker run of the app: alembic upgrade head, seed, uvicorn; GET / every 2 ms"
            .to_owned(),
    ];
    let took = median(&copies);
    let copy = Line {
        row: "template-copy".to_owned(),
        ours: duration(took),
        baseline: "–".to_owned(),
        ratio: None,
        goal: Goal::Within { took, limit: Duration::from_millis(150) },
        notes: vec!["the database's part of those launches: role, copy, network".to_owned()],
    };
    Ok(vec![pairs.line("launch-postgres", Goal::AtMost(0.2), notes), copy])
}

/// The example, with a page that names the generation once the database has answered.
fn ledger() -> anyhow::Result<Value> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/fastapi-ledger");
    let mut body: Value = serde_json::from_slice(&Upload::read(&dir, None)?.body()?)?;
    let page = format!(
        "\n\n@app.get(\"/\")\ndef index():\n    return {{\"generation\": \"{GENERATION}\", \"accounts\": accounts()}}\n"
    );
    let main = std::fs::read_to_string(dir.join("app/main.py"))?;
    body["files"]["app/main.py"] = json!(main + &page);
    Ok(body)
}

/// The whole launch, and how long its database took.
async fn ours(daemon: &Daemon) -> anyhow::Result<(Duration, Duration)> {
    daemon.is_warm().await?;
    let begun = Instant::now();
    let address = daemon.launch(GENERATION).await?;
    let took = first_ok(address, GENERATION).await? - begun;
    let events = daemon.events(GENERATION).await?;
    let migrated = events.iter().find(|event| event["eventType"] == "migrated").context("no database")?;
    anyhow::ensure!(migrated["data"]["copied"] == true, "it was migrated anew: {migrated}");
    let copied = migrated["data"]["elapsedMs"].as_u64().context("no time")?;
    daemon.stop(GENERATION).await?;
    Ok((took, Duration::from_millis(copied)))
}

async fn theirs(baseline: &Baseline, image: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    baseline.network()?;
    let server = baseline.service("previewd/postgres:15", "database", &[], SERVE)?;
    until("the server is ready", async || {
        let ready =
            docker::exec(&server, &["psql", "-h", "127.0.0.1", "-U", "app", "-c", "SELECT 1", "postgres"]);
        Ok(ready.is_ok().then_some(()))
    })
    .await?;
    let address = Service { url: "postgresql+psycopg://app@database/postgres", port: 8000 };
    let running = baseline.app(image, &address, START)?;
    let took = first_ok(running.address, GENERATION).await? - begun;
    running.ended()?;
    baseline.remove_containers()?;
    baseline.remove_network()?;
    Ok(took)
}
