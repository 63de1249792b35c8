//! From the first file to the last trace: stop, restart, pause, extend, expiry, and the daemon's
//! own comings and goings.

use std::time::Duration;

use serde_json::json;

use crate::app::{TestApp, launch, until};
use crate::http::Client;
use crate::scene::{
    OBEDIENT, assert_port_closed, begin, launch_with, nonce, once, page, path, put, python, runs, slow_build,
    status, stop, text, up, visitor,
};

/// A number of seconds that no other build or app of this host sleeps for.
fn own_seconds() -> u64 {
    100_000 + nonce() % 1_000_000_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_of_a_build_ends_the_build() {
    for builder in ["buildkit", "classic"] {
        let app = TestApp::with(vec![("PREVIEW_BUILDER", builder.to_owned())]).await;
        let ann = app.user("ann");
        let seconds = own_seconds();
        put(&ann, "fresh-slow", &slow_build(seconds)).await;
        let launched = begin(&ann, "fresh-slow").await;
        let step = format!("sleep {seconds}");
        until(60, || async { runs(&step).then_some(()) }).await;
        assert_eq!(status(&ann, "fresh-slow").await["status"], "launching");
        let waiting = visitor(&launched).header("accept", "text/html").get("/").await;
        assert_eq!(waiting.status, 503);
        assert!(waiting.text().contains("being built"), "{waiting:?}");
        stop(&ann, "fresh-slow").await;
        assert_eq!(status(&ann, "fresh-slow").await["status"], "stopped");
        assert_port_closed(text(&launched, "baseUrl")).await;
        until(20, || async { (!runs(&step)).then_some(()) }).await;
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_before_the_first_answer_leaves_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "late", &python(OBEDIENT)).await;
    let late = launch_with(&ann, "late", json!({ "environment": { "DELAY": "600" } })).await;
    assert_eq!(late.status, 201, "{late:?}");
    let started =
        until(60, || async { Some(status(&ann, "late").await).filter(|s| s["startedAt"].is_string()) });
    assert_eq!(started.await["status"], "launching");
    stop(&ann, "late").await;
    assert_eq!(status(&ann, "late").await["status"], "stopped");
    assert!(app.engine.owned_containers().await.expect("a list").is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_may_be_repeated_and_comes_from_many_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "page", &page("stopped by many")).await;
    let address = path("page", "");
    let both = tokio::join!(ann.delete(&address), ann.delete(&address), ann.delete(&address));
    assert_eq!((both.0.status, both.1.status, both.2.status), (204, 204, 204));
    assert_port_closed(text(&launched, "baseUrl")).await;
    stop(&ann, "page").await;
    let asked = |ask: &'static str| {
        let ann = ann.clone();
        async move { ann.post(&path("page", ask), &json!({ "duration": 60 })).await.status }
    };
    assert_eq!((asked("/restart").await, asked("/extend").await), (409, 409));
    assert_eq!(ann.delete(&path("never", "")).await.status, 404);
    let again = launch(&ann, "page").await;
    assert_eq!(again.status, 201, "a launch over a stopped preview starts a new one: {again:?}");
    assert_ne!(again.json()["previewInstanceId"], launched["previewInstanceId"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_the_port_and_ends_the_token() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let first = up(&ann, "again", &python(OBEDIENT)).await;
    let before = status(&ann, "again").await;
    let restarted = ann.post(&path("again", "/restart"), &json!({})).await;
    assert_eq!(restarted.status, 202, "{restarted:?}");
    let after = once(&ann, "again", "healthy").await;
    assert_eq!(after["previewInstanceId"], before["previewInstanceId"]);
    assert_ne!(after["startedAt"], before["startedAt"]);
    assert_eq!(visitor(&first).get("/").await.status, 200, "the port is the same");
    let second = launch(&ann, "again").await;
    assert_eq!((second.status, &second.json()["baseUrl"]), (200, &first["baseUrl"]));
    let ask = |token: &str| {
        let client = ann.clone().header("x-preview-token", token);
        async move { client.post(&path("again", "/request"), &json!({ "path": "/" })).await.status }
    };
    assert_eq!(ask(text(&first, "previewToken")).await, 401);
    assert_eq!(ask(text(&second.json(), "previewToken")).await, 200);
    assert_eq!(app.engine.owned_containers().await.expect("a list").len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_keeps_the_process_and_a_resume_goes_on_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "nap", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    let asked = |ask: &'static str| {
        let ann = ann.clone();
        async move { ann.post(&path("nap", ask), &json!({})).await.status }
    };
    assert_eq!((asked("/pause").await, asked("/pause").await), (202, 202));
    let paused = status(&ann, "nap").await;
    assert_eq!((&paused["status"], &paused["containerStatus"]), (&json!("paused"), &json!("paused")));
    let refused = visitor(&launched).get("/").await;
    assert!(refused.status == 503 && refused.text().contains("paused"), "{refused:?}");
    assert_eq!(paused["pausedBy"], "request");
    assert_eq!(asked("/resume").await, 202);
    assert_eq!(visitor(&launched).get("/").await.text(), pid);
    assert_eq!(status(&ann, "nap").await["status"], "healthy");
    // A paused preview can be restarted, and stopped at once.
    assert_eq!((asked("/pause").await, asked("/restart").await), (202, 202));
    once(&ann, "nap", "healthy").await;
    assert_ne!(visitor(&launched).get("/").await.status, 503);
    assert_eq!(asked("/pause").await, 202);
    stop(&ann, "nap").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extensions_are_counted() {
    let app = TestApp::with(vec![("PREVIEW_MAX_EXTENSIONS", "2".to_owned())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "page", &page("for longer")).await;
    assert_eq!((&launched["canExtend"], &launched["extensionsRemaining"]), (&json!(true), &json!(2)));
    let extend = |duration: u64| {
        let ann = ann.clone();
        async move { ann.post(&path("page", "/extend"), &json!({ "duration": duration })).await }
    };
    let ends = |value: &serde_json::Value, member: &str| {
        chrono::DateTime::parse_from_rfc3339(text(value, member)).expect("a time")
    };
    let before = ends(&launched, "expiresAt");
    let once = extend(600).await.json();
    assert_eq!((&once["status"], &once["extensionsRemaining"]), (&json!("extended"), &json!(1)));
    assert_eq!((ends(&once, "newExpiresAt") - before).num_seconds(), 600);
    let too_long = extend(31 * 60).await;
    assert_eq!((too_long.status, too_long.json()["field"].as_str()), (422, Some("duration")));
    assert_eq!(extend(60).await.json()["extensionsRemaining"], 0);
    assert_eq!(extend(60).await.status, 409);
    let now = status(&ann, "page").await;
    assert_eq!((ends(&now, "expiresAt") - before).num_seconds(), 660);
    assert_eq!(now["canExtend"], false);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_over_ends_its_preview() {
    // The shortest session a setting allows is an hour; the clock behind it is the same.
    let session = Duration::from_secs(4);
    let app = TestApp::tuned(vec![], |config| config.api.session = session).await;
    let ann = app.user("ann");
    let launched = up(&ann, "brief", &page("brief")).await;
    assert!(status(&ann, "brief").await["timeRemaining"].as_u64() <= Some(4));
    once(&ann, "brief", "stopped").await;
    let trail = ann.get(&path("brief", "/events")).await.json();
    assert_eq!(
        trail["events"].as_array().and_then(|all| all.last()).unwrap()["eventType"],
        "expired",
        "{trail}"
    );
    assert_port_closed(text(&launched, "baseUrl")).await;
    assert!(app.engine.owned_containers().await.expect("a list").is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_outlive_a_restart_of_the_daemon() {
    let mut app = TestApp::start().await;
    let launched = up(&app.user("ann"), "kept", &python(OBEDIENT)).await;
    put(&app.user("ann"), "nap", &page("asleep")).await;
    assert_eq!(launch(&app.user("ann"), "nap").await.status, 201);
    assert_eq!(app.user("ann").post(&path("nap", "/pause"), &json!({})).await.status, 202);
    let pid = visitor(&launched).get("/").await.text();
    app.shutdown().await;
    assert_eq!(app.engine.owned_containers().await.expect("a list").len(), 2, "they go on meanwhile");
    assert_port_closed(text(&launched, "baseUrl")).await;
    app.boot().await;
    let ann = app.user("ann");
    until(20, || async { served(&visitor(&launched)).await.filter(|answer| *answer == pid) }).await;
    let again = launch(&ann, "kept").await;
    assert_eq!(again.status, 200);
    for member in ["previewInstanceId", "baseUrl", "previewToken", "expiresAt"] {
        assert_eq!(again.json()[member], launched[member], "{member}");
    }
    let logs = until(10, || async {
        let logs = ann.get(&path("kept", "/logs?source=app")).await.text();
        logs.contains("visited /").then_some(logs)
    });
    assert_eq!(logs.await.matches("awake").count(), 1, "the lines from before, once");
    once(&ann, "nap", "paused").await;
    assert_eq!(ann.post(&path("nap", "/resume"), &json!({})).await.status, 202);
    once(&ann, "nap", "healthy").await;
    app.finish().await;
}

async fn served(visitor: &Client) -> Option<String> {
    let answer = visitor.try_send(hyper::Method::GET, "/", "").await.ok()?;
    (answer.status == 200).then(|| answer.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_under_way_goes_on_after_a_restart_of_the_daemon() {
    let mut app = TestApp::start().await;
    put(&app.user("ann"), "fresh-kept", &slow_build(4)).await;
    let launched = begin(&app.user("ann"), "fresh-kept").await;
    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    let healthy = once(&ann, "fresh-kept", "healthy").await;
    assert_eq!(healthy["previewInstanceId"], launched["previewInstanceId"]);
    assert_eq!(visitor(&launched).get("/").await.text(), "built at last");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generation_with_a_live_preview_goes_only_by_force() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "page", &page("to be deleted")).await;
    let refused = ann.delete("/api/v2/generations/page").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("conflict")));
    assert_eq!(visitor(&launched).get("/").await.status, 200);
    assert_eq!(app.user("bob").delete("/api/v2/generations/page?force=true").await.status, 403);
    assert_eq!(ann.delete("/api/v2/generations/page?force=true").await.status, 204);
    assert_eq!(ann.get("/api/v2/generations/page").await.status, 404);
    let gone = || async { app.engine.owned_containers().await.expect("a list").is_empty().then_some(()) };
    until(20, gone).await;
    app.finish().await;
}
