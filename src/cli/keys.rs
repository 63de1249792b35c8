//! `keys create | list | revoke`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::output::{Cell, Tone};
use super::timespan;
use crate::domain::{Scope, UserId, UserTier};

#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key; it is printed once and kept nowhere
    Create(CreateArgs),
    /// List keys, newest first
    List,
    /// Revoke a key; the next request that brings it is refused
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What it is called in lists
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it is for: read, launch, admin or act; may be repeated [default: read and launch]
    #[arg(long = "scope", value_name = "S")]
    scopes: Vec<Scope>,
    /// How long it is valid: 12h, 30d [default: until it is revoked]
    #[arg(long, value_name = "D", value_parser = timespan::parse)]
    ttl: Option<Duration>,
    /// Whose it is [default: yours]
    #[arg(long, value_name = "U")]
    user: Option<UserId>,
    /// What its user may use: free, pro or enterprise [default: yours]
    #[arg(long, value_name = "T")]
    tier: Option<UserTier>,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "KEY_ID")]
    id: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    name: String,
    user: String,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    keys: Vec<Key>,
    next_cursor: Option<String>,
}

pub async fn run(context: &Context, args: KeysArgs) -> anyhow::Result<()> {
    match args.command {
        KeysCommand::Create(args) => create(context, args).await,
        KeysCommand::List => list(context).await,
        KeysCommand::Revoke(args) => revoke(context, &args.id).await,
    }
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    let mut body = json!({ "name": args.name });
    if !args.scopes.is_empty() {
        body["scopes"] = json!(args.scopes);
    }
    if let Some(ttl) = args.ttl {
        body["expiresIn"] = json!(ttl.as_secs());
    }
    if let Some(user) = args.user {
        body["user"] = json!(user);
    }
    if let Some(tier) = args.tier {
        body["tier"] = json!(tier);
    }
    let answer: serde_json::Value =
        context.client.call(Method::POST, "/api/v2/keys").body(&body)?.json().await?;
    if context.console.json {
        return Ok(context.console.value(&answer)?);
    }
    context.console.note("this is shown once: keep it where secrets are kept");
    Ok(context.console.line(answer["key"].as_str().unwrap_or_default())?)
}

async fn list(context: &Context) -> anyhow::Result<()> {
    // A user has 100 keys that are of use; the rest is history.
    const MOST_PAGES: usize = 50;
    let (mut keys, mut cursor) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let call = context.client.call(Method::GET, "/api/v2/keys").query("limit", "200");
        let page: Page = call.query_opt("cursor", cursor.take()).json().await?;
        keys.extend(page.keys);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if context.console.json {
        return Ok(context.console.value(&json!({ "keys": keys }))?);
    }
    let rows: Vec<Vec<Cell>> = keys.iter().map(|key| row(key, Utc::now())).collect();
    let heads = ["KEY ID", "NAME", "USER", "SCOPES", "CREATED", "LAST USED", "STATE"];
    Ok(context.console.table(&heads, &rows)?)
}

fn row(key: &Key, now: DateTime<Utc>) -> Vec<Cell> {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%MZ").to_string();
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => Cell::toned("revoked", Tone::Faint),
        (None, Some(at)) if at <= now => Cell::toned("expired", Tone::Faint),
        (None, Some(at)) => Cell::new(format!("until {}", time(at))),
        (None, None) => Cell::new("until revoked"),
    };
    vec![
        Cell::new(&key.id),
        Cell::new(&key.name),
        Cell::new(&key.user),
        Cell::new(key.scopes.join(",")),
        Cell::new(time(key.created_at)),
        Cell::new(key.last_used_at.map_or_else(|| "never".to_owned(), time)),
        state,
    ]
}

async fn revoke(context: &Context, id: &str) -> anyhow::Result<()> {
    context.client.call(Method::DELETE, format!("/api/v2/keys/{id}")).send().await?;
    match context.console.json {
        true => context.console.value(&json!({ "revoked": id }))?,
        false => context.console.line(&format!("{id} is revoked"))?,
    }
    Ok(())
}
