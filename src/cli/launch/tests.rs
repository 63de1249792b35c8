//! A launch against a server that speaks the contract.

use std::fs;

use hyper::Response;
use tempfile::TempDir;

use super::*;
use crate::cli::testing::{
    Body, Captured, Seen, Server, context, empty, json_answer, problem, serve, shell_words, sse,
};
use crate::cli::{Cli, Command};

fn args(line: &str, dir: &TempDir) -> LaunchArgs {
    use clap::Parser as _;
    let mut words = shell_words(&format!("previewd launch {line}"));
    words.push(dir.path().display().to_string());
    match Cli::try_parse_from(words).expect("valid").command {
        Command::Launch(args) => args,
        other => panic!("{other:?}"),
    }
}

fn app() -> TempDir {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join("main.py"), "app = 1").expect("a file");
    fs::write(dir.path().join("preview.json"), "{\"projectId\": \"shop\"}").expect("a file");
    dir
}

fn build_events(events: &[Value]) -> Response<Body> {
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    sse(&[text.as_str()])
}

fn step() -> Value {
    json!({"id": "s2", "name": "[2/2] RUN pip install"})
}

fn launched() -> Value {
    json!({"status": "launched", "previewInstanceId": "id-1", "baseUrl": "http://127.0.0.1:3001",
           "previewToken": "pt", "expiresAt": chrono::Utc::now() + chrono::TimeDelta::seconds(5400)})
}

/// A daemon where everything goes well, but for what `first` answers itself.
async fn daemon(first: impl Fn(&Seen) -> Option<Response<Body>> + Send + Sync + 'static) -> Server {
    serve(move |call| {
        if let Some(answer) = first(call) {
            return answer;
        }
        let tail = call.path.strip_prefix("/api/v2/generations/g-1").unwrap_or(&call.path);
        match (call.method.as_str(), tail) {
            ("PUT", "") => json_answer(201, &json!({"generationId": "g-1"})),
            ("GET", "/build") => json_answer(200, &json!({"state": "none"})),
            ("POST", "/build") => json_answer(202, &json!({"state": "queued"})),
            ("GET", "/build/logs") => build_events(&[
                json!({"type": "started", "step": step(), "at": "2026-01-31T12:00:00Z"}),
                json!({"type": "finished", "step": step(), "cached": false, "elapsedMs": 2500, "error": null}),
                json!({"type": "done", "image": "previewd/x:1", "cached": false}),
            ]),
            ("POST", "/preview/launch") => json_answer(201, &launched()),
            ("GET", "/preview/events") => json_answer(200, &json!({"events": []})),
            other => panic!("{other:?}"),
        }
    })
    .await
}

async fn launch(server: &Server, line: &str, json: bool) -> (anyhow::Result<()>, Captured, Captured) {
    let (context, out, err) = context(server, json);
    let dir = app();
    (run(&context, args(line, &dir)).await, out, err)
}

#[tokio::test]
async fn what_can_start_in_an_environment_is_not_built_first() {
    let server = daemon(|call| {
        let state = json!({"state": "none", "environment": "previewd/env:1"});
        (call.method.as_str() == "GET" && call.path.ends_with("/build")).then(|| json_answer(200, &state))
    })
    .await;
    let (result, out, _) = launch(&server, "--id g-1", true).await;
    result.expect("launched");
    let object: Value = serde_json::from_str(&out.text()).expect("JSON");
    assert_eq!((&object["image"], &object["imageCached"]), (&json!("previewd/env:1"), &json!(true)));
    assert!(!server.calls().iter().any(|call| call.method == "POST" && call.path.ends_with("/build")));
}

#[tokio::test]
async fn files_go_in_and_the_url_comes_out() {
    let server = daemon(|_| None).await;
    let line =
        "--id g-1 --tier pro --db postgresql --env A=b=c --env EMPTY= --log-level debug --log-lines 500";
    let (result, out, err) = launch(&server, line, false).await;
    result.expect("launched");
    assert_eq!(out.text(), "http://127.0.0.1:3001\n");
    let shown = err.text();
    for part in ["storing g-1: 1 file, 7 B", "#1 [2/2] RUN pip install\n#1 2.5s\n", "expires in 1h "] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    let calls = server.calls();
    assert_eq!(calls[0].json()["files"], json!({"main.py": "app = 1"}));
    assert_eq!(calls[0].json()["metadata"]["projectId"], json!("shop"));
    let start = calls.iter().find(|call| call.path.ends_with("/launch")).expect("a launch");
    assert_eq!(
        start.json(),
        json!({"projectId": "shop", "databaseType": "postgresql", "resourceTier": "pro",
               "environment": {"A": "b=c", "EMPTY": ""}, "logLevel": "DEBUG", "maxLogLines": 500,
               "wait": true})
    );
}

#[tokio::test]
async fn json_is_one_object_and_nothing_else() {
    let server = daemon(|call| {
        call.path.ends_with("/build").then(|| json_answer(202, &json!({"state": "built", "image": "i:1"})))
    })
    .await;
    let (result, out, err) = launch(&server, "--id g-1", true).await;
    result.expect("launched");
    let object: Value = serde_json::from_str(&out.text()).expect("one JSON object");
    assert_eq!(object["generationId"], json!("g-1"));
    assert_eq!(object["previewToken"], json!("pt"));
    assert_eq!((&object["image"], &object["imageCached"]), (&json!("i:1"), &json!(true)));
    assert_eq!(object["alreadyRunning"], json!(false));
    assert_eq!(err.text(), "");
}

