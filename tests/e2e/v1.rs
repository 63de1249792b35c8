//! The first API over the same previews: snake_case, and the log as server-sent events.

use serde_json::{Value, json};

use crate::app::{TestApp, example, until};
use crate::scene::{put, status};
use crate::sse::Events;

const PREVIEW: &str = "/api/v1/generations/todo/preview";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_api_tells_the_same_story() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "todo", &example("flask-todo")).await;
    let launch = |body: Value| {
        let ann = ann.clone();
        async move { ann.post(&format!("{PREVIEW}/launch"), &body).await }
    };
    let launched = launch(json!({ "project_id": "p-1", "timeout": 60 })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let launched = launched.json();
    assert_eq!((&launched["status"], &launched["project_id"]), (&json!("starting"), &json!("p-1")));
    let again = launch(json!({})).await;
    assert_eq!(again.status, 200);
    for member in ["id", "port", "base_url", "session_token", "created_at", "generation_id", "user_id"] {
        assert_eq!(again.json()[member], launched[member], "{member}");
    }
    assert_eq!(launch(json!({ "timeout": 0 })).await.status, 422);
    let running = until(120, || async {
        let now = ann.get(&format!("{PREVIEW}/status")).await.json();
        (now["health"] == "healthy").then_some(now)
    });
    let running = running.await;
    assert_eq!((&running["status"], &running["port"]), (&json!("running"), &launched["port"]));
    assert!(running["memory_usage_mb"].as_f64() > Some(1.0), "{running}");
    assert_eq!(
        status(&ann, "todo").await["previewInstanceId"],
        launched["id"],
        "both faces show one preview"
    );

    let config = ann.get(&format!("{PREVIEW}/config")).await.json();
    let expected = json!({
        "port": launched["port"], "base_url": launched["base_url"], "session_timeout": 1800,
        "max_uptime": 3600, "memory_limit_mb": 512, "timeout_seconds": 60,
    });
    assert_eq!(config, expected);
    let endpoints = ann.get(&format!("{PREVIEW}/endpoints")).await.json();
    assert_eq!(endpoints["count"].as_u64(), Some(endpoints["endpoints"].as_array().unwrap().len() as u64));
    let one = endpoints["endpoints"].as_array().unwrap().iter().find(|one| one["path"] == "/api/todos");
    assert!(one.is_some_and(|one| one.get("summary").is_some() && one.get("tags").is_some()), "{endpoints}");

    let token = launched["session_token"].as_str().expect("a token");
    let platform = ann.clone().header("x-preview-token", token);
    let body = json!({ "method": "POST", "path": "/api/todos", "body": { "title": "sail" } });
    let answer = platform.post(&format!("{PREVIEW}/request"), &body).await.json();
    assert_eq!(answer["status_code"], 201, "{answer}");
    assert!(answer["elapsed_ms"].as_f64() > Some(0.0), "{answer}");

    assert_eq!(ann.delete(PREVIEW).await.status, 204);
    assert_eq!(ann.get(&format!("{PREVIEW}/status")).await.json()["status"], "stopped");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_streams_with_ids_and_resumes_without_loss_or_repeat() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = crate::scene::up(&ann, "todo", &example("flask-todo")).await;
    let todo = crate::scene::visitor(&launched).header("content-type", "application/json");
    let stream = format!("{PREVIEW}/logs/stream?source=app");
    let mut events = Events::open(&ann, &stream).await;
    assert_eq!(events.headers["cache-control"], "no-cache");
    assert_eq!(events.headers["x-accel-buffering"], "no");
    // The app logs a warning for every to-do it adds.
    let add = || async { todo.post("/api/todos", &json!({ "title": "row" })).await.status };
    assert_eq!(add().await, 201);
    let first = until_added(&mut events, 1).await;
    let line = first.1;
    assert_eq!((&line["level"], &line["source"]), (&json!("WARNING"), &json!("subprocess")), "{line}");
    assert!(line["timestamp"].is_string(), "{line}");
    drop(events);

    for _ in 0..2 {
        assert_eq!(add().await, 201);
    }
    let client = ann.clone().header("last-event-id", first.0.to_string());
    let mut events = Events::open(&client, &stream).await;
    let next = events.next().await.expect("a line");
    assert!(next.id > first.0, "{next:?} came before");
    assert!(!next.data.contains("added 1"), "{next:?} is a repeat");
    let mut events = Events::open(&client, &stream).await;
    let second = until_added(&mut events, 2).await;
    let third = until_added(&mut events, 3).await;
    assert!(first.0 < second.0 && second.0 < third.0);

    let listed = ann.get(&format!("{PREVIEW}/logs?search=added&level=WARNING")).await.json();
    assert_eq!(listed["logs"].as_array().map(Vec::len), Some(3), "{listed}");
    assert_eq!(ann.get(&format!("{PREVIEW}/logs?level=LOUD")).await.status, 422);
    crate::scene::stop(&ann, "todo").await;
    let rest = events.all().await;
    assert!(rest.iter().all(|event| event.id > third.0), "the stream ends with the preview: {rest:?}");
    app.finish().await;
}

/// The line that says so, and its number.
async fn until_added(events: &mut Events, number: u32) -> (u64, Value) {
    loop {
        let event = events.next().await.expect("the stream goes on");
        if event.data.contains(&format!("added {number}")) {
            return (event.id, event.json());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_clients_are_told_of_the_new_face_when_the_operator_wants_it() {
    let app = TestApp::with(vec![("ENABLE_DEPRECATION_WARNINGS", "true".to_owned())]).await;
    let answer = app.user("ann").get(&format!("{PREVIEW}/status")).await;
    assert_eq!(answer.status, 404);
    for header in ["deprecation", "sunset", "link"] {
        assert!(answer.headers.contains_key(header), "{header}: {answer:?}");
    }
    assert!(answer.json()["detail"].is_string());
    app.finish().await;
}
