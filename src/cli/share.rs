//! `share`: links that open one preview for somebody without an account.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::Context;
use super::output::{Cell, Tone};
use super::{preview, timespan};

#[derive(Debug, Args)]
pub struct ShareArgs {
    #[command(flatten)]
    target: preview::Target,
    /// How long the link opens it: 2h, 7d, at most 30d [default: 1d]
    #[arg(long, value_name = "D", value_parser = timespan::parse)]
    ttl: Option<Duration>,
    /// List its links, those that are over too
    #[arg(long, conflicts_with_all = ["ttl", "revoke"])]
    list: bool,
    /// Revoke a link; it opens nothing from now on
    #[arg(long, value_name = "SHARE_ID", conflicts_with = "ttl")]
    revoke: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    share_id: String,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Shares {
    shares: Vec<Share>,
}

pub async fn run(context: &Context, args: ShareArgs) -> anyhow::Result<()> {
    match (args.list, &args.revoke) {
        (true, _) => list(context, &args.target).await,
        (false, Some(id)) => revoke(context, &args.target, id).await,
        (false, None) => create(context, &args).await,
    }
}

async fn create(context: &Context, args: &ShareArgs) -> anyhow::Result<()> {
    let mut body = json!({});
    if let Some(ttl) = args.ttl {
        body["expiresIn"] = json!(ttl.as_secs());
    }
    let path = preview::path(&args.target.generation, "/share");
    let answer: Value = context.client.call(Method::POST, path).body(&body)?.json().await?;
    if context.console.json {
        return Ok(context.console.value(&answer)?);
    }
    let until = answer["expiresAt"].as_str().unwrap_or_default();
    context.console.note(&format!("opens the preview until {until}, or until it ends"));
    if answer["private"] == false {
        context.console.note("the preview is not private: it opens without the link as well");
    }
    Ok(context.console.line(answer["url"].as_str().unwrap_or_default())?)
}

async fn list(context: &Context, target: &preview::Target) -> anyhow::Result<()> {
    let path = preview::path(&target.generation, "/shares");
    let found: Shares = context.client.call(Method::GET, path).json().await?;
    if context.console.json {
        return Ok(context.console.value(&found)?);
    }
    let rows: Vec<Vec<Cell>> = found.shares.iter().map(|share| row(share, Utc::now())).collect();
    Ok(context.console.table(&["SHARE ID", "BY", "CREATED", "STATE"], &rows)?)
}

fn row(share: &Share, now: DateTime<Utc>) -> Vec<Cell> {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%MZ").to_string();
    let state = match share.revoked_at {
        Some(_) => Cell::toned("revoked", Tone::Faint),
        None if share.expires_at <= now => Cell::toned("expired", Tone::Faint),
        None => Cell::new(format!("until {}", time(share.expires_at))),
    };
    vec![Cell::new(&share.share_id), Cell::new(&share.created_by), Cell::new(time(share.created_at)), state]
}

async fn revoke(context: &Context, target: &preview::Target, id: &str) -> anyhow::Result<()> {
    let path = preview::path(&target.generation, &format!("/shares/{id}"));
    context.client.call(Method::DELETE, path).send().await?;
    match context.console.json {
        true => context.console.value(&json!({ "revoked": id }))?,
        false => context.console.line(&format!("{id} is revoked"))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    fn args(ttl: Option<u64>, list: bool) -> ShareArgs {
        let target = preview::Target { generation: "shop".parse().expect("an id") };
        ShareArgs { target, ttl: ttl.map(Duration::from_secs), list, revoke: None }
    }

    #[tokio::test]
    async fn the_link_is_alone_on_stdout() {
        let server = serve(|call| {
            assert_eq!(call.path, "/api/v2/generations/shop/preview/share");
            assert_eq!(call.json(), json!({ "expiresIn": 7200 }));
            let link = "http://127.0.0.1:3001/?previewd_token=pvs_a";
            json_answer(
                201,
                &json!({ "shareId": "a", "url": link, "expiresAt": "2026-01-31T14:00:00Z", "private": false }),
            )
        })
        .await;
        let (context, out, err) = context(&server, false);
        run(&context, args(Some(7200), false)).await.expect("a link");
        assert_eq!(out.text(), "http://127.0.0.1:3001/?previewd_token=pvs_a\n");
        assert!(err.text().contains("not private"), "{}", err.text());
    }

    #[tokio::test]
    async fn links_are_listed_with_what_became_of_them() {
        let link = |id: &str, expires: &str, revoked: Option<&str>| json!({ "shareId": id, "createdBy": "ann", "createdAt": "2026-01-31T12:00:00Z", "expiresAt": expires, "revokedAt": revoked });
        let (past, ahead) = ("2026-01-31T13:00:00Z", "2126-01-31T13:00:00Z");
        let all = json!({ "shares": [link("a", ahead, None), link("b", past, None), link("c", ahead, Some(past))] });
        let server = serve(move |_| json_answer(200, &all)).await;
        let (context, out, _) = context(&server, false);
        run(&context, args(None, true)).await.expect("a table");
        assert_eq!(
            out.text(),
            "SHARE ID  BY   CREATED            STATE\n\
             a         ann  2026-01-31 12:00Z  until 2126-01-31 13:00Z\n\
             b         ann  2026-01-31 12:00Z  expired\n\
             c         ann  2026-01-31 12:00Z  revoked\n"
        );
    }
}
