//! What a preview uses and how it serves: at this moment, over time, and after the end.

use std::time::Duration;

use previewd::config::Config;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::scene::{launch_with, once, path, put, status, stop, text, up, visitor};
use crate::socket::Socket;

/// A program on previewd's own image, whose folder it may write to: does what a path says.
fn busy() -> Value {
    json!({ "files": { "main.py": BUSY } })
}

const BUSY: &str = r#"
import http.server, os, subprocess, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 500 if self.path == "/fail" else 200
        if self.path == "/slow":
            time.sleep(0.3)
        if self.path == "/burn":
            threading.Thread(target=burn, daemon=True).start()
        if self.path == "/write":
            with open("written.bin", "wb") as file:
                file.write(os.urandom(8 << 20))
                os.fsync(file.fileno())
        if self.path == "/hog":
            hog = "x = []\nwhile True: x.append(bytearray(b'x' * (8 << 20)))"
            code = subprocess.run([sys.executable, "-c", hog]).returncode
            print("the hog ended with", code, flush=True)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, form, *args):
        pass

def burn():
    end = time.monotonic() + 90
    while time.monotonic() < end:
        pass

port = int(os.environ.get("PORT", "8000"))
http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
"#;

/// Looks often, and keeps steps of a second.
fn quick(config: &mut Config) {
    config.samples.interval = Duration::from_millis(200);
    config.samples.step_s = 1;
    config.samples.disk_interval = Duration::from_millis(500);
}

async fn visit(visitor: &Client, path: &str, times: usize) {
    for _ in 0..times {
        let answer = visitor.get(path).await;
        assert!([200, 500].contains(&answer.status), "{answer:?}");
    }
}

