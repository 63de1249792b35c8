//! `audit`: who did what, and who visited which preview; for admins.

use chrono::{DateTime, Utc};
use clap::Args;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::output::{Cell, Tone};
use super::timespan;

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only what this user did, or was done for
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Only this: an operation such as launchPreview, visitPreview, or openPreview for shared links
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// Only what was done to this generation, preview or key
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only from then on: 10m, 2d, or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = timespan::parse_since)]
    since: Option<DateTime<Utc>>,
    /// So many of the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    timestamp: DateTime<Utc>,
    actor: Option<String>,
    on_behalf_of: Option<String>,
    via: String,
    action: String,
    target: Option<String>,
    address: Option<String>,
    status: u16,
    times: u64,
    trace_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    entries: Vec<Entry>,
    next_cursor: Option<String>,
}

pub async fn run(context: &Context, args: AuditArgs) -> anyhow::Result<()> {
    let entries = newest(context, &args).await?;
    if context.console.json {
        return Ok(context.console.value(&json!({ "entries": entries }))?);
    }
    let rows: Vec<Vec<Cell>> = entries.iter().map(row).collect();
    Ok(context
        .console
        .table(&["TIME", "WHO", "VIA", "FROM", "ACTION", "TARGET", "RESULT", "TIMES"], &rows)?)
}

/// As many as are wanted, newest first, over as many pages as that takes.
async fn newest(context: &Context, args: &AuditArgs) -> anyhow::Result<Vec<Entry>> {
    const PAGE: usize = 200;
    let most = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let (mut entries, mut cursor) = (Vec::new(), None);
    while entries.len() < most {
        let limit = PAGE.min(most - entries.len()).to_string();
        let call = context.client.call(Method::GET, "/api/v2/audit").query("limit", &limit);
        let call = call
            .query_opt("user", args.user.clone())
            .query_opt("action", args.action.clone())
            .query_opt("target", args.target.clone())
            .query_opt("since", args.since.map(|since| since.to_rfc3339()))
            .query_opt("cursor", cursor.take());
        let page: Page = call.json().await?;
        entries.extend(page.entries);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(entries)
}

fn row(entry: &Entry) -> Vec<Cell> {
    let who = match (&entry.actor, &entry.on_behalf_of) {
        (Some(actor), Some(user)) => format!("{actor} for {user}"),
        (Some(actor), None) => actor.clone(),
        (None, _) => "-".to_owned(),
    };
    let or_none = |text: &Option<String>| Cell::new(text.clone().unwrap_or_else(|| "-".to_owned()));
    let result = match entry.status {
        400.. => Cell::toned(entry.status.to_string(), Tone::Bad),
        _ => Cell::new(entry.status.to_string()),
    };
    vec![
        Cell::new(entry.timestamp.format("%Y-%m-%d %H:%M:%SZ").to_string()),
        Cell::new(who),
        Cell::new(&entry.via),
        or_none(&entry.address),
        Cell::new(&entry.action),
        or_none(&entry.target),
        result,
        Cell::new(entry.times.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    #[tokio::test]
    async fn entries_are_a_table_newest_first_as_many_as_are_wanted() {
        let entry = |minute: u8, who: Option<&str>, action: &str, status: u16, times: u64| {
            json!({
                "timestamp": format!("2026-01-31T12:{minute:02}:00Z"), "actor": who, "onBehalfOf": null, "via": "token",
                "action": action, "target": "shop", "address": "127.0.0.1", "status": status, "times": times, "traceId": null,
            })
        };
        let server = serve(move |call| match call.query.as_str() {
            "limit=2&user=ann" => json_answer(
                200,
                &json!({ "entries": [entry(9, None, "visitPreview", 200, 40)], "nextCursor": "n" }),
            ),
            "limit=1&user=ann&cursor=n" => json_answer(
                200,
                &json!({ "entries": [entry(8, Some("ann"), "launchPreview", 429, 1)], "nextCursor": "m" }),
            ),
            other => panic!("{other}"),
        })
        .await;
        let (context, out, _) = context(&server, false);
        let args =
            AuditArgs { user: Some("ann".to_owned()), action: None, target: None, since: None, limit: 2 };
        run(&context, args).await.expect("a table");
        assert_eq!(
            out.text(),
            "TIME                  WHO  VIA    FROM       ACTION         TARGET  RESULT  TIMES\n\
             2026-01-31 12:09:00Z  -    token  127.0.0.1  visitPreview   shop    200     40\n\
             2026-01-31 12:08:00Z  ann  token  127.0.0.1  launchPreview  shop    429     1\n"
        );
    }
}
