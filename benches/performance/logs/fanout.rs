//! A thousand who watch one preview; then the same with a hundred of them who do not read.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::viewer::Socket;
use super::{age_of, launched};
use crate::daemon::Daemon;
use crate::http::Client;
use crate::table::{Goal, Line, duration, quantile};

const GENERATION: &str = "bench-log-fanout";
const VIEWERS: usize = 1000;
const STALLED: usize = 100;
const MEASURED: Duration = Duration::from_secs(10);
/// Until all of them have caught up.
const SETTLED: Duration = Duration::from_secs(2);
const GOAL: Duration = Duration::from_millis(100);

pub async fn measure() -> anyhow::Result<Vec<Line>> {
    let daemon = Daemon::start(&[]).await?;
    let (app, token) = launched(&daemon, GENERATION).await?;
    // Ten lines a second.
    Client::new(app).get("/tick/100").await;
    let whole = watched(&daemon, &token, 0).await?;
    let with_stalled = watched(&daemon, &token, STALLED).await?;
    daemon.stop(GENERATION).await?;
    daemon.end().await?;
    let line = |row: &str, ages: &[f64], note: String| {
        let at = |share| Duration::from_secs_f64(quantile(ages, share));
        Line {
            row: row.to_owned(),
            ours: duration(at(0.99)),
            baseline: "–".to_owned(),
            ratio: None,
            goal: Goal::Within { took: at(0.99), limit: GOAL },
            notes: vec![
                note,
                format!(
                    "p50 {}, p99.9 {}, {} lines read",
                    duration(at(0.5)),
                    duration(at(0.999)),
                    ages.len()
                ),
            ],
        }
    };
    Ok(vec![
        line(
            "log-fanout",
            &whole,
            format!("{VIEWERS} sockets, 10 lines a second, from print to client, p99"),
        ),
        line("log-fanout-stalled", &with_stalled, format!("the same with {STALLED} of them never reading")),
    ])
}

async fn watched(daemon: &Daemon, token: &str, stalled: usize) -> anyhow::Result<Vec<f64>> {
    let opening = stream::iter(0..VIEWERS).map(|_| Socket::open(daemon.address(), GENERATION, token));
    let mut sockets: Vec<Socket> = opening.buffer_unordered(50).try_collect().await?;
    let idle = sockets.split_off(VIEWERS - stalled);
    // What was printed while the others were still coming in has waited for this program to read it.
    let from = Instant::now() + SETTLED;
    let until = from + MEASURED;
    let reading = sockets.into_iter().map(|mut socket| {
        tokio::spawn(async move {
            let mut ages = Vec::new();
            while Instant::now() < until {
                let frame = socket.frame().await?;
                let now = Instant::now();
                let printed_since = |age: &Duration| now.checked_sub(*age).is_some_and(|at| at >= from);
                let told = frame.lines().filter_map(age_of).filter(printed_since);
                ages.extend(told.map(|age| age.as_secs_f64()));
            }
            anyhow::Ok(ages)
        })
    });
    let ages = try_join_all(reading).await?;
    drop(idle);
    let ages = ages.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(ages.into_iter().flatten().collect())
}
