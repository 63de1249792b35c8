//! What goes wrong is said in words its owner can act on, and leaves nothing behind.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Settings, TestApp, example, until};
use crate::http::Client;
use crate::scene::{
    OBEDIENT, assert_port_closed, launch_with, once, path, put, python, status, text, up, visitor,
};

/// Stores and launches what cannot work, and gives the `failure` of the status; the answer of the
/// launch that waited has said the same.
async fn fails(client: &Client, id: &str, body: &Value) -> Value {
    put(client, id, body).await;
    let launched = launch_with(client, id, json!({ "wait": true })).await;
    assert_eq!(
        (launched.status, launched.json()["code"].as_str()),
        (502, Some("launch_failed")),
        "{launched:?}"
    );
    let status = once(client, id, "failed").await;
    let failure = status["failure"].clone();
    for member in ["stage", "reason", "logTail"] {
        assert_eq!(launched.json()[member], failure[member], "{member}");
    }
    assert_eq!(status["containerStatus"], "none", "{status}");
    failure
}

fn tail(failure: &Value) -> String {
    let lines = failure["logTail"].as_array().expect("a list");
    lines.iter().map(|line| line.as_str().expect("a line")).collect::<Vec<_>>().join("\n")
}

/// A deadline that is not waited for long, nor missed by a slow host before the app listens.
fn quickly() -> Settings {
    vec![("PREVIEW_STARTUP_TIMEOUT", "12".to_owned())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requirement_that_does_not_exist_fails_the_build() {
    let app = TestApp::start().await;
    let failure = fails(&app.user("ann"), "broken", &example("broken-requirement")).await;
    assert_eq!(failure["stage"], "build");
    let said = "requirements.txt, line 3: there is no package previewd-example-that-was-never-published in the index";
    assert_eq!(text(&failure, "reason"), said, "{failure}");
    assert!(tail(&failure).contains("previewd-example-that-was-never-published"), "{failure}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_the_start_shows_its_traceback_and_a_new_launch_may_do_better() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let failure = fails(&ann, "broken", &example("broken-import")).await;
    assert_eq!(failure["stage"], "startup");
    assert!(text(&failure, "reason").contains("exited with code 1"), "{failure}");
    let said = tail(&failure);
    assert!(said.contains("Traceback") && said.contains("KeyError: 'WEATHER_API_KEY'"), "{failure}");
    let failed = crate::scene::status(&ann, "broken").await;
    let environment = json!({ "WEATHER_API_KEY": "sunny" });
    let again = launch_with(&ann, "broken", json!({ "wait": true, "environment": environment })).await;
    assert_eq!(again.status, 201, "a launch over a failed preview starts a new one: {again:?}");
    assert_ne!(again.json()["previewInstanceId"], failed["previewInstanceId"]);
    assert_eq!(visitor(&again.json()).get("/health").await.status, 200);
    assert!(crate::scene::status(&ann, "broken").await.get("failure").is_none());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_nobody_can_reach_is_told_where_to_listen() {
    let app = TestApp::with(quickly()).await;
    let ann = app.user("ann");
    let mut body = example("broken-localhost");
    let failure = fails(&ann, "broken", &body).await;
    assert_eq!(failure["stage"], "startup");
    assert!(text(&failure, "reason").contains("bind 0.0.0.0"), "{failure}");
    // Where the code says it, it is put right.
    let said = text(&body["files"], "main.py").replace("settings[\"host\"]", "\"127.0.0.1\"");
    body["files"]["main.py"] = json!(said);
    assert_eq!(visitor(&up(&ann, "said", &body).await).get("/health").await.status, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_listens_elsewhere_or_nowhere_is_told_so() {
    let app = TestApp::with(quickly()).await;
    let elsewhere = python("import http.server\nhttp.server.test(port=9123, bind='0.0.0.0')\n");
    let failure = fails(&app.user("ann"), "elsewhere", &elsewhere).await;
    assert!(text(&failure, "reason").contains("listens on 9123"), "{failure}");
    let nowhere = python("import time\nprint('thinking', flush=True)\ntime.sleep(600)\n");
    let failure = fails(&app.user("ann"), "nowhere", &nowhere).await;
    assert!(text(&failure, "reason").contains("nothing listens on 8000"), "{failure}");
    assert_eq!(tail(&failure), "thinking");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_memory_is_called_by_its_name() {
    let app = TestApp::with(vec![("PREVIEW_MAX_RESTARTS", "0".to_owned())]).await;
    let ann = app.user("ann");
    let mut hungry = python(OBEDIENT);
    hungry["metadata"] = json!({ "environment": { "HUNGRY": "yes" } });
    let failure = fails(&ann, "hungry", &hungry).await;
    assert_eq!(failure["stage"], "startup");
    assert!(text(&failure, "reason").contains("out of memory"), "{failure}");
    // The same while it serves.
    let launched = up(&ann, "eater", &python(OBEDIENT)).await;
    let _ = visitor(&launched).try_send(hyper::Method::GET, "/eat", "").await;
    let failure = once(&ann, "eater", "failed").await["failure"].clone();
    assert_eq!(failure["stage"], "run");
    assert!(text(&failure, "reason").contains("out of memory"), "{failure}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_ends_while_it_serves_has_failed_where_nothing_is_restarted() {
    let app = TestApp::with(vec![("PREVIEW_MAX_RESTARTS", "0".to_owned())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "quitter", &python(OBEDIENT)).await;
    let _ = visitor(&launched).try_send(hyper::Method::GET, "/exit", "").await;
    let failure = once(&ann, "quitter", "failed").await["failure"].clone();
    assert_eq!(failure["stage"], "run");
    assert!(text(&failure, "reason").contains("exited with code 3"), "{failure}");
    assert!(tail(&failure).ends_with("told to go"), "{failure}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_removed_by_hand_is_noticed_within_seconds() {
    let app = TestApp::with(vec![("PREVIEW_MAX_RESTARTS", "0".to_owned())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "lost", &python(OBEDIENT)).await;
    let containers = app.engine.owned_containers().await.expect("a list");
    app.engine.remove(&containers[0].id).await.expect("removed");
    let failed = until(10, || async {
        Some(crate::scene::status(&ann, "lost").await).filter(|status| status["status"] == "failed")
    });
    let failure = failed.await["failure"].clone();
    assert_eq!((&failure["stage"], failure["logTail"][0].as_str()), (&json!("run"), Some("awake")));
    // Whoever removes it kills it first; either may be seen.
    let reason = text(&failure, "reason");
    assert!(reason.contains("removed") || reason.contains("killed"), "{failure}");
    assert_port_closed(text(&launched, "baseUrl")).await;
    let trail = ann.get(&path("lost", "/events")).await.json();
    assert_eq!(
        trail["events"].as_array().and_then(|all| all.last()).unwrap()["eventType"],
        "failed",
        "{trail}"
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_ends_is_started_again_and_not_for_ever() {
    let app = TestApp::tuned(vec![("PREVIEW_MAX_RESTARTS", "2".to_owned())], |config| {
        config.orchestrator.restart_pause = Duration::from_millis(100);
    })
    .await;
    let ann = app.user("ann");
    let launched = up(&ann, "quitter", &python(OBEDIENT)).await;
    let crash = || async {
        let before = status(&ann, "quitter").await["startedAt"].clone();
        let _ = visitor(&launched).try_send(hyper::Method::GET, "/exit", "").await;
        until(60, || async {
            let now = status(&ann, "quitter").await;
            let again = now["status"] == "healthy" && now["startedAt"] != before;
            (again || now["status"] == "failed").then_some(now)
        })
        .await
    };
    for _ in 0..2 {
        assert_eq!(crash().await["status"], "healthy");
        assert_eq!(visitor(&launched).get("/").await.status, 200, "on the same port");
    }
    let failed = crash().await;
    assert_eq!(failed["status"], "failed");
    assert!(text(&failed["failure"], "reason").contains("exited with code 3"), "{failed}");
    let trail = ann.get(&path("quitter", "/events?limit=100")).await.json();
    let count = |word| {
        let all = trail["events"].as_array().expect("a list");
        all.iter().filter(|event| event["eventType"] == word).count()
    };
    assert_eq!((count("crashed"), count("restarted"), count("failed")), (2, 2, 1), "{trail}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_hangs_is_started_again() {
    let app = TestApp::tuned(vec![], |config| {
        config.orchestrator.health_timeout = Duration::from_millis(300);
        config.orchestrator.restart_pause = Duration::from_millis(100);
    })
    .await;
    let ann = app.user("ann");
    let mut hanging = python(OBEDIENT);
    hanging["metadata"] = json!({ "healthCheckInterval": 1 });
    let launched = up(&ann, "hanging", &hanging).await;
    let started_before = status(&ann, "hanging").await["startedAt"].clone();
    // Nobody answers this one before the app is gone.
    let hangs = visitor(&launched);
    let asked = tokio::spawn(async move { hangs.try_send(hyper::Method::GET, "/hang", "").await.is_ok() });
    once(&ann, "hanging", "degraded").await;
    once(&ann, "hanging", "unhealthy").await;
    let healthy = once(&ann, "hanging", "healthy").await;
    assert_ne!(healthy["startedAt"], started_before);
    asked.await.expect("no panic");
    assert_eq!(visitor(&launched).get("/").await.status, 200);
    let logs = ann.get(&path("hanging", "/logs?source=system")).await.text();
    assert!(logs.contains("health checks in a row failed"), "{logs}");
    app.finish().await;
}
