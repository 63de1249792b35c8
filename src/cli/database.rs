//! `database GID`: what is in a preview's database, a question to it, or back to its beginning.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{Cell, bytes};
use super::preview;

#[derive(Debug, Args)]
pub struct DatabaseArgs {
    #[command(flatten)]
    target: preview::Target,
    /// Ask it one SELECT
    #[arg(long, value_name = "SQL", conflicts_with = "reset")]
    query: Option<String>,
    /// Bring it back to its migrated and seeded state; the app is started anew
    #[arg(long)]
    reset: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inside {
    r#type: String,
    status: String,
    migration_status: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    table_list: Vec<Table>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    cache: Option<Cache>,
}

#[derive(Debug, Deserialize)]
struct Cache {
    r#type: String,
    status: String,
    keys: u64,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Table {
    #[serde(default)]
    schema: Option<String>,
    name: String,
    #[serde(default)]
    rows: Option<u64>,
    #[serde(default)]
    bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    truncated: bool,
}

/// A reset copies or migrates, and starts the app.
const RESET: Duration = Duration::from_secs(310);

pub async fn run(context: &Context, args: DatabaseArgs) -> anyhow::Result<()> {
    let path = |tail: &str| preview::path(&args.target.generation, tail);
    let call = match (&args.query, args.reset) {
        (Some(sql), _) => {
            context.client.call(Method::POST, path("/database/query")).body(&json!({ "sql": sql }))?
        }
        (None, true) => {
            context.client.call(Method::POST, path("/database/reset")).body(&json!({}))?.deadline(RESET)
        }
        (None, false) => context.client.call(Method::GET, path("/database")),
    };
    let answer = call.send().await?;
    if context.console.json {
        return Ok(context.console.value(&answer.json::<Value>()?)?);
    }
    match (&args.query, args.reset) {
        (Some(_), _) => show_answer(context, &answer.json()?),
        (None, true) => {
            let elapsed = answer.json::<Value>()?["elapsedMs"].as_u64().unwrap_or_default();
            Ok(context.console.line(&format!("reset in {elapsed} ms"))?)
        }
        (None, false) => show_inside(context, &answer.json()?),
    }
}

fn show_inside(context: &Context, inside: &Inside) -> anyhow::Result<()> {
    let size = inside.size.map(|size| format!(", {}", bytes(size))).unwrap_or_default();
    let migrations = match inside.migration_status.as_str() {
        "none" => String::new(),
        status => format!(", migrations {status}"),
    };
    if inside.r#type != "none" || inside.cache.is_none() {
        context.console.line(&format!("{}, {}{migrations}{size}", inside.r#type, inside.status))?;
    }
    let row = |table: &Table| {
        let schema = table.schema.as_ref().filter(|schema| *schema != "public");
        let name = schema.map_or(table.name.clone(), |schema| format!("{schema}.{}", table.name));
        let rows = table.rows.map_or_else(|| "?".to_owned(), |rows| rows.to_string());
        vec![Cell::new(name), Cell::new(rows), Cell::new(table.bytes.map(bytes).unwrap_or_default())]
    };
    let rows: Vec<_> = inside.table_list.iter().map(row).collect();
    if !rows.is_empty() {
        context.console.table(&["TABLE", "ROWS", "SIZE"], &rows)?;
    }
    if inside.truncated {
        context.console.note("there are more tables");
    }
    if let Some(cache) = &inside.cache {
        let Cache { r#type, status, keys, size } = cache;
        context.console.line(&format!("{}, {status}, {keys} keys, {}", r#type, bytes(*size)))?;
    }
    Ok(())
}

fn show_answer(context: &Context, answer: &Answer) -> anyhow::Result<()> {
    let heads: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
    let cell = |value: &Value| match value {
        Value::String(text) => Cell::new(text),
        Value::Null => Cell::new(""),
        other => Cell::new(other.to_string()),
    };
    let rows: Vec<Vec<Cell>> = answer.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    context.console.table(&heads, &rows)?;
    if answer.truncated {
        context.console.note("there are more rows, or longer ones");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    fn args(query: Option<&str>) -> DatabaseArgs {
        let target = preview::Target { generation: "g-1".parse().expect("an id") };
        DatabaseArgs { target, query: query.map(str::to_owned), reset: false }
    }

    #[tokio::test]
    async fn tables_with_their_rows() {
        let server = serve(|_| {
            json_answer(
                200,
                &json!({"type": "postgresql", "status": "ready", "migrationStatus": "completed", "size": 2048,
                    "tables": 1, "records": 2, "truncated": false,
                    "cache": {"type": "redis", "status": "ready", "keys": 3, "size": 1024},
                    "tableList": [{"schema": "public", "name": "people", "rows": 2, "bytes": 1024}]}),
            )
        })
        .await;
        let (context, out, _) = context(&server, false);
        run(&context, args(None)).await.expect("shown");
        let text = out.text();
        assert!(text.starts_with("postgresql, ready, migrations completed"), "{text}");
        assert!(text.contains("people  2"), "{text}");
        assert!(text.contains("redis, ready, 3 keys, 1"), "{text}");
        assert_eq!(server.calls()[0].path, "/api/v2/generations/g-1/preview/database");
    }

    #[tokio::test]
    async fn an_answer_is_a_table() {
        let server = serve(|_| {
            json_answer(
                200,
                &json!({"columns": ["id", "name"], "rows": [[1, "ann"], [2, null]], "truncated": false}),
            )
        })
        .await;
        let (context, out, _) = context(&server, false);
        run(&context, args(Some("SELECT 1"))).await.expect("shown");
        assert!(out.text().starts_with("id  name\n1   ann\n2   "), "{}", out.text());
    }
}
