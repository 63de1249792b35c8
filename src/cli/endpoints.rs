//! `endpoints GID`: what the app answers to, as found in its code.

use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use super::context::Context;
use super::output::{Cell, clean};
use super::preview;

#[derive(Debug, Deserialize)]
struct Found {
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    warnings: Vec<Warning>,
}

#[derive(Debug, Deserialize)]
struct Warning {
    message: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    method: String,
    path: String,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    description: Option<String>,
    /// Where the code and the app's own document do not agree.
    #[serde(default)]
    differences: Vec<String>,
}

pub async fn run(context: &Context, target: preview::Target) -> anyhow::Result<()> {
    let call = context.client.call(Method::GET, preview::path(&target.generation, "/endpoints"));
    let answer = call.send().await?;
    if context.console.json {
        return Ok(context.console.value(&answer.json::<Value>()?)?);
    }
    let found: Found = answer.json()?;
    let rows: Vec<Vec<Cell>> = found.endpoints.iter().map(Endpoint::row).collect();
    context.console.table(&["METHOD", "PATH", "SUMMARY"], &rows)?;
    for note in found.notes() {
        context.console.note(&clean(&note));
    }
    Ok(())
}

impl Found {
    fn notes(&self) -> Vec<String> {
        let differences = self.endpoints.iter().flat_map(|endpoint| {
            endpoint.differences.iter().map(|said| format!("{} {}: {said}", endpoint.method, endpoint.path))
        });
        let place = |warning: &Warning| match (&warning.file, warning.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        let warnings = self.warnings.iter().map(|warning| format!("{}{}", place(warning), warning.message));
        differences.chain(warnings).collect()
    }
}

impl Endpoint {
    fn row(&self) -> Vec<Cell> {
        let said = [&self.summary, &self.description].into_iter().flatten().find(|text| !text.is_empty());
        let line = said.and_then(|text| text.lines().next()).unwrap_or_default();
        vec![Cell::new(&self.method), Cell::new(&self.path), Cell::new(line)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::testing::{context, json_answer, serve};

    #[tokio::test]
    async fn a_line_each() {
        let server = serve(|_| {
            json_answer(
                200,
                &json!({"count": 2, "endpoints": [
                {"method": "GET", "path": "/items/{id}", "summary": "One item", "tags": []},
                {"method": "DELETE", "path": "/", "summary": "", "description": "Away.\n\nFor good.",
                 "differences": ["the body is A in the code and B in the document"]}],
                "warnings": [{"message": "a syntax error", "file": "a.py", "line": 3}]}),
            )
        })
        .await;
        let (context, out, err) = context(&server, false);
        let target = preview::Target { generation: "g-1".parse().expect("an id") };
        run(&context, target).await.expect("endpoints");
        assert_eq!(
            out.text(),
            "METHOD  PATH         SUMMARY\nGET     /items/{id}  One item\nDELETE  /            Away.\n"
        );
        assert_eq!(
            err.text(),
            "DELETE /: the body is A in the code and B in the document\na.py:3: a syntax error\n"
        );
        assert_eq!(server.calls()[0].path, "/api/v2/generations/g-1/preview/endpoints");
    }
}
