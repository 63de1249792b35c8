//! `request GID METHOD PATH`: one HTTP request through the daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use clap::Args;
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::context::Context;
use super::output::clean;
use super::preview::{self, Glance};
use super::timespan;
use crate::domain::GenerationId;

#[derive(Debug, Args)]
pub struct RequestArgs {
    #[command(flatten)]
    target: preview::Target,
    /// GET, POST, PUT, PATCH, DELETE, …
    #[arg(value_name = "METHOD", value_parser = method)]
    method: String,
    /// The path in the app, with a / in front
    #[arg(value_name = "PATH", value_parser = path)]
    path: String,
    /// The body: text, @FILE, or @- for stdin
    #[arg(short, long, value_name = "BODY")]
    data: Option<String>,
    /// A header; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A query parameter; may be given several times
    #[arg(short, long = "query", value_name = "K=V", value_parser = parameter)]
    query: Vec<(String, String)>,
    /// Print the headers of the answer before its body
    #[arg(short, long)]
    include: bool,
    /// Fail when the app answers 400 or above
    #[arg(short, long)]
    fail: bool,
    /// The preview's own token [default: asked of the daemon]
    #[arg(long, value_name = "TOKEN")]
    preview_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
}

/// What the app answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    body_encoding: Option<String>,
    #[serde(default)]
    elapsed_ms: f64,
}

pub async fn run(context: &Context, args: RequestArgs) -> anyhow::Result<()> {
    let generation = &args.target.generation;
    let data = match &args.data {
        Some(data) => Some(read_data(data).await?),
        None => None,
    };
    let token = match &args.preview_token {
        Some(token) => token.clone(),
        None => preview_token(&context.client, generation).await?,
    };
    let answer = context
        .client
        .call(Method::POST, preview::path(generation, "/request"))
        .header(HeaderName::from_static("x-preview-token"), token)
        .deadline(Duration::from_secs(120))
        .body(&Request::of(&args, data)?)?
        .send()
        .await?;
    let response: Response = answer.json()?;
    match context.console.json {
        true => context.console.value(&answer.json::<Value>()?)?,
        false => print(context, &args, &response)?,
    }
    match args.fail && response.status_code >= 400 {
        true => anyhow::bail!("the app answered {}", response.status_code),
        false => Ok(()),
    }
}

/// A launch of a live preview answers with its token and changes nothing; of any other it would
/// start one, so that is looked at first.
async fn preview_token(client: &Client, generation: &GenerationId) -> anyhow::Result<String> {
    let glance = Glance::of(client, generation).await?;
    if !glance.is_live() {
        anyhow::bail!("{generation} is {}; start it with `previewd launch`", glance.status);
    }
    let call = client.call(Method::POST, preview::path(generation, "/launch"));
    let launched: Value = call.body(&json!({}))?.json().await?;
    let token = launched.get("previewToken").and_then(Value::as_str);
    Ok(token.context("the daemon gave no preview token; pass one with --preview-token")?.to_owned())
}

/// The body given as text, from a file or from stdin.
async fn read_data(data: &str) -> anyhow::Result<String> {
    match data.strip_prefix('@') {
        None => Ok(data.to_owned()),
        Some("-") => {
            let read = || std::io::read_to_string(std::io::stdin());
            tokio::task::spawn_blocking(read).await?.context("cannot read stdin")
        }
        Some(file) => {
            let file = PathBuf::from(file);
            tokio::fs::read_to_string(&file).await.with_context(|| format!("cannot read {}", file.display()))
        }
    }
}

impl<'a> Request<'a> {
    fn of(args: &'a RequestArgs, data: Option<String>) -> anyhow::Result<Self> {
        let mut headers: BTreeMap<String, String> = args.headers.iter().cloned().collect();
        let body = match data {
            None => None,
            Some(text) => Some(match structure(&text) {
                Some(json) => {
                    let typed = headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
                    if !typed {
                        headers.insert("content-type".to_owned(), "application/json".to_owned());
                    }
                    json
                }
                None => to_raw_value(&text)?,
            }),
        };
        let query = args.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Ok(Self { method: &args.method, path: &args.path, query, body, headers })
    }
}

/// An object or an array, as it is written.
fn structure(text: &str) -> Option<Box<RawValue>> {
    let json: Box<RawValue> = serde_json::from_str(text).ok()?;
    json.get().starts_with(['{', '[']).then_some(json)
}