async fn history(client: &Client, id: &str, query: &str) -> Value {
    let answer = client.get(&path(id, &format!("/metrics{query}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn sum(history: &Value, of: &str, member: &str) -> f64 {
    let points = history["metrics"][of].as_array().unwrap_or_else(|| panic!("no {of} in {history}"));
    points.iter().map(|point| point[member].as_f64().expect("a number")).sum()
}

fn len(history: &Value, of: &str) -> usize {
    history["metrics"][of].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_shows_what_a_container_really_uses() {
    let app = TestApp::tuned(vec![], quick).await;
    let ann = app.user("ann");
    put(&ann, "busy", &busy()).await;
    let launched = launch_with(&ann, "busy", json!({ "wait": true, "resourceTier": "minimal" })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let app_itself = visitor(&launched.json());
    visit(&app_itself, "/", 3).await;
    let before = status(&ann, "busy").await["resources"].clone();
    let memory = before["memory"]["used"].as_f64().expect("measured");
    assert!((2.0..200.0).contains(&memory) && before["memory"]["allocated"] == 256.0, "{before}");
    assert!(before["processes"]["used"].as_f64() >= Some(2.0), "init and the app: {before}");
    assert!(before["network"]["receivedBytes"].as_u64() > Some(100), "{before}");
    assert_eq!(before["oomKills"], 0);

    visit(&app_itself, "/burn", 1).await;
    // Half a core is what it may use; on a busy host it gets less.
    let burning = until(30, || async {
        let now = status(&ann, "busy").await;
        let cpu = &now["resources"]["cpu"];
        (cpu["percent"].as_f64()? > 25.0 && now["resources"]["throttledPercent"].is_number()).then_some(now)
    });
    let burning = burning.await;
    let cores = burning["resources"]["cpu"]["used"].as_f64().expect("measured");
    assert!((0.12..0.8).contains(&cores), "{burning}");
    let first = ann.get("/api/v1/generations/busy/preview/status").await.json();
    assert!(first["cpu_usage_percent"].as_f64() > Some(10.0), "{first}");
    assert!(first["memory_usage_mb"].as_f64() > Some(2.0), "{first}");

    let token = text(&launched.json(), "previewToken").to_owned();
    let mut viewer = Socket::open(app.address, &path("busy", &format!("/logs?token={token}"))).await;
    // The last ones come at once, and may be of before the fire.
    let mut usage = viewer.next_of("metric").await;
    while usage["data"]["cpu"].as_f64() < Some(0.05) {
        usage = viewer.next_of("metric").await;
    }
    let of = |member: &str| usage["data"][member].as_f64().expect("a figure");
    assert!(of("memory") > 2.0 && of("requests_per_minute") >= 1.0 && of("error_rate") == 0.0, "{usage}");
    assert_eq!(usage["metric"], "resource_usage");
    assert_eq!(viewer.next_of("health").await["status"], "healthy");
    drop(viewer);

    visit(&app_itself, "/write", 1).await;
    let written = until(30, || async {
        let now = status(&ann, "busy").await["resources"].clone();
        (now["storage"]["used"].as_f64()? > 8.0).then_some(now)
    });
    let written = written.await;
    // With version 1 of control groups the kernel writes a cached page back on nobody's account.
    assert!(written["block"]["writtenBytes"].is_u64(), "{written}");
    let checks = burning["health"]["checks"].clone();
    let memory = checks.as_array().and_then(|all| all.iter().find(|one| one["name"] == "memory"));
    let memory = memory.unwrap_or_else(|| panic!("no check of the memory: {checks}"));
    assert!(memory["status"] == "healthy" && text(memory, "usage").ends_with('%'), "{memory}");
    let storage = until(30, || async {
        let now = status(&ann, "busy").await["health"]["checks"].clone();
        now.as_array()?.iter().find(|one| one["name"] == "storage").cloned()
    });
    let storage = storage.await;
    assert!(storage["status"] == "healthy" && text(&storage, "usage").ends_with('%'), "{storage}");
    assert!(text(&storage, "message").contains("MiB it may"), "{storage}");

    let listed = ann.get("/api/v2/previews").await.json();
    assert!(listed["previews"][0]["resources"]["memory"]["used"].is_number(), "{listed}");
    assert_eq!(app.user("bob").get("/api/v2/previews/stats").await.json(), json!({ "previews": [] }));
    let stats = ann.get("/api/v2/previews/stats?generation=busy").await.json();
    assert_eq!(stats["previews"][0]["generationId"], "busy");
    assert!(stats["previews"][0]["resources"]["cpu"]["used"].is_number(), "{stats}");
    let none = ann.get("/api/v2/previews/stats?generation=other").await.json();
    assert_eq!(none, json!({ "previews": [] }));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_knows_every_request_and_outlives_preview_and_daemon() {
    let mut app = TestApp::tuned(vec![], quick).await;
    let ann = app.user("ann");
    let launched = up(&ann, "busy", &busy()).await;
    let app_itself = visitor(&launched);
    visit(&app_itself, "/", 20).await;
    visit(&app_itself, "/slow", 2).await;
    visit(&app_itself, "/fail", 3).await;
    let told = until(20, || async {
        let told = history(&ann, "busy", "?step=1").await;
        let is_whole = sum(&told, "errors", "count") == 3.0 && len(&told, "cpu") > 2;
        is_whole.then_some(told)
    });
    let told = told.await;
    assert_eq!(told["step"], 1);
    assert!(len(&told, "memory") >= 3 && sum(&told, "memory", "value") > 6.0, "{told}");
    assert_eq!(told["metrics"]["errors"][0]["type"], "server_error");
    // In one step: the average of all, and percentiles that only the slow ones make.
    let day = history(&ann, "busy", "?step=86400&start=2020-01-01T00:00:00Z").await;
    let all = &day["metrics"]["responseTime"];
    let last = all.as_array().and_then(|all| all.last()).expect("a step");
    let of = |member: &str| last[member].as_f64().expect("a number");
    assert!(of("p99") > 280.0 && of("p95") > 280.0 && of("value") < 280.0, "{day}");
    let performance = status(&ann, "busy").await["performance"].clone();
    assert_eq!((&performance["requestCount"], &performance["errorCount"]), (&json!(25), &json!(3)));
    assert!(performance["p95ResponseTime"].as_f64() > Some(280.0), "{performance}");
    assert!(performance["requestsPerMinute"].as_f64() > Some(0.0), "{performance}");

    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    once(&ann, "busy", "healthy").await;
    visit(&app_itself, "/", 5).await;
    let performance = status(&ann, "busy").await["performance"].clone();
    assert_eq!((&performance["requestCount"], &performance["errorCount"]), (&json!(30), &json!(3)));
    stop(&ann, "busy").await;
    let ended = status(&ann, "busy").await["performance"].clone();
    assert_eq!(ended["requestCount"], 30, "{ended}");
    let kept = until(20, || async {
        let kept = history(&ann, "busy", "?step=1").await;
        (sum(&kept, "requests", "value") / 60.0 > 29.5).then_some(kept)
    });
    assert_eq!(sum(&kept.await, "errors", "count"), 3.0);
    for bad in ["?step=0", "?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", "?start=soon", "?stop=1"] {
        assert_eq!(ann.get(&path("busy", &format!("/metrics{bad}"))).await.status, 422, "{bad}");
    }
    assert_eq!(app.user("bob").get(&path("busy", "/metrics")).await.status, 403);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_history_is_thinned_out_while_the_daemon_runs() {
    let thin = |config: &mut Config| {
        quick(config);
        config.samples.age_interval = Duration::from_millis(300);
        let (after, step_s) = (Duration::from_secs(4), 4);
        config.samples.ages = vec![previewd::streams::samples::Age { after, step_s }];
    };
    let app = TestApp::tuned(vec![], thin).await;
    let ann = app.user("ann");
    let launched = up(&ann, "busy", &busy()).await;
    visit(&visitor(&launched), "/", 10).await;
    let thinned = until(60, || async {
        let told = history(&ann, "busy", "?step=1").await;
        let points = told["metrics"]["memory"].as_array()?;
        let times: Vec<i64> = points.iter().map(|point| seconds(&point["timestamp"])).collect();
        let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Two coarse steps or more, then fine ones.
        let coarse = gaps.iter().take_while(|gap| **gap == 4).count();
        (coarse >= 2 && gaps.last() == Some(&1)).then_some(told)
    });
    let thinned = thinned.await;
    assert_eq!(
        sum(&thinned, "requests", "value").round(),
        600.0,
        "ten requests, per minute of a second: {thinned}"
    );
    app.finish().await;
}

fn seconds(time: &Value) -> i64 {
    let time = time.as_str().expect("a time");
    chrono::DateTime::parse_from_rfc3339(time).expect("RFC 3339").timestamp()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_for_want_of_memory_is_told_and_the_app_goes_on() {
    let app = TestApp::tuned(vec![], quick).await;
    let ann = app.user("ann");
    put(&ann, "busy", &busy()).await;
    let launched = launch_with(&ann, "busy", json!({ "wait": true, "resourceTier": "minimal" })).await.json();
    // The app itself is small: of the two the kernel takes the hog.
    assert_eq!(visitor(&launched).get("/hog").await.status, 200);
    let told = until(10, || async {
        let now = status(&ann, "busy").await;
        (now["resources"]["oomKills"].as_u64()? > 0).then_some(now)
    });
    assert_eq!(told.await["status"], "healthy");
    let said = until(10, || async {
        let log = ann.get(&path("busy", "/logs?source=system&level=ERROR")).await.text();
        log.contains("out of memory (OOM), the limit is 256 MiB").then_some(())
    });
    said.await;
    let series = app.stranger().get("/metrics").await.text();
    assert!(series.contains("preview_errors_total{type=\"out_of_memory\"} 1"), "{series}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_is_asked_where_files_cannot_be_read() {
    let settings = vec![("PREVIEW_SAMPLE_SOURCE", "engine".to_owned())];
    let app = TestApp::tuned(settings, quick).await;
    let ann = app.user("ann");
    let launched = up(&ann, "busy", &busy()).await;
    visit(&visitor(&launched), "/burn", 1).await;
    let told = until(30, || async {
        let now = status(&ann, "busy").await["resources"].clone();
        (now["cpu"]["percent"].as_f64()? > 5.0).then_some(now)
    });
    let told = told.await;
    assert!(told["memory"]["used"].as_f64() > Some(2.0), "{told}");
    assert!(told["network"]["receivedBytes"].as_u64() > Some(100), "{told}");
    let series = app.stranger().get("/metrics").await.text();
    assert!(series.contains("preview_sample_sources{source=\"engine\"} 1"), "{series}");
    assert!(series.contains("preview_sample_sources{source=\"files\"} 0"), "{series}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_see_the_whole() {
    let app = TestApp::tuned(vec![], quick).await;
    let ann = app.user("ann");
    let launched = up(&ann, "busy", &busy()).await;
    visit(&visitor(&launched), "/", 4).await;
    let own = ann.get("/api/v1/metrics/summary").await.json();
    assert_eq!((&own["previews"], &own["requests"]), (&json!({ "healthy": 1 }), &json!(4)), "{own}");
    assert!(own["memory_usage_mb"].as_f64() > Some(2.0) && own["installation"].is_null(), "{own}");
    let others = app.user("bob").get("/api/v1/metrics/summary").await.json();
    assert_eq!((&others["previews"], &others["requests"]), (&json!({}), &json!(0)), "{others}");
    let all = app.admin().get("/api/v1/metrics/summary").await.json();
    assert_eq!(all["installation"]["launches"], json!({ "success": 1, "failure": 0 }), "{all}");
    assert_eq!(all["installation"]["ports"]["used"], 1, "{all}");
    let health = ann.get("/api/v1/health/detailed").await.json();
    assert_eq!((&health["status"], &health["previews"]["read_from_files"]), (&json!("ok"), &json!(1)));
    assert!(health["process"]["memory_mb"].as_f64() > Some(1.0), "{health}");
    assert_eq!(health["ports"]["used"], 1, "{health}");
    app.finish().await;
}
