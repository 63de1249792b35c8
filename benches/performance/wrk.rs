//! One burst of load.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::docker;

/// What one burst came to.
pub struct Burst {
    pub per_second: f64,
    pub p99: Duration,
    pub requests: u64,
}

/// Keep-alive requests over `connections` for `seconds`. Fails when a single answer was not good.
pub fn burst(url: &str, connections: u32, seconds: u32) -> anyhow::Result<Burst> {
    let threads = if connections > 100 { 2 } else { 1 };
    let mut command = Command::new("wrk");
    command.args([format!("-t{threads}"), format!("-c{connections}"), format!("-d{seconds}s")]);
    let said = docker::run(command.args(["--latency", "--timeout", "30s", url]))?;
    ensure!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "bad answers from {url}: {said}");
    let after = |name: &str| -> anyhow::Result<String> {
        let line = said.lines().find(|line| line.trim_start().starts_with(name));
        let words = line.and_then(|line| line.trim_start()[name.len()..].split_whitespace().next());
        words.map(str::to_owned).with_context(|| format!("wrk said nothing of {name}: {said}"))
    };
    let requests = said.lines().find(|line| line.contains(" requests in "));
    let requests = requests.and_then(|line| line.split_whitespace().next()).context("no count")?;
    Ok(Burst {
        per_second: after("Requests/sec:")?.parse()?,
        p99: time(&after("99%")?)?,
        requests: requests.parse()?,
    })
}

/// `1.23ms`, `456.00us`, `1.02s`.
fn time(text: &str) -> anyhow::Result<Duration> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let found = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
    let (number, size) = found.with_context(|| format!("no time: {text}"))?;
    Ok(Duration::from_secs_f64(number.parse::<f64>()? * size))
}
