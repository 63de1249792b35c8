//! `compare GID GID`: what became of one generation in another, written as a diff.

use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use super::context::Context;
use super::output::{Console, Tone, clean};
use super::preview;
use crate::domain::GenerationId;

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier generation
    #[arg(value_name = "GID")]
    before: GenerationId,
    /// The later generation
    #[arg(value_name = "GID")]
    after: GenerationId,
}

#[derive(Debug, Deserialize)]
struct Answer {
    comparison: Comparison,
}

#[derive(Debug, Deserialize)]
struct Comparison {
    endpoints: Changes<Endpoint>,
    models: Changes<Model>,
    dependencies: Changes<Dependency>,
    environment: Changes<String>,
    performance: Performance,
}

#[derive(Debug, Deserialize)]
struct Changes<T> {
    added: Vec<T>,
    removed: Vec<T>,
    modified: Vec<Modified>,
}

/// What is there in both, in whichever of the forms the API has for it.
#[derive(Debug, Deserialize)]
struct Modified {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    what: Option<String>,
    #[serde(default)]
    changes: Vec<Change>,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    after: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Change {
    what: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    method: String,
    path: String,
}

#[derive(Debug, Deserialize)]
struct Model {
    name: String,
    kind: String,
    file: String,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Performance {
    avg_response_time_change: Option<String>,
    error_rate_change: Option<String>,
    before: Option<Served>,
    after: Option<Served>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    request_count: u64,
    error_count: u64,
    avg_response_time: f64,
}

/// One line of the diff.
struct Line {
    sign: char,
    text: String,
}

pub async fn run(context: &Context, args: CompareArgs) -> anyhow::Result<()> {
    let path = preview::path(&args.before, &format!("/compare/{}", args.after));
    let answer = context.client.call(Method::GET, path).send().await?;
    if context.console.json {
        return Ok(context.console.value(&answer.json::<Value>()?)?);
    }
    let Answer { comparison } = answer.json()?;
    print(&context.console, &args, &comparison)
}

fn print(console: &Console, args: &CompareArgs, found: &Comparison) -> anyhow::Result<()> {
    let endpoint = |one: &Endpoint| format!("{} {}", one.method, one.path);
    let model = |one: &Model| format!("{} ({}, {})", one.name, one.kind, one.file);
    let dependency = |one: &Dependency| format!("{} {}", one.name, one.version).trim_end().to_owned();
    let sections = [
        ("endpoints", lines(&found.endpoints, endpoint)),
        ("models", lines(&found.models, model)),
        ("dependencies", lines(&found.dependencies, dependency)),
        ("environment", lines(&found.environment, String::clone)),
        ("performance", found.performance.lines()),
    ];
    console.line(&console.paint(Tone::Faint, &format!("--- {}", args.before)))?;
    console.line(&console.paint(Tone::Faint, &format!("+++ {}", args.after)))?;
    let mut silent = true;
    for (name, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
        silent = false;
        console.line(&console.paint(Tone::Faint, &format!("@@ {name} @@")))?;
        for line in lines {
            let tone = match line.sign {
                '+' => Tone::Good,
                '-' => Tone::Bad,
                '!' => Tone::Busy,
                _ => Tone::Plain,
            };
            console.line(&console.paint(tone, &format!("{} {}", line.sign, clean(&line.text))))?;
        }
    }
    if silent {
        console.note("no differences");
    }
    Ok(())
}

/// What is gone, what is new, and below what is both, what of it is gone and new.
fn lines<T>(changes: &Changes<T>, told: impl Fn(&T) -> String) -> Vec<Line> {
    let line = |sign| move |text| Line { sign, text };
    let mut all: Vec<Line> = changes.removed.iter().map(&told).map(line('-')).collect();
    all.extend(changes.added.iter().map(&told).map(line('+')));
    for modified in &changes.modified {
        modified.add_lines(&mut all);
    }
    all
}

impl Modified {
    fn add_lines(&self, out: &mut Vec<Line>) {
        let named = match (&self.method, &self.path) {
            (Some(method), Some(path)) => Some(format!("{method} {path}")),
            _ => self.name.clone().or_else(|| self.what.clone()),
        };
        let name = named.unwrap_or_default();
        if self.changes.is_empty() {
            out.extend(sides(&name, &self.before, &self.after));
            return;
        }
        out.push(Line { sign: '!', text: name });
        for change in &self.changes {
            out.extend(sides(&format!("    {}:", change.what), &change.before, &change.after));
        }
    }
}

fn sides(what: &str, before: &Option<String>, after: &Option<String>) -> Vec<Line> {
    let side = |sign, text: &Option<String>| {
        text.as_ref().map(|text| Line { sign, text: format!("{what} {text}").trim_end().to_owned() })
    };
    [side('-', before), side('+', after)].into_iter().flatten().collect()
}

impl Performance {
    fn lines(&self) -> Vec<Line> {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return Vec::new() };
        let line = |what: &str, before: String, after: String, change: &Option<String>| {
            let change = change.as_deref().map(|change| format!(" ({change})")).unwrap_or_default();
            Line { sign: ' ', text: format!("{what}: {before} -> {after}{change}") }
        };
        let time = |served: &Served| format!("{:.1} ms", served.avg_response_time);
        let rate = |served: &Served| {
            format!("{:.1}%", 100.0 * served.error_count as f64 / served.request_count.max(1) as f64)
        };
        vec![
            line("average response time", time(before), time(after), &self.avg_response_time_change),
            line("error rate", rate(before), rate(after), &self.error_rate_change),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    fn args() -> CompareArgs {
        CompareArgs { before: "shop-1".parse().expect("an id"), after: "shop-2".parse().expect("an id") }
    }

    fn nothing() -> Value {
        json!({"added": [], "removed": [], "modified": []})
    }

    #[tokio::test]
    async fn a_diff_from_the_first_to_the_second() {
        let server = serve(|_| {
            let comparison = json!({
                "endpoints": {"added": [{"method": "GET", "path": "/new"}], "removed": [{"method": "DELETE", "path": "/old"}],
                    "modified": [{"method": "GET", "path": "/items/{item_id}", "changes": [
                        {"what": "path", "before": "/items/{id}", "after": "/items/{item_id}"},
                        {"what": "query parameter limit", "before": null, "after": "int, optional"}]}]},
                "models": {"added": [{"name": "Page", "kind": "pydantic", "file": "schemas.py"}], "removed": [],
                    "modified": [{"name": "Item", "kind": "pydantic", "file": "m.py", "changes": [{"what": "field id", "before": "int", "after": "str"}]}]},
                "dependencies": {"added": [{"name": "httpx", "version": ""}], "removed": [],
                    "modified": [{"name": "fastapi", "before": ">=0.1", "after": ">=0.2", "file": "requirements.txt"}]},
                "environment": {"added": ["NEW_KEY"], "removed": [], "modified": [{"what": "port", "before": "8000", "after": "9000"}]},
                "performance": {"avgResponseTimeChange": "-15%", "errorRateChange": null,
                    "before": {"requestCount": 10, "errorCount": 0, "avgResponseTime": 20.0},
                    "after": {"requestCount": 4, "errorCount": 1, "avgResponseTime": 17.0}}});
            json_answer(200, &json!({ "comparison": comparison }))
        })
        .await;
        let (context, out, _) = context(&server, false);
        run(&context, args()).await.expect("a comparison");
        assert_eq!(
            out.text(),
            "--- shop-1\n+++ shop-2\n@@ endpoints @@\n- DELETE /old\n+ GET /new\n! GET /items/{item_id}\n\
             -     path: /items/{id}\n+     path: /items/{item_id}\n+     query parameter limit: int, optional\n\
             @@ models @@\n+ Page (pydantic, schemas.py)\n! Item\n-     field id: int\n+     field id: str\n\
             @@ dependencies @@\n+ httpx\n- fastapi >=0.1\n+ fastapi >=0.2\n@@ environment @@\n+ NEW_KEY\n- port 8000\n+ port 9000\n\
             @@ performance @@\n  average response time: 20.0 ms -> 17.0 ms (-15%)\n  error rate: 0.0% -> 25.0%\n"
        );
        assert_eq!(server.calls()[0].path, "/api/v2/generations/shop-1/preview/compare/shop-2");
    }

    #[tokio::test]
    async fn nothing_changed_and_json_as_it_is() {
        let empty = json!({"comparison": {"endpoints": nothing(), "models": nothing(), "dependencies": nothing(),
            "environment": nothing(), "performance": {"avgResponseTimeChange": null, "errorRateChange": null, "before": null, "after": null}}});
        let answer = empty.clone();
        let server = serve(move |_| json_answer(200, &answer)).await;
        let (context, out, err) = crate::cli::testing::context(&server, false);
        run(&context, args()).await.expect("a comparison");
        assert_eq!(
            (out.text().as_str(), err.text().as_str()),
            ("--- shop-1\n+++ shop-2\n", "no differences\n")
        );
        let (context, out, _) = crate::cli::testing::context(&server, true);
        run(&context, args()).await.expect("a comparison");
        assert_eq!(serde_json::from_str::<Value>(&out.text()).expect("JSON"), empty);
    }
}
