//! A real engine that is restarted, killed and stopped under running previews. What was served is
//! served again, the API goes on answering, and nothing is launched twice.
//!
//! `ENGINE_PREVIEWS=50 ENGINE_STANDS=60` (as in `make soak`): so many previews, so many seconds.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::dockerd::Dockerd;
use crate::outside::is_root;
use crate::scene::{launch_with, page, path, put, status, text, up, visitor};

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Until the preview answers with its own page, as its visitors see it.
async fn served(launched: &Value, said: &str) {
    until(60, || async {
        let answer = visitor(launched).try_send(Method::GET, "/", "").await.ok()?;
        (answer.status == 200 && answer.text().ends_with(said)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_are_served_again_after_the_engine_restarts() {
    if !is_root() {
        println!("NOT RUN: an engine of one's own takes root");
        return;
    }
    let count = setting("ENGINE_PREVIEWS", 6);
    let mut engine = Dockerd::start(&["previewd/static:1"]).await;
    let mut settings = engine.settings();
    settings.push(("PREVIEW_MAX_INSTANCES_PER_USER", "100".to_owned()));
    if count > 30 {
        // More than a test's own range has.
        settings.extend([("PREVIEW_PORT_MIN", "3201".to_owned()), ("PREVIEW_PORT_MAX", "3400".to_owned())]);
    }
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let names: Vec<String> = (0..count).map(|n| format!("page-{n}")).collect();
    let mut launched = Vec::new();
    for few in names.chunks(5) {
        launched.extend(join_all(few.iter().map(|name| async { up(&ann, name, &page(name)).await })).await);
    }
    for signal in [Signal::TERM, Signal::KILL] {
        engine.restart(signal).await;
        let begun = Instant::now();
        join_all(launched.iter().zip(&names).map(|(launched, name)| served(launched, name))).await;
        let took = begun.elapsed();
        println!(
            "{count} previews were served {} ms after an engine ended by {signal:?} was back",
            took.as_millis()
        );
        assert!(took < Duration::from_secs(60), "{took:?}");
        let once_each = || async {
            let containers = app.engine.owned_containers().await.ok()?;
            (containers.len() == count).then_some(())
        };
        until(30, once_each).await;
    }
    app.finish().await;
    engine.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_stopped_launches_nothing_twice_when_it_goes_on() {
    if !is_root() {
        println!("NOT RUN: an engine of one's own takes root");
        return;
    }
    let stands = Duration::from_secs(setting("ENGINE_STANDS", 12) as u64);
    let engine = Dockerd::start(&["previewd/static:1"]).await;
    let app = TestApp::with(engine.settings()).await;
    let ann = app.user("ann");
    let kept = up(&ann, "kept", &page("kept")).await;
    put(&ann, "page", &page("launched while nothing moves")).await;
    engine.signal(Signal::STOP);
    let begun = Instant::now();
    // Accepted before the engine is known to stand still, or refused in words.
    let early = launch_with(&ann, "page", json!({})).await;
    assert!([201, 503].contains(&early.status), "{early:?}");
    let unready = until(20, || async {
        let said = app.stranger().get("/readiness").await.json();
        said["engine"].is_string().then_some(said)
    });
    assert!(text(&unready.await, "engine").contains("engine"));
    let mut slowest = Duration::ZERO;
    while begun.elapsed() < stands {
        let asked = Instant::now();
        assert_eq!(app.stranger().get("/health").await.status, 200);
        assert_eq!(status(&ann, "kept").await["status"], "healthy");
        served(&kept, "kept").await;
        slowest = slowest.max(asked.elapsed());
        let again = launch_with(&ann, "page", json!({})).await;
        assert!([200, 201, 503].contains(&again.status), "{again:?}");
        // Four times a second is often enough to ask.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(slowest < Duration::from_secs(2), "what needs no engine took {slowest:?}");
    engine.signal(Signal::CONT);
    // Base images of other languages are not on this engine, so ready in all it never is.
    until(30, || async {
        (!app.stranger().get("/readiness").await.json()["engine"].is_string()).then_some(())
    })
    .await;
    let launched = launch_with(&ann, "page", json!({ "wait": true })).await;
    assert!([200, 201].contains(&launched.status), "{launched:?}");
    let containers = app.engine.owned_containers().await.expect("a list");
    assert_eq!(containers.len(), 2, "each once: {containers:?}");
    println!(
        "an engine stood still for {} s: the API answered within {} ms",
        stands.as_secs(),
        slowest.as_millis()
    );
    assert_eq!(ann.delete(&path("page", "")).await.status, 204);
    app.finish().await;
    engine.end().await;
}