#[tokio::test]
async fn a_failed_build_shows_the_step_and_launches_nothing() {
    let server = daemon(|call| {
        call.path.ends_with("/build/logs").then(|| {
            build_events(&[
                json!({"type": "started", "step": step(), "at": "2026-01-31T12:00:00Z"}),
                json!({"type": "output", "step": "s2", "line": "no matching distribution"}),
                json!({"type": "failed", "step": "s2", "reason": "exit code: 1"}),
            ])
        })
    })
    .await;
    let (result, out, err) = launch(&server, "--id g-1", false).await;
    let error = result.expect_err("failed").to_string();
    assert_eq!(error, "the build failed: exit code: 1\n  in the step: [2/2] RUN pip install");
    assert!(err.text().contains("   │ no matching distribution\n"), "{}", err.text());
    assert_eq!(out.text(), "");
    assert!(!server.calls().iter().any(|call| call.path.ends_with("/launch")));
}

#[tokio::test]
async fn a_build_stream_that_breaks_is_opened_again() {
    let server = daemon(|call| match (call.method.as_str(), call.path.ends_with("/build")) {
        ("GET", true) => Some(json_answer(200, &json!({"state": "building"}))),
        _ if call.path.ends_with("/build/logs") && call.seen_before("logs") == 0 => {
            Some(build_events(&[json!({"type": "started", "step": step(), "at": "2026-01-31T12:00:00Z"})]))
        }
        _ => None,
    })
    .await;
    let (result, _, err) = launch(&server, "--id g-1", false).await;
    result.expect("launched");
    assert_eq!(err.text().matches("RUN pip install").count(), 1, "{}", err.text());
}

#[tokio::test]
async fn an_app_that_does_not_come_up_shows_its_last_lines() {
    let server = daemon(|call| {
        call.path.ends_with("/launch").then(|| {
            problem(
                502,
                &json!({"detail": "the app exited with code 3 before it listened", "stage": "startup",
                                 "reason": "exit code 3", "logTail": ["Traceback", "boom"], "traceId": "t"}),
            )
        })
    })
    .await;
    let (result, out, err) = launch(&server, "--id g-1", false).await;
    let error = result.expect_err("failed");
    assert_eq!(error.to_string(), "the app exited with code 3 before it listened");
    assert!(err.text().ends_with("failed in stage startup\n   │ Traceback\n   │ boom\n"), "{}", err.text());
    assert_eq!(out.text(), "");
    let machine = crate::cli::problem::as_json(&error);
    assert_eq!(machine["error"]["logTail"], json!(["Traceback", "boom"]));
}

#[tokio::test]
async fn a_live_preview_is_not_launched_twice() {
    let server = daemon(|call| call.path.ends_with("/launch").then(|| json_answer(200, &launched()))).await;
    let (result, out, err) = launch(&server, "--id g-1 --tier pro", false).await;
    result.expect("live");
    assert_eq!(out.text(), "http://127.0.0.1:3001\n");
    assert!(err.text().contains("g-1 is running already\nit keeps the settings"), "{}", err.text());
}

#[tokio::test]
async fn what_the_store_refuses_comes_with_advice() {
    for (status, advice) in [(409, "take another --id"), (413, "the largest: main.py (7 B)")] {
        let server =
            daemon(move |call| (call.method == "PUT").then(|| problem(status, &json!({"detail": "no"}))))
                .await;
        let (result, ..) = launch(&server, "--id g-1", false).await;
        let error = format!("{:#}", result.expect_err("refused"));
        assert!(error.contains(advice), "{error}");
    }
}

#[tokio::test]
async fn follow_goes_on_with_the_logs() {
    let line = |seq: u64, source: &str, message: &str| json!({"seq": seq, "timestamp": "2026-01-31T12:00:00Z", "level": "INFO", "source": source, "message": message});
    let server = daemon(move |call| match call.path.rsplit('/').next() {
        Some("logs") if call.path.contains("/preview/") => {
            Some(json_answer(200, &json!({"logs": [line(1, "build", "seen"), line(2, "app", "hello")]})))
        }
        Some("stream") => {
            assert_eq!(call.header("last-event-id"), "2");
            Some(sse(&[&format!("id: 3\ndata: {}\n\n", line(3, "app", "served"))]))
        }
        Some("status") => Some(json_answer(200, &json!({"previewInstanceId": "id", "status": "stopped"}))),
        _ => None,
    })
    .await;
    let (result, out, err) = launch(&server, "--id g-1 --follow", false).await;
    result.expect("followed");
    assert_eq!(out.text(), "http://127.0.0.1:3001\nhello\nserved\n");
    assert!(err.text().ends_with("g-1 is stopped\n"), "{}", err.text());
}

#[tokio::test]
async fn bad_input_is_wrong_usage_before_anything_is_sent() {
    let server = serve(|_| empty(500)).await;
    let (context, ..) = context(&server, false);
    let dir = app();
    let mut wrong = args("", &dir);
    wrong.environment = vec![("A B".into(), "x".into())];
    let error = run(&context, wrong).await.expect_err("refused");
    assert!(error.is::<Usage>(), "{error}");
    let missing = LaunchArgs { dir: dir.path().join("none"), ..args("", &dir) };
    assert!(run(&context, missing).await.expect_err("refused").is::<Usage>());
    assert!(server.calls().is_empty());
}
