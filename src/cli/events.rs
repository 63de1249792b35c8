//! `events GID`, and the same trail read while a launch waits.

use chrono::{DateTime, Utc};
use clap::Args;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, ClientError};
use super::context::Context;
use super::output::Cell;
use super::preview;
use crate::domain::GenerationId;

#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    target: preview::Target,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    timestamp: DateTime<Utc>,
    event_type: String,
    #[serde(default)]
    data: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    events: Vec<Event>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// What has happened to a preview since a moment, each thing once.
pub struct Stages {
    newest: DateTime<Utc>,
    told: Vec<Event>,
}

pub async fn run(context: &Context, args: EventsArgs) -> anyhow::Result<()> {
    let events = all(&context.client, &args.target.generation).await?;
    if context.console.json {
        return Ok(context.console.value(&serde_json::json!({ "events": events }))?);
    }
    let rows: Vec<Vec<Cell>> = events
        .iter()
        .map(|event| {
            let time = event.timestamp.format("%Y-%m-%d %H:%M:%SZ").to_string();
            vec![Cell::new(time), Cell::new(&event.event_type), Cell::new(details(&event.data))]
        })
        .collect();
    Ok(context.console.table(&["TIME", "EVENT", "DETAILS"], &rows)?)
}

/// Every page, oldest event first.
async fn all(client: &Client, generation: &GenerationId) -> Result<Vec<Event>, ClientError> {
    // A preview lives for hours; more pages than this are a daemon that turns in circles.
    const MOST_PAGES: usize = 200;
    let mut events = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let call = client.call(Method::GET, preview::path(generation, "/events")).query_opt("cursor", cursor);
        let page: Page = call.json().await?;
        events.extend(page.events);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    events.sort_by_key(|event| event.timestamp);
    Ok(events)
}

/// `key=value` for each member, for a column.
fn details(data: &Value) -> String {
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match data {
        Value::Object(members) => {
            let shown = members.iter().filter(|(_, value)| !value.is_null());
            shown.map(|(key, value)| format!("{key}={}", word(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Null => String::new(),
        other => word(other),
    }
}

impl Stages {
    /// Only what happens from now on; a second's grace for a clock that is not quite ours.
    pub fn since_now() -> Self {
        Self { newest: Utc::now() - chrono::TimeDelta::seconds(1), told: Vec::new() }
    }

    /// The stages reached since the last call, in words. None when the daemon cannot say: this
    /// only accompanies a call that reports its own failures.
    pub async fn new_ones(&mut self, context: &Context, generation: &GenerationId) -> Vec<String> {
        let call = context.client.call(Method::GET, preview::path(generation, "/events"));
        match call.json::<Page>().await {
            Ok(page) => self.pick(page.events),
            Err(_) => Vec::new(),
        }
    }

    fn pick(&mut self, mut events: Vec<Event>) -> Vec<String> {
        events.sort_by_key(|event| event.timestamp);
        events.retain(|event| event.timestamp >= self.newest && !self.told.contains(event));
        if let Some(last) = events.last() {
            self.newest = last.timestamp;
        }
        let words = events.iter().filter_map(|event| stage(&event.event_type)).map(str::to_owned).collect();
        self.told.extend(events);
        self.told.retain(|event| event.timestamp >= self.newest);
        words
    }
}

/// The stage of a launch that an event begins.
fn stage(event_type: &str) -> Option<&'static str> {
    match event_type {
        "launched" => Some("preparing network and container"),
        "building" => Some("building the image"),
        "started" => Some("started, waiting for the first answer"),
        "healthy" => Some("healthy"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    fn event(time: &str, kind: &str) -> Value {
        json!({"timestamp": format!("2026-01-31T12:00:{time}Z"), "eventType": kind, "data": {"by": "alice", "n": 1, "x": null}})
    }

    #[tokio::test]
    async fn all_pages_are_shown_oldest_first() {
        let server = serve(|call| match call.query.as_str() {
            "" => json_answer(
                200,
                &json!({"events": [event("09", "healthy"), event("05", "started")], "nextCursor": "a=b"}),
            ),
            "cursor=a%3Db" => {
                json_answer(200, &json!({"events": [event("01", "launched")], "nextCursor": null}))
            }
            other => panic!("{other}"),
        })
        .await;
        let (context, out, _) = context(&server, false);
        let target = preview::Target { generation: "g-1".parse().expect("an id") };
        run(&context, EventsArgs { target }).await.expect("events");
        assert_eq!(
            out.text(),
            "TIME                  EVENT     DETAILS\n\
             2026-01-31 12:00:01Z  launched  by=alice n=1\n\
             2026-01-31 12:00:05Z  started   by=alice n=1\n\
             2026-01-31 12:00:09Z  healthy   by=alice n=1\n"
        );
    }

    #[test]
    fn a_stage_is_told_once() {
        let events = |list: &[(&str, &str)]| -> Vec<Event> {
            let one =
                |(time, kind): &(&str, &str)| serde_json::from_value(event(time, kind)).expect("an event");
            list.iter().map(one).collect()
        };
        let start = "2026-01-31T12:00:03Z".parse().expect("a time");
        let mut stages = Stages { newest: start, told: Vec::new() };
        let first = stages.pick(events(&[("05", "launched"), ("01", "healthy")]));
        assert_eq!(first, ["preparing network and container"]);
        let second = stages.pick(events(&[("05", "started"), ("05", "launched")]));
        assert_eq!(second, ["started, waiting for the first answer"]);
        assert!(stages.pick(events(&[("05", "started"), ("05", "launched")])).is_empty());
    }
}
