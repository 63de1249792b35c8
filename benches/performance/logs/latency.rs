//! From the write in the container to the line in a client's hands.

use std::time::Duration;

use super::viewer::{DockerLogs, Socket};
use super::{age_of, container, launched};
use crate::daemon::Daemon;
use crate::http::Client;
use crate::table::{Goal, Line, Pairs, duration, quantile};

const GENERATION: &str = "bench-log-latency";
const ROUNDS: usize = 10;
const LINES: usize = 100;

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    let (app, token) = launched(&daemon, GENERATION).await?;
    Client::new(app).get("/tick/5").await;
    let container = container(GENERATION)?;
    let mut pairs = Pairs::default();
    let (mut all_ours, mut all_theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = ours(&daemon, &token).await?;
        let theirs = theirs(&container).await?;
        pairs.push(median(&ours), median(&theirs));
        all_ours.extend(ours);
        all_theirs.extend(theirs);
    }
    daemon.stop(GENERATION).await?;
    daemon.end().await?;
    let notes = vec![
        "baseline: docker logs -f of the same container, in turn; each line carries the time it was printed at".to_owned(),
    ];
    Ok(vec![pairs.line("log-latency", Goal::AtMost(1.2), notes), slowest(&all_ours, &all_theirs)])
}

fn slowest(ours: &[f64], theirs: &[f64]) -> Line {
    let (ours, theirs) = (quantile(ours, 0.99), quantile(theirs, 0.99));
    let shown = |seconds| duration(Duration::from_secs_f64(seconds));
    Line {
        row: "log-latency-p99".to_owned(),
        ours: shown(ours),
        baseline: shown(theirs),
        ratio: Some(ours / theirs),
        goal: Goal::AtMost(1.2),
        notes: vec![format!("of {} lines each, one every 5 ms", ROUNDS * LINES)],
    }
}

fn median(ages: &[f64]) -> Duration {
    Duration::from_secs_f64(quantile(ages, 0.5))
}

async fn ours(daemon: &Daemon, token: &str) -> anyhow::Result<Vec<f64>> {
    let mut socket = Socket::open(daemon.address(), GENERATION, token).await?;
    let mut ages = Vec::new();
    while ages.len() < LINES {
        let frame = socket.frame().await?;
        ages.extend(frame.lines().filter_map(age_of).map(|age| age.as_secs_f64()));
    }
    Ok(ages)
}

async fn theirs(container: &str) -> anyhow::Result<Vec<f64>> {
    let mut logs = DockerLogs::follow(container)?;
    let mut ages = Vec::new();
    while ages.len() < LINES {
        ages.extend(age_of(&logs.line().await?).map(|age| age.as_secs_f64()));
    }
    Ok(ages)
}
