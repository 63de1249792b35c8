//! `stats [GID]`: what previews use and serve, live on a terminal, once elsewhere.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::client::{Client, ClientError};
use super::context::Context;
use super::output::{Cell, Console, Tone, bytes};
use super::preview::Glance;
use crate::domain::GenerationId;

#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Only the preview of this generation
    #[arg(value_name = "GID")]
    generation: Option<GenerationId>,
    /// Print the figures once, on a terminal too
    #[arg(long)]
    no_stream: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    previews: Vec<Figures>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    generation_id: String,
    status: String,
    resources: Resources,
    performance: Performance,
}

#[derive(Debug, Deserialize)]
struct Resources {
    memory: Resource,
    cpu: Resource,
    processes: Resource,
    #[serde(default)]
    network: Option<Network>,
    #[serde(default)]
    block: Option<Block>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    allocated: f64,
    used: Option<f64>,
    percent: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    read_bytes: u64,
    written_bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Performance {
    requests_per_minute: f64,
    p95_response_time: f64,
}

const HEADS: [&str; 10] = [
    "GENERATION",
    "STATUS",
    "CPU %",
    "CORES",
    "MEM USAGE / LIMIT",
    "MEM %",
    "NET I/O",
    "BLOCK I/O",
    "PIDS",
    "REQ/MIN (P95)",
];

/// Between two pictures.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a daemon that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(context: &Context, args: StatsArgs) -> anyhow::Result<()> {
    let live = context.console.out_terminal && !context.console.json && !args.no_stream;
    match live {
        true => watch(context, args.generation.as_ref()).await,
        false => once(context, args.generation.as_ref()).await,
    }
}

async fn once(context: &Context, generation: Option<&GenerationId>) -> anyhow::Result<()> {
    let raw: Value = ask(&context.client, generation).await?;
    let answer: Answer = serde_path_to_error::deserialize(&raw)?;
    if let (Some(generation), true) = (generation, answer.previews.is_empty()) {
        return Err(why_none(&context.client, generation).await);
    }
    match context.console.json {
        true => Ok(context.console.value(&raw)?),
        false => Ok(context.console.table(&HEADS, &rows(&answer))?),
    }
}

/// Paints a new picture every second until the preview is over, or for ever; Ctrl-C ends it.
async fn watch(context: &Context, generation: Option<&GenerationId>) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(PERIOD);
    let mut screen = Screen::new(&context.console);
    let mut answered = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let asked = ask(&context.client, generation).await;
        let raw = match asked {
            Ok(raw) => raw,
            Err(error) if error.is_transient() && answered.elapsed() < PATIENCE && screen.is_begun() => {
                screen.remark(&error.to_string())?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        answered = Instant::now();
        let answer: Answer = serde_path_to_error::deserialize(&raw)?;
        if let (Some(generation), true) = (generation, answer.previews.is_empty()) {
            if !screen.is_begun() {
                return Err(why_none(&context.client, generation).await);
            }
            context.console.note(&format!("{generation} is not live any more"));
            return Ok(());
        }
        screen.paint(&rows(&answer))?;
    }
}

async fn ask(client: &Client, generation: Option<&GenerationId>) -> Result<Value, ClientError> {
    let call = client.call(Method::GET, "/api/v2/previews/stats");
    call.query_opt("generation", generation.map(GenerationId::as_str)).json().await
}

/// A generation without a live preview: there is none of that name, or its preview is over.
async fn why_none(client: &Client, generation: &GenerationId) -> anyhow::Error {
    match Glance::of(client, generation).await {
        Ok(glance) => anyhow::anyhow!("{generation} is {}: there is nothing to measure", glance.status),
        Err(error) => error.into(),
    }
}

fn rows(answer: &Answer) -> Vec<Vec<Cell>> {
    answer.previews.iter().map(row).collect()
}

fn row(one: &Figures) -> Vec<Cell> {
    let Resources { memory, cpu, processes, network, block } = &one.resources;
    let none = || "-".to_owned();
    let percent = |resource: &Resource| match resource.percent {
        Some(percent) => Cell::toned(format!("{percent:.1}%"), tone_of(percent)),
        None => Cell::new("-"),
    };
    let both = |one: u64, other: u64| format!("{} / {}", bytes(one), bytes(other));
    let used = memory.used.map_or_else(none, |used| format!("{used:.1} MiB"));
    vec![
        Cell::new(&one.generation_id),
        Cell::toned(&one.status, Tone::of_status(&one.status)),
        percent(cpu),
        Cell::new(cpu.used.map_or_else(none, |cores| format!("{cores:.2} / {}", cpu.allocated))),
        Cell::new(format!("{used} / {} MiB", memory.allocated)),
        percent(memory),
        Cell::new(network.as_ref().map_or_else(none, |n| both(n.received_bytes, n.sent_bytes))),
        Cell::new(block.as_ref().map_or_else(none, |b| both(b.read_bytes, b.written_bytes))),
        Cell::new(processes.used.map_or_else(none, |count| format!("{count}"))),
        Cell::new(traffic(&one.performance)),
    ]
}

fn traffic(performance: &Performance) -> String {
    match performance.requests_per_minute {
        0.0 => "0".to_owned(),
        rate => format!("{rate:.0} ({:.1} ms)", performance.p95_response_time),
    }
}