fn print(context: &Context, args: &RequestArgs, response: &Response) -> anyhow::Result<()> {
    let console = &context.console;
    let status = response.status_code;
    let reason = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("");
    console.note(&format!("{status} {reason}, {}", timespan::elapsed(response.elapsed_ms.round() as u64)));
    if args.include {
        for (name, value) in &response.headers {
            let values = match value {
                Value::Array(values) => values.iter().collect(),
                one => vec![one],
            };
            for value in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                console.line(&format!("{}: {}", clean(name), clean(&text)))?;
            }
        }
        console.line("")?;
    }
    let body = response.bytes()?;
    console.write(&body)?;
    // So that the prompt stands on a line of its own.
    if !body.is_empty() && body.last() != Some(&b'\n') {
        console.line("")?;
    }
    Ok(())
}

impl Response {
    fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let text = match &self.body {
            Value::Null => return Ok(Vec::new()),
            Value::String(text) => text.clone(),
            // An app's JSON that the daemon has parsed.
            value => serde_json::to_string_pretty(value)?,
        };
        match self.body_encoding.as_deref() {
            Some("base64") => base64::engine::general_purpose::STANDARD
                .decode(text)
                .context("the daemon sent a body that is not base64"),
            _ => Ok(text.into_bytes()),
        }
    }
}

fn method(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    match !upper.is_empty() && upper.bytes().all(|b| b.is_ascii_uppercase()) {
        true => Ok(upper),
        false => Err("expected an HTTP method".to_owned()),
    }
}

fn path(text: &str) -> Result<String, String> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err("expected a path that starts with /".to_owned()),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected NAME: VALUE".to_owned()),
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{context, json_answer, serve};
    use crate::cli::{Cli, Command};

    fn args(line: &str) -> RequestArgs {
        use clap::Parser as _;
        let words = crate::cli::testing::shell_words(&format!("previewd request g-1 {line}"));
        match Cli::try_parse_from(words).expect("valid").command {
            Command::Request(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn json_is_sent_as_json_and_the_rest_as_text() {
        let sent = |line: &str| {
            let args = args(line);
            serde_json::to_value(Request::of(&args, args.data.clone()).expect("json")).expect("json")
        };
        assert_eq!(
            sent(r#"post /a -d '{"n": 1}' -q 'b=c=d'"#),
            json!({"method": "POST", "path": "/a", "query": {"b": "c=d"}, "body": {"n": 1},
                   "headers": {"content-type": "application/json"}})
        );
        assert_eq!(
            sent(r#"PUT /a -d 17 -H 'Content-Type: text/plain'"#),
            json!({"method": "PUT", "path": "/a", "body": "17", "headers": {"Content-Type": "text/plain"}})
        );
    }

    #[tokio::test]
    async fn the_token_comes_from_the_live_preview() {
        let server = serve(|call| match call.path.rsplit('/').next() {
            Some("status") => json_answer(200, &json!({"previewInstanceId": "id", "status": "healthy"})),
            Some("launch") => json_answer(200, &json!({"previewToken": "pt-1"})),
            _ => {
                assert_eq!(call.header("x-preview-token"), "pt-1");
                json_answer(
                    200,
                    &json!({"statusCode": 404, "headers": {"set-cookie": ["a", "b"]},
                                         "body": "aGkA", "bodyEncoding": "base64", "elapsedMs": 12.4}),
                )
            }
        })
        .await;
        let (context, out, err) = context(&server, false);
        let error = run(&context, args("GET /x --include --fail")).await.expect_err("404");
        assert_eq!(error.to_string(), "the app answered 404");
        assert_eq!(out.text(), "set-cookie: a\nset-cookie: b\n\nhi\0\n");
        assert_eq!(err.text(), "404 Not Found, 12ms\n");
    }

    #[tokio::test]
    async fn a_stopped_preview_is_not_started_by_it() {
        let server = serve(|call| {
            assert_eq!(call.method, "GET");
            json_answer(200, &json!({"previewInstanceId": "id", "status": "stopped"}))
        })
        .await;
        let (context, ..) = context(&server, false);
        let error = run(&context, args("GET /")).await.expect_err("stopped");
        assert_eq!(error.to_string(), "g-1 is stopped; start it with `previewd launch`");
    }
}
