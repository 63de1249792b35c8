//! `ps`: the previews there are.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::PossibleValuesParser;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, ClientError};
use super::context::Context;
use super::output::{Cell, Tone};
use super::preview::Glance;
use super::timespan;

const STATUSES: [&str; 9] =
    ["launching", "running", "healthy", "degraded", "unhealthy", "paused", "stopping", "stopped", "failed"];

#[derive(Debug, Args)]
pub struct PsArgs {
    /// Also those that have stopped or failed
    #[arg(short, long)]
    all: bool,
    /// Only those in this state
    #[arg(long, value_name = "STATUS", value_parser = PossibleValuesParser::new(STATUSES))]
    status: Option<String>,
    /// Only those of this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    previews: Vec<Value>,
    #[serde(default)]
    next_cursor: Option<String>,
}

pub async fn run(context: &Context, args: PsArgs) -> anyhow::Result<()> {
    let previews = list(&context.client, &args).await?;
    if context.console.json {
        let raw: Vec<&Value> = previews.iter().map(|(raw, _)| raw).collect();
        return Ok(context.console.value(&json!({ "previews": raw }))?);
    }
    let now = Utc::now();
    let rows: Vec<Vec<Cell>> = previews.iter().map(|(_, preview)| row(preview, now)).collect();
    Ok(context.console.table(&["GENERATION", "PREVIEW", "STATUS", "URL", "AGE", "EXPIRES"], &rows)?)
}

/// What was asked for, each as sent and as read.
async fn list(client: &Client, args: &PsArgs) -> anyhow::Result<Vec<(Value, Glance)>> {
    const MOST_PAGES: usize = 100;
    let wanted = |preview: &Glance| args.all || args.status.is_some() || preview.is_live();
    let mut previews = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = page(client, args, cursor.as_deref()).await?;
        for raw in page.previews {
            let preview: Glance = serde_path_to_error::deserialize(&raw)?;
            if wanted(&preview) {
                previews.push((raw, preview));
            }
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(previews)
}

async fn page(client: &Client, args: &PsArgs, cursor: Option<&str>) -> Result<Page, ClientError> {
    client
        .call(Method::GET, "/api/v2/previews")
        .query("limit", "100")
        .query_opt("status", args.status.as_deref())
        .query_opt("project", args.project.as_deref())
        .query_opt("cursor", cursor)
        .json()
        .await
}

fn row(preview: &Glance, now: DateTime<Utc>) -> Vec<Cell> {
    let age = preview.created_at.map(|at| timespan::short((now - at).num_seconds()));
    let left = preview.expires_at.filter(|_| preview.is_live()).map(|at| (at - now).num_seconds());
    let none = || "-".to_owned();
    vec![
        Cell::new(preview.generation_id.as_deref().unwrap_or("-")),
        Cell::new(&preview.preview_instance_id),
        Cell::toned(&preview.status, Tone::of_status(&preview.status)),
        Cell::new(preview.base_url.as_deref().filter(|_| preview.is_live()).unwrap_or("-")),
        Cell::new(age.unwrap_or_else(none)),
        Cell::new(left.map_or_else(none, |left| format!("in {}", timespan::short(left)))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    fn preview(gid: &str, status: &str) -> Value {
        let created = Utc::now() - chrono::TimeDelta::seconds(190);
        let expires = Utc::now() + chrono::TimeDelta::seconds(7205);
        json!({"generationId": gid, "previewInstanceId": "id-1", "status": status,
               "baseUrl": "http://127.0.0.1:3001", "createdAt": created, "expiresAt": expires, "more": [1]})
    }

    #[tokio::test]
    async fn live_ones_of_all_pages_are_listed() {
        let server = serve(|call| match call.query.as_str() {
            "limit=100&project=shop%201" => {
                json_answer(200, &json!({"previews": [preview("g-1", "healthy"), preview("g-2", "stopped")], "nextCursor": "n"}))
            }
            "limit=100&project=shop%201&cursor=n" => json_answer(200, &json!({"previews": [preview("g-3", "brand-new")]})),
            other => panic!("{other}"),
        })
        .await;
        let args = || PsArgs { all: false, status: None, project: Some("shop 1".into()) };
        let (people, out, _) = context(&server, false);
        run(&people, args()).await.expect("ps");
        assert_eq!(
            out.text(),
            "GENERATION  PREVIEW  STATUS     URL                    AGE  EXPIRES\n\
             g-1         id-1     healthy    http://127.0.0.1:3001  3m   in 2h\n\
             g-3         id-1     brand-new  http://127.0.0.1:3001  3m   in 2h\n"
        );
        let (machine, out, _) = context(&server, true);
        run(&machine, PsArgs { all: true, ..args() }).await.expect("ps");
        let listed: Value = serde_json::from_str(&out.text()).expect("one JSON object");
        assert_eq!(listed["previews"].as_array().map(Vec::len), Some(3));
        assert_eq!(listed["previews"][0]["more"], json!([1]), "as the API sent it");
    }

    #[test]
    fn what_is_gone_has_no_url() {
        let (console, out, _) = crate::cli::testing::captured(false);
        let gone: Glance = serde_json::from_value(preview("g", "failed")).expect("a preview");
        console.table(&["", "", "", "", "", ""], &[row(&gone, Utc::now())]).expect("write");
        assert!(out.text().contains("failed  -  3m  -"), "{}", out.text());
    }
}