fn tone_of(percent: f64) -> Tone {
    match percent {
        95.0.. => Tone::Bad,
        85.0.. => Tone::Busy,
        _ => Tone::Plain,
    }
}

/// A terminal on which each picture takes the place of the one before.
struct Screen<'a> {
    console: &'a Console,
    begun: bool,
}

impl<'a> Screen<'a> {
    const fn new(console: &'a Console) -> Self {
        Self { console, begun: false }
    }

    const fn is_begun(&self) -> bool {
        self.begun
    }

    fn paint(&mut self, rows: &[Vec<Cell>]) -> std::io::Result<()> {
        // The first picture clears the screen, later ones go over it: that does not flicker.
        let start = if std::mem::replace(&mut self.begun, true) { "\x1b[H" } else { "\x1b[2J\x1b[H" };
        let table = self.console.table_text(&HEADS, rows).replace('\n', "\x1b[K\n");
        self.console.write(format!("{start}{table}\x1b[J").as_bytes())
    }

    /// Under the last picture, which stays.
    fn remark(&self, text: &str) -> std::io::Result<()> {
        self.console.write(format!("\r{}\x1b[K", super::output::clean(text)).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{context, json_answer, problem, serve};

    fn figures(gid: &str) -> Value {
        json!({"generationId": gid, "status": "healthy", "more": 1,
            "resources": {
                "memory": {"allocated": 512.0, "used": 48.25, "percent": 9.42},
                "cpu": {"allocated": 0.5, "used": 0.49, "percent": 98.0},
                "storage": {"allocated": 1024.0, "used": null, "percent": null},
                "processes": {"allocated": 256.0, "used": 9.0, "percent": 3.5},
                "network": {"receivedBytes": 1500, "sentBytes": 20}, "block": null},
            "performance": {"requestCount": 4, "requestsPerMinute": 3.0, "p95ResponseTime": 12.34}})
    }

    fn silent(gid: &str) -> Value {
        let unknown = json!({"allocated": 1.0, "used": null, "percent": null});
        json!({"generationId": gid, "status": "launching",
            "resources": {"memory": unknown, "cpu": unknown, "processes": unknown},
            "performance": {"requestsPerMinute": 0.0, "p95ResponseTime": 0.0}})
    }

    fn args(generation: Option<&str>) -> StatsArgs {
        StatsArgs { generation: generation.map(|id| id.parse().expect("an id")), no_stream: false }
    }

    #[tokio::test]
    async fn elsewhere_than_on_a_terminal_it_prints_once() {
        let server = serve(|call| {
            assert_eq!((call.path.as_str(), call.query.as_str()), ("/api/v2/previews/stats", ""));
            json_answer(200, &json!({"previews": [figures("g-1"), silent("g-2")]}))
        })
        .await;
        let (people, out, _) = context(&server, false);
        run(&people, args(None)).await.expect("stats");
        assert_eq!(
            out.text(),
            "GENERATION  STATUS     CPU %  CORES       MEM USAGE / LIMIT   MEM %  NET I/O        BLOCK I/O  PIDS  REQ/MIN (P95)\n\
             g-1         healthy    98.0%  0.49 / 0.5  48.2 MiB / 512 MiB  9.4%   1.5 kB / 20 B  -          9     3 (12.3 ms)\n\
             g-2         launching  -      -           - / 1 MiB           -      -              -          -     0\n"
        );
        let (machine, out, _) = context(&server, true);
        run(&machine, args(None)).await.expect("stats");
        let told: Value = serde_json::from_str(&out.text()).expect("one JSON object");
        assert_eq!(told["previews"][0]["more"], 1, "as the API sent it");
        assert_eq!(server.calls().len(), 2);
    }

    #[tokio::test]
    async fn on_a_terminal_each_picture_takes_the_place_of_the_one_before() {
        let server = serve(|call| {
            let pictures = call.seen_before("stats");
            let live = if pictures < 2 { vec![figures("g-1")] } else { Vec::new() };
            json_answer(200, &json!({ "previews": live }))
        })
        .await;
        let (mut people, out, err) = context(&server, false);
        people.console.out_terminal = true;
        run(&people, args(Some("g-1"))).await.expect("it ends with the preview");
        assert_eq!(out.text().matches("\x1b[H").count(), 2);
        assert_eq!(out.text().matches("\x1b[2J").count(), 1);
        assert!(out.text().contains("g-1         healthy"), "{}", out.text());
        assert_eq!(err.text(), "g-1 is not live any more\n");
    }

    #[tokio::test]
    async fn a_generation_without_a_live_preview_says_why() {
        let server = serve(|call| match call.path.as_str() {
            "/api/v2/previews/stats" => json_answer(200, &json!({"previews": []})),
            "/api/v2/generations/over/preview/status" => {
                json_answer(200, &json!({"previewInstanceId": "id", "status": "stopped"}))
            }
            _ => problem(404, &json!({"detail": "there is no generation none"})),
        })
        .await;
        let (people, ..) = context(&server, false);
        let error = run(&people, args(Some("over"))).await.expect_err("nothing to measure");
        assert_eq!(error.to_string(), "over is stopped: there is nothing to measure");
        let error = run(&people, args(Some("none"))).await.expect_err("no such generation");
        assert_eq!(error.to_string(), "there is no generation none");
    }
}
