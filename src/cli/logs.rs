//! `logs GID [-f]`: the filter, and a line as it is printed.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;
use serde_json::Value;

use super::context::Context;
use super::logs_follow::{self, Filter};
use super::output::{Console, Tone, clean};
use super::{preview, timespan};
use crate::domain::LogLevel;

const SOURCES: [&str; 7] = ["app", "system", "build", "startup", "request", "database", "error"];

/// Lines asked for when nobody says how many.
pub const DEFAULT_TAIL: usize = 1000;

#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    target: preview::Target,
    /// Go on with what comes, until the preview stops
    #[arg(short, long)]
    follow: bool,
    /// Only lines of this level or above: debug, info, warning, error
    #[arg(long, value_name = "LEVEL")]
    level: Option<LogLevel>,
    /// Only lines from here; several with commas
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', value_parser = PossibleValuesParser::new(SOURCES))]
    source: Vec<String>,
    /// Only lines that contain this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only lines since then: 10m, or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = timespan::parse_since)]
    since: Option<DateTime<Utc>>,
    /// How many of the newest lines to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = DEFAULT_TAIL)]
    tail: usize,
    /// Begin each line with its time
    #[arg(short, long)]
    timestamps: bool,
}

/// A line as the API sends it; a level or source of the future is no reason to lose it.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    #[serde(default)]
    pub seq: Option<u64>,
    pub timestamp: DateTime<Utc>,
    pub level: String,
    pub source: String,
    pub message: String,
    /// All of it, for `--json`.
    #[serde(skip)]
    pub raw: Value,
}

pub async fn run(context: &Context, args: LogsArgs) -> anyhow::Result<()> {
    let generation = &args.target.generation;
    let filter = Filter {
        level: args.level.map(level_word),
        source: (!args.source.is_empty()).then(|| args.source.join(",")),
        search: args.search,
        since: args.since.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        timestamps: args.timestamps,
        hide_build: false,
    };
    if !args.follow {
        for line in logs_follow::newest(&context.client, generation, &filter, args.tail).await? {
            line.print(&context.console, args.timestamps)?;
        }
        return Ok(());
    }
    tokio::select! {
        end = logs_follow::follow(context, generation, &filter, args.tail) => end,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn level_word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARNING",
        LogLevel::Error => "ERROR",
    }
}

impl Line {
    pub fn parse(raw: Value) -> Result<Self, serde_path_to_error::Error<serde_json::Error>> {
        let line: Self = serde_path_to_error::deserialize(&raw)?;
        Ok(Self { raw, ..line })
    }

    /// What the app printed as it is, as `docker logs` has it; what others said with their name.
    pub fn print(&self, console: &Console, timestamps: bool) -> std::io::Result<()> {
        if console.json {
            return console.value(&self.raw);
        }
        let mut text = String::new();
        if timestamps {
            text.push_str(&self.timestamp.to_rfc3339_opts(SecondsFormat::Millis, true));
            text.push(' ');
        }
        if !matches!(self.source.as_str(), "app" | "subprocess") {
            text.push_str(&format!("[{}] ", clean(&self.source)));
        }
        text.push_str(&clean(&self.message));
        console.line(&console.paint(Tone::of_level(&self.level), &text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{captured, context, json_answer, serve};

    fn line(seq: u64, source: &str, message: &str) -> Value {
        json!({"seq": seq, "timestamp": "2026-01-31T12:00:00.5Z", "level": "ERROR", "source": source, "message": message})
    }

    #[test]
    fn lines_read_as_the_app_printed_them() {
        let (mut console, out, _) = captured(false);
        Line::parse(line(1, "app", "\u{1b}[1mhi\n")).expect("a line").print(&console, false).expect("write");
        Line::parse(line(2, "tomorrow", "x")).expect("a line").print(&console, true).expect("write");
        console.out_colour = true;
        Line::parse(line(3, "app", "red")).expect("a line").print(&console, false).expect("write");
        assert_eq!(out.text(), "hi\n2026-01-31T12:00:00.500Z [tomorrow] x\n\u{1b}[31mred\u{1b}[0m\n");
    }

    #[tokio::test]
    async fn filters_reach_the_daemon_and_lines_come_in_order() {
        let server = serve(|call| {
            assert_eq!(
                call.query,
                "limit=50&level=WARNING&source=app&search=a%26b&since=2026-01-31T11%3A00%3A00.000Z"
            );
            json_answer(
                200,
                &json!({"logs": [line(9, "app", "second"), line(8, "app", "first")], "nextCursor": null}),
            )
        })
        .await;
        let (context, out, _) = context(&server, true);
        let args = LogsArgs {
            target: preview::Target { generation: "g-1".parse().expect("an id") },
            follow: false,
            level: Some(LogLevel::Warning),
            source: vec!["app".into()],
            search: Some("a&b".into()),
            since: Some("2026-01-31T11:00:00Z".parse().expect("a time")),
            tail: 50,
            timestamps: false,
        };
        run(&context, args).await.expect("logs");
        let printed: Vec<Value> =
            out.text().lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
        assert_eq!(printed, [line(8, "app", "first"), line(9, "app", "second")]);
    }
}
