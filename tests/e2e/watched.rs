//! What a preview is watched for: every check, how its container is, how much of its log is kept;
//! and that nothing told about it gives a secret away.

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::scene::{OBEDIENT, launch_with, nonce, once, path, put, python, status, text, up, visitor};
use crate::socket::Socket;

/// Prints so many numbered lines, then serves.
const CHATTY: &str = r#"
import http.server
for i in range(1500):
    print(f"numbered {i:06}")
print("all printed", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"#;

fn check(status: &Value, name: &str) -> Option<Value> {
    status["health"]["checks"].as_array()?.iter().find(|check| check["name"] == name).cloned()
}

async fn exported(client: &Client, id: &str) -> Vec<Value> {
    let file = client.get(&path(id, "/logs/export?format=json")).await;
    assert_eq!(file.status, 200, "{file:?}");
    file.json().as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_keeps_as_many_lines_as_it_was_launched_with() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "chatty", &python(CHATTY)).await;
    for wrong in [99, 10_001] {
        let refused = launch_with(&ann, "chatty", json!({ "maxLogLines": wrong })).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.text().contains("maxLogLines"), "{refused:?}");
    }
    let asked = json!({ "wait": true, "maxLogLines": 300, "logLevel": "WARNING" });
    assert_eq!(launch_with(&ann, "chatty", asked).await.status, 201);
    let config = ann.get(&path("chatty", "/config")).await.json();
    assert_eq!(
        (&config["maxLogLines"], &config["logLevel"], &config["logStorage"]),
        (&json!(300), &json!("WARNING"), &json!("database:preview_logs"))
    );
    // A tenth too many is no harm: it is not trimmed line by line. What is trimmed while it is exported
    // leaves a hole; once all is printed there is none.
    let kept = until(20, || async {
        let lines = exported(&ann, "chatty").await;
        let told = lines.iter().any(|line| line["message"] == "all printed");
        let seqs: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
        let is_whole = seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        (told && is_whole && lines.len() <= 330).then_some(lines)
    });
    let kept = kept.await;
    assert!(kept.len() >= 300, "{} lines", kept.len());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_says_what_it_saw_and_a_change_is_told() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let mut generation = python(OBEDIENT);
    generation["metadata"] = json!({ "healthCheckInterval": 1, "healthCheckEndpoint": "/health" });
    let launched = up(&ann, "watched", &generation).await;
    let token = text(&launched, "previewToken");
    let logs = path("watched", "/logs");
    let mut socket = Socket::open(app.address, &format!("{logs}?token={token}&source=system")).await;

    let all = ["http", "port", "container", "memory"];
    let seen = until(20, || async {
        let now = status(&ann, "watched").await;
        all.iter().all(|name| check(&now, name).is_some()).then_some(now)
    });
    let seen = seen.await;
    assert_eq!(seen["containerStatus"], "running");
    for name in all {
        let check = check(&seen, name).expect("just seen");
        assert_eq!(check["status"], "healthy", "{check}");
        assert!(check["lastCheck"].is_string() && check["interval"].as_u64() > Some(0), "{check}");
        assert!(check["message"].as_str().is_some_and(|message| !message.is_empty()), "{check}");
    }
    // Looked at again, each at its pace.
    until(20, || async {
        let now = status(&ann, "watched").await;
        let at = |status: &Value, name: &str| Some(check(status, name)?["lastCheck"].to_string());
        ["http", "port", "container"].iter().all(|name| at(&now, name) != at(&seen, name)).then_some(())
    })
    .await;

    assert_eq!(visitor(&launched).get("/exit").await.status, 502);
    let lost = loop {
        let told = socket.next_of("health").await;
        let changes = told["changes"].as_array().expect("a list").clone();
        if let Some(change) = changes.iter().find(|change| change["name"] == "container") {
            break change.clone();
        }
    };
    assert_eq!(lost["status"], "unhealthy");
    assert_eq!(lost["message"], "the app exited with code 3");
    let again = until(60, || async {
        let now = status(&ann, "watched").await;
        (check(&now, "container")?["status"] == "healthy").then_some(now)
    });
    again.await;
    once(&ann, "watched", "healthy").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_fails_gives_no_secret_away() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let secret = format!("very-secret-{}", nonce());
    let dockerfile = format!(
        "FROM python:3.11-slim\nRUN echo the key is {secret} && echo at postgres://me:{secret}@db/app && exit 7\n"
    );
    let generation = json!({
        "metadata": { "environment": { "API_KEY": secret } },
        "files": { "Dockerfile": dockerfile, "main.py": "" },
    });
    put(&ann, "leaky", &generation).await;
    assert_eq!(ann.post("/api/v2/generations/leaky/build", &json!({})).await.status, 202);
    let told = ann.get("/api/v2/generations/leaky/build/logs").await.text();
    assert!(told.contains("the key is [masked]") && told.contains("\"type\":\"failed\""), "{told}");
    assert!(!told.contains(&secret), "{told}");
    let build = ann.get("/api/v2/generations/leaky/build").await.text();
    assert!(build.contains("failed") && !build.contains(&secret), "{build}");

    let refused = launch_with(&ann, "leaky", json!({ "wait": true })).await;
    assert_eq!(refused.status, 502, "{refused:?}");
    assert!(refused.text().contains("logTail") && !refused.text().contains(&secret), "{refused:?}");
    let failed = once(&ann, "leaky", "failed").await.to_string();
    assert!(failed.contains("[masked]") && !failed.contains(&secret), "{failed}");
    let events = ann.get(&path("leaky", "/events")).await.text();
    assert!(events.contains("failed") && !events.contains(&secret), "{events}");
    let lines = ann.get(&path("leaky", "/logs?limit=1000")).await.text();
    assert!(lines.contains("[masked]") && !lines.contains(&secret), "{lines}");
    app.finish().await;
}

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Every member that the contract names is there, whatever else is.
fn has(value: &Value, names: &[&str]) {
    let there = members(value);
    let missing: Vec<_> = names.iter().filter(|name| !there.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {value}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_statuses_say_all_that_the_contract_names() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = crate::app::launch_example(&ann, "flask-todo", "told").await;
    let told = until(20, || async {
        let now = status(&ann, "told").await;
        ["http", "memory"].iter().all(|name| check(&now, name).is_some()).then_some(now)
    });
    let told = told.await;
    has(
        &told,
        &[
            "previewInstanceId",
            "status",
            "containerStatus",
            "baseUrl",
            "uptime",
            "health",
            "resources",
            "performance",
            "database",
            "expiresAt",
            "timeRemaining",
            "canExtend",
            "extensionsRemaining",
            "generatedEndpoints",
        ],
    );
    check(&told, "http").iter().for_each(|http| has(http, &["name", "status", "lastCheck"]));
    assert!(
        check(&told, "memory").expect("seen")["usage"].as_str().is_some_and(|usage| usage.ends_with('%'))
    );
    for name in ["memory", "cpu", "storage"] {
        has(&told["resources"][name], &["allocated", "used", "percent"]);
    }
    let performance = ["requestCount", "errorCount", "errorRate", "avgResponseTime", "p95ResponseTime"];
    has(&told["performance"], &performance);
    has(&told["database"], &["type", "status", "migrationStatus", "tables", "records"]);
    let endpoint = &told["generatedEndpoints"][0];
    assert_eq!(members(endpoint), ["description", "method", "path", "responseTime", "status"]);

    // An endpoint says how it answered last.
    let endpoints = told["generatedEndpoints"].as_array().expect("a list");
    let plain = endpoints.iter().find(|one| one["method"] == "GET" && !text(one, "path").contains('{'));
    let route = text(plain.expect("an endpoint without parameters"), "path");
    let answered = visitor(&launched).get(route).await.status;
    let seen = until(20, || async {
        let now = status(&ann, "told").await["generatedEndpoints"].clone();
        let this = now.as_array()?.iter().find(|one| one["method"] == "GET" && one["path"] == route)?.clone();
        this["status"].is_u64().then_some(this)
    });
    let seen = seen.await;
    assert_eq!(seen["status"], answered);
    assert!(seen["responseTime"].as_f64() > Some(0.0), "{seen}");

    let first = ann.get("/api/v1/generations/told/preview/status").await.json();
    let names = [
        "base_url",
        "cpu_usage_percent",
        "health",
        "id",
        "memory_usage_mb",
        "port",
        "started_at",
        "status",
        "uptime_seconds",
    ];
    assert_eq!(members(&first), names);
    assert_eq!((&first["status"], &first["health"]), (&json!("running"), &json!("healthy")));
    app.finish().await;
}
