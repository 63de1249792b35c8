//! `status GID`: one preview in a screenful.

use hyper::Method;
use serde_json::Value;

use super::context::Context;
use super::output::{Tone, clean};
use super::{preview, timespan};

pub async fn run(context: &Context, target: preview::Target) -> anyhow::Result<()> {
    let call = context.client.call(Method::GET, preview::path(&target.generation, "/status"));
    let status: Value = call.json().await?;
    if context.console.json {
        return Ok(context.console.value(&status)?);
    }
    for (label, text) in lines(&status) {
        let text = match label {
            "status" => context.console.paint(Tone::of_status(&text), &text),
            _ => text,
        };
        context.console.line(&format!("{:<13}{text}", format!("{label}:")))?;
    }
    Ok(())
}

/// Label and text of each line; what the daemon did not say has none.
fn lines(status: &Value) -> Vec<(&'static str, String)> {
    let word = |pointer: &str| text_at(status, pointer);
    let all = [
        ("status", word("/status")),
        ("url", word("/baseUrl")),
        ("preview", word("/previewInstanceId")),
        ("container", container(status)),
        ("up", seconds_at(status, "/uptime")),
        ("expires", expiry(status)),
        ("health", health(status)),
        ("memory", resource(status, "memory", "MiB")),
        ("cpu", resource(status, "cpu", "cores")),
        ("storage", resource(status, "storage", "MiB")),
        ("requests", traffic(status)),
        ("database", database(status)),
        ("cache", cache(status)),
    ];
    let mut lines: Vec<_> = all.into_iter().filter_map(|(label, text)| Some((label, text?))).collect();
    lines.extend(failure(status));
    lines
}

/// Its state, and that it is not of the image yet where that is so.
fn container(status: &Value) -> Option<String> {
    let state = text_at(status, "/containerStatus")?;
    match text_at(status, "/runsFrom").as_deref() {
        Some("environment") => Some(format!("{state}, in its environment while its image is made")),
        _ => Some(state),
    }
}

fn text_at(status: &Value, pointer: &str) -> Option<String> {
    match status.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(clean(text).into_owned()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(number) => rounded(number),
            None => number.to_string(),
        }),
        other => Some(other.to_string()),
    }
}

fn seconds_at(status: &Value, pointer: &str) -> Option<String> {
    let value = status.pointer(pointer)?;
    match value.as_f64() {
        Some(seconds) => Some(timespan::long(seconds.max(0.0) as u64)),
        None => text_at(status, pointer),
    }
}

fn expiry(status: &Value) -> Option<String> {
    let left = seconds_at(status, "/timeRemaining")?;
    let more = match status.pointer("/extensionsRemaining").and_then(Value::as_u64) {
        Some(0) => ", cannot be extended",
        Some(1) => ", 1 extension left",
        Some(n) => return Some(format!("in {left}, {n} extensions left")),
        None => "",
    };
    Some(format!("in {left}{more}"))
}

fn health(status: &Value) -> Option<String> {
    let mut text = text_at(status, "/health/status")?;
    let checks = status.pointer("/health/checks").and_then(Value::as_array);
    let words: Vec<String> = checks
        .into_iter()
        .flatten()
        .filter_map(|check| Some(format!("{} {}", text_at(check, "/name")?, text_at(check, "/status")?)))
        .collect();
    if !words.is_empty() {
        text.push_str(&format!(" ({})", words.join(", ")));
    }
    Some(text)
}

fn resource(status: &Value, name: &str, unit: &str) -> Option<String> {
    let at = |part: &str| status.pointer(&format!("/resources/{name}/{part}"))?.as_f64();
    let allocated = rounded(at("allocated")?);
    let percent = at("percent").map(|percent| format!(" ({} %)", rounded(percent))).unwrap_or_default();
    match at("used") {
        Some(used) => Some(format!("{} of {allocated} {unit}{percent}", rounded(used))),
        None => Some(format!("up to {allocated} {unit}{percent}")),
    }
}

/// Two decimals at the most: `512`, `0.5`, `33.18`.
fn rounded(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn traffic(status: &Value) -> Option<String> {
    let at = |part: &str| text_at(status, &format!("/performance/{part}"));
    let mut text = at("requestCount")?;
    text.push_str(&format!(", {} errors", at("errorCount").unwrap_or_else(|| "0".into())));
    if let Some(average) = at("avgResponseTime") {
        text.push_str(&format!(", {average} ms on average"));
    }
    if let Some(p95) = at("p95ResponseTime") {
        text.push_str(&format!(", 95 % within {p95} ms"));
    }
    Some(text)
}

fn database(status: &Value) -> Option<String> {
    let kind = text_at(status, "/database/type").filter(|kind| kind != "none")?;
    let parts = ["/database/status", "/database/migrationStatus"].map(|pointer| text_at(status, pointer));
    Some(std::iter::once(kind).chain(parts.into_iter().flatten()).collect::<Vec<_>>().join(", "))
}

fn cache(status: &Value) -> Option<String> {
    let part = |name: &str| text_at(status, &format!("/database/cache/{name}"));
    Some(format!("{}, {}, {} keys", part("type")?, part("status")?, part("keys")?))
}

fn failure(status: &Value) -> Vec<(&'static str, String)> {
    let Some(reason) = text_at(status, "/failure/reason") else { return Vec::new() };
    let stage = text_at(status, "/failure/stage").map(|stage| format!("{stage}: ")).unwrap_or_default();
    let tail = status.pointer("/failure/logTail").and_then(Value::as_array);
    let tail = tail.into_iter().flatten().filter_map(Value::as_str);
    let tail = tail.map(|line| ("", format!("│ {}", clean(line))));
    std::iter::once(("failure", format!("{stage}{reason}"))).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(status: &Value) -> String {
        lines(status).into_iter().map(|(label, text)| format!("{label}={text}\n")).collect()
    }

    #[test]
    fn a_whole_status_is_a_screenful() {
        let status = json!({
            "previewInstanceId": "id-1", "status": "healthy", "containerStatus": "running",
            "runsFrom": "environment",
            "baseUrl": "http://127.0.0.1:3001", "uptime": 3700,
            "health": {"status": "healthy", "checks": [{"name": "http", "status": "healthy"}]},
            "resources": {"memory": {"allocated": 512.0, "used": 48.0, "percent": 9.375},
                          "cpu": {"allocated": 0.5, "used": null, "percent": null}},
            "performance": {"requestCount": 12, "errorCount": 1, "errorRate": 0.08, "avgResponseTime": 4.5},
            "database": {"type": "none"}, "timeRemaining": 90, "extensionsRemaining": 3
        });
        assert_eq!(
            text(&status),
            "status=healthy\nurl=http://127.0.0.1:3001\npreview=id-1\ncontainer=running, in its environment while its image is made\nup=1h 1m\n\
             expires=in 1m 30s, 3 extensions left\nhealth=healthy (http healthy)\n\
             memory=48 of 512 MiB (9.38 %)\ncpu=up to 0.5 cores\n\
             requests=12, 1 errors, 4.5 ms on average\n"
        );
    }

    #[test]
    fn a_failure_shows_stage_reason_and_last_lines() {
        let status = json!({"status": "failed", "failure": {
            "stage": "startup", "reason": "exit code 1", "logTail": ["Traceback", "\u{1b}[31mboom"]}});
        assert_eq!(text(&status), "status=failed\nfailure=startup: exit code 1\n=│ Traceback\n=│ boom\n");
    }
}
