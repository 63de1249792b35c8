//! A host short of memory: nothing is started, what nobody uses makes room, and comes back when it
//! is visited. The reading is the test's; all else is real.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use previewd::orchestrator::MemoryReading;
use serde_json::json;

use crate::app::{Settings, TestApp, until};
use crate::scene::{OBEDIENT, launch_with, once, page, path, put, python, status, stop, text, up, visitor};

const PLENTY: u64 = 100_000;
const SHORT: u64 = 100;
const SOON: Duration = Duration::from_millis(100);

/// A daemon on a host that has as many MiB left as the number says, which it looks at so often, with
/// previews that sleep soon.
async fn host(settings: Settings, every: Duration) -> (TestApp, Arc<AtomicU64>) {
    let left = Arc::new(AtomicU64::new(PLENTY));
    let read = Arc::clone(&left);
    let app = TestApp::tuned(settings, |config| {
        config.orchestrator.memory.reading = MemoryReading::new(move || Some(read.load(SeqCst)));
        config.orchestrator.memory.every = every;
        config.orchestrator.idle_pause = Some(Duration::from_millis(400));
    })
    .await;
    (app, left)
}

async fn containers(app: &TestApp) -> usize {
    app.engine.owned_containers().await.expect("a list").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_started_without_memory_for_it() {
    let (app, left) = host(vec![], SOON).await;
    let ann = app.user("ann");
    put(&ann, "big", &page("needs memory")).await;
    left.store(SHORT, SeqCst);
    let refused = launch_with(&ann, "big", json!({})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("memory_short")), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(ann.get(&path("big", "/status")).await.status, 404, "no row was written");
    // The reserve and what it may use itself: 256 and 512 MiB, and a launch has enough.
    left.store(256 + 512, SeqCst);
    assert_eq!(launch_with(&ann, "big", json!({ "wait": true })).await.status, 201);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_unused_go_to_disk_and_come_back_with_their_next_visitor() {
    let (mut app, left) = host(vec![], SOON).await;
    let ann = app.user("ann");
    let launched = up(&ann, "sleeper", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    once(&ann, "sleeper", "paused").await;
    assert_eq!(status(&ann, "sleeper").await["pausedBy"], "idleness");
    left.store(SHORT, SeqCst);
    until(20, || async { (containers(&app).await == 0).then_some(()) }).await;
    let stopped = status(&ann, "sleeper").await;
    assert_eq!((&stopped["status"], &stopped["pausedBy"]), (&json!("paused"), &json!("memory")), "{stopped}");
    assert_eq!(stopped["containerStatus"], "none");
    // The port is open all the while, over a restart of the daemon too.
    app.shutdown().await;
    left.store(PLENTY, SeqCst);
    app.boot().await;
    let ann = app.user("ann");
    assert_eq!(status(&ann, "sleeper").await["pausedBy"], "memory");
    let (visits, other) = (visitor(&launched), visitor(&launched));
    let (one, two) = tokio::join!(visits.get("/"), other.get("/"));
    assert_eq!((one.status, two.status), (200, 200), "visitors wait: {one:?}");
    assert_eq!(one.text(), two.text());
    assert!(!pid.is_empty());
    assert_eq!(containers(&app).await, 1);
    let trail = ann.get(&path("sleeper", "/events?limit=100")).await.json();
    let events = trail["events"].as_array().expect("a list");
    let by_memory =
        |event: &&serde_json::Value| event["eventType"] == "paused" && event["data"]["by"] == "memory";
    assert!(events.iter().any(|event| by_memory(&event)), "{trail}");
    let resumed = events.iter().rev().find(|event| event["eventType"] == "resumed");
    assert!(resumed.is_some(), "{trail}");
    // Its token is still the one of its launch.
    let asked = ann.clone().header("x-preview-token", text(&launched, "previewToken"));
    assert_eq!(asked.post(&path("sleeper", "/request"), &json!({ "path": "/" })).await.status, 200);
    stop(&ann, "sleeper").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_on_disk_is_resumed_and_stopped_like_any_other() {
    let (app, left) = host(vec![], SOON).await;
    let ann = app.user("ann");
    let launched = up(&ann, "shed", &page("shed and back")).await;
    once(&ann, "shed", "paused").await;
    left.store(SHORT, SeqCst);
    until(20, || async { (status(&ann, "shed").await["pausedBy"] == "memory").then_some(()) }).await;
    // While memory is short it stays where it is, and says so.
    let refused = ann.post(&path("shed", "/resume"), &json!({})).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    left.store(PLENTY, SeqCst);
    assert_eq!(ann.post(&path("shed", "/resume"), &json!({})).await.status, 202);
    until(20, || async { (containers(&app).await == 1).then_some(()) }).await;
    until(20, || async { (visitor(&launched).get("/").await.status == 200).then_some(()) }).await;
    once(&ann, "shed", "paused").await;
    left.store(SHORT, SeqCst);
    until(20, || async { (status(&ann, "shed").await["pausedBy"] == "memory").then_some(()) }).await;
    stop(&ann, "shed").await;
    assert_eq!(status(&ann, "shed").await["status"], "stopped");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_launch_goes_first() {
    let (app, left) = host(vec![("PREVIEW_MEMORY_RESERVE_MB", "8".to_owned())], Duration::from_secs(3)).await;
    let ann = app.user("ann");
    up(&ann, "asleep", &page("asleep")).await;
    once(&ann, "asleep", "paused").await;
    let mut body = python(OBEDIENT);
    body["metadata"] = json!({ "prewarm": true });
    put(&ann, "waits", &body).await;
    let ready = || async {
        (ann.get("/api/v2/generations/waits").await.json()["prewarmed"] == "ready").then_some(())
    };
    until(60, ready).await;
    // Some MiB short: what waits is enough, and the sleeper sleeps on.
    left.store(7, SeqCst);
    until(20, || async { (containers(&app).await == 1).then_some(()) }).await;
    left.store(PLENTY, SeqCst);
    assert_eq!(ann.get("/api/v2/generations/waits").await.json()["prewarmed"], json!(null));
    assert_eq!(status(&ann, "asleep").await["pausedBy"], "idleness");
    app.finish().await;
}
