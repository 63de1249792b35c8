//! What previewd costs beside what it is measured against, on this host, now.
//!
//! `make bench` measures every row, `make bench ROW=launch` those whose name begins so. Absolute
//! times on a shared machine mean little: each row runs ours and its baseline in turn (A B A B …),
//! compares the medians, and counts only where every answer was checked. A goal that is missed is
//! a finding, not a failure; only a row that could not be measured ends in exit code 1.
//!
//! The daemon is the release binary in a process and a data directory of its own. Everything made
//! on the engine is labelled and removed in the end, whether the measuring went well or not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a measurement fails"
)]

mod answer;
mod apps;
mod burst;
mod daemon;
mod docker;
mod endpoints;
#[path = "../../tests/common/http.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod http;
mod launch_cached;
mod launch_cold;
mod launch_new_code;
mod launch_postgres;
mod launch_prewarmed;
mod logs;
mod nginx;
mod proxy;
mod rebuild;
mod reload;
mod scale;
mod scrape;
mod table;
mod wake;
mod wrk;

use std::process::ExitCode;

use table::Line;

/// The rows, in the order they are measured.
const ROWS: [&str; 16] = [
    "launch-cached",
    "launch-prewarmed",
    "launch-new-code",
    "launch-cold",
    "launch-postgres",
    "rebuild",
    "reload",
    "wake",
    "burst",
    "scale",
    "proxy",
    "scrape",
    "endpoints",
    "log-latency",
    "log-throughput",
    "log-fanout",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this too, and is not the place to measure.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("not measuring: run `make bench` or `cargo bench --bench performance`");
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
    let rows: Vec<&str> = ROWS.into_iter().filter(|row| row.starts_with(wanted)).collect();
    if rows.is_empty() {
        eprintln!("no row begins with {wanted:?}; there are {}", ROWS.join(", "));
        return ExitCode::from(2);
    }
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(measure(&rows)),
        Err(error) => {
            eprintln!("no runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(rows: &[&str]) -> ExitCode {
    let mut outcome = ExitCode::SUCCESS;
    println!("{}", table::head());
    for row in rows {
        match one(row).await {
            Ok(lines) => lines.iter().for_each(|line| println!("{line}")),
            Err(error) => {
                println!("{}", table::not_measured(row, &error));
                outcome = ExitCode::FAILURE;
            }
        }
    }
    outcome
}

async fn one(row: &str) -> anyhow::Result<Vec<Line>> {
    match row {
        "launch-cached" => launch_cached::measure().await,
        "launch-prewarmed" => launch_prewarmed::measure().await,
        "launch-new-code" => launch_new_code::measure().await,
        "launch-cold" => launch_cold::measure().await,
        "launch-postgres" => launch_postgres::measure().await,
        "rebuild" => rebuild::measure().await,
        "reload" => reload::measure().await,
        "wake" => wake::measure().await,
        "burst" => burst::measure().await,
        "scale" => scale::measure().await,
        "proxy" => proxy::measure().await,
        "scrape" => scrape::measure().await,
        "endpoints" => endpoints::measure(),
        "log-latency" => logs::latency().await,
        "log-throughput" => logs::throughput().await,
        "log-fanout" => logs::fanout().await,
        other => anyhow::bail!("no such row: {other}"),
    }
}
