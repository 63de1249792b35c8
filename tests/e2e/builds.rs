//! Builds ahead of a launch: followed, shared, cancelled, cached, refused.

use serde_json::{Value, json};

use crate::app::{TestApp, example, until};
use crate::http::Client;
use crate::scene::{launch_with, nonce, page, put, runs, slow_build, status, text, visitor};
use crate::sse::{Event, Events};

fn build(id: &str) -> String {
    format!("/api/v2/generations/{id}/build")
}

async fn begin_build(client: &Client, id: &str) -> Value {
    let begun = client.post(&build(id), &json!({})).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    begun.json()
}

async fn state(client: &Client, id: &str) -> Value {
    client.get(&build(id)).await.json()
}

/// What the build said, from its beginning to its end.
async fn said(client: &Client, id: &str) -> Vec<Event> {
    Events::open(client, &format!("{}/logs", build(id))).await.all().await
}

fn kinds(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| text(&event.json(), "type").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_is_told_step_by_step_from_its_beginning() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "fresh-ahead", &slow_build(1)).await;
    assert_eq!(state(&ann, "fresh-ahead").await["state"], "none");
    assert_eq!(ann.get(&format!("{}/logs", build("fresh-ahead"))).await.status, 404);
    assert_eq!(begin_build(&ann, "fresh-ahead").await["state"], "building");
    let live = said(&ann, "fresh-ahead").await;
    let late = said(&ann, "fresh-ahead").await;
    assert_eq!(live, late, "who comes late hears the same");
    let ids: Vec<u64> = live.iter().map(|event| event.id).collect();
    assert_eq!(ids, (0..live.len() as u64).collect::<Vec<_>>());
    let kinds = kinds(&live);
    assert_eq!(
        (&*kinds[0], &*kinds[1], &*kinds[kinds.len() - 1]),
        ("queued", "builder", "done"),
        "{kinds:?}"
    );
    let step = |kind: &str| {
        let is_it = |event: &&Event| event.json()["type"] == kind && event.data.contains("RUN sleep 1");
        live.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} of the step in {live:?}")).json()
    };
    assert!(step("started")["at"].is_string());
    assert!(step("finished")["elapsedMs"].as_u64() >= Some(900), "{}", step("finished"));
    let built = state(&ann, "fresh-ahead").await;
    assert_eq!((&built["state"], &built["cached"]), (&json!("built"), &json!(false)), "{built}");
    assert!(built["finishedAt"].is_string() && built["image"].is_string(), "{built}");
    // What is built is not built again.
    let again = begin_build(&ann, "fresh-ahead").await;
    assert_eq!((&again["state"], &again["cached"]), (&json!("built"), &json!(true)), "{again}");
    assert_eq!(again["image"], built["image"]);
    let launched = launch_with(&ann, "fresh-ahead", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    assert_eq!(visitor(&launched.json()).get("/").await.text(), "built at last");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_content_under_different_names_is_built_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let content = slow_build(2);
    put(&ann, "fresh-one", &content).await;
    put(&ann, "fresh-two", &content).await;
    begin_build(&ann, "fresh-one").await;
    begin_build(&ann, "fresh-two").await;
    let launched = launch_with(&ann, "fresh-two", json!({})).await;
    assert_eq!(launched.status, 201);
    let (one, two) = tokio::join!(said(&ann, "fresh-one"), said(&ann, "fresh-two"));
    assert_eq!(one, two, "one build, with its moments, is what both heard");
    let (one, two) = (state(&ann, "fresh-one").await, state(&ann, "fresh-two").await);
    assert_eq!((&one["state"], &one["image"]), (&json!("built"), &two["image"]));
    crate::scene::once(&ann, "fresh-two", "healthy").await;
    assert_eq!(app.engine.owned_images().await.expect("a list").len(), 1);
    app.finish().await;
}

/// What somebody's build put into an image, from a cache of his own perhaps, is run by nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_content_of_another_owner_is_another_image() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let content = slow_build(1);
    put(&ann, "fresh-one", &content).await;
    put(&bob, "fresh-two", &content).await;
    let mut images = Vec::new();
    for (client, id) in [(&ann, "fresh-one"), (&bob, "fresh-two")] {
        begin_build(client, id).await;
        said(client, id).await;
        let built = state(client, id).await;
        assert_eq!((&built["state"], &built["cached"]), (&json!("built"), &json!(false)), "{built}");
        images.push(text(&built, "image").to_owned());
    }
    assert_ne!(images[0], images[1]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_build_runs_on_only_for_those_who_still_want_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let seconds = 100_000 + nonce() % 1_000_000_000;
    let content = slow_build(seconds);
    put(&ann, "fresh-one", &content).await;
    put(&ann, "fresh-two", &content).await;
    begin_build(&ann, "fresh-one").await;
    begin_build(&ann, "fresh-two").await;
    let step = format!("sleep {seconds}");
    until(60, || async { runs(&step).then_some(()) }).await;
    assert_eq!(ann.delete(&build("fresh-one")).await.status, 204);
    until(10, || async { (state(&ann, "fresh-one").await["state"] == "cancelled").then_some(()) }).await;
    assert_eq!(state(&ann, "fresh-two").await["state"], "building");
    assert!(runs(&step), "the other still wants it");
    assert_eq!(ann.delete(&build("fresh-two")).await.status, 204);
    let last = said(&ann, "fresh-two").await.pop().expect("an event");
    assert_eq!(last.json(), json!({ "type": "cancelled" }));
    until(20, || async { (!runs(&step)).then_some(()) }).await;
    assert_eq!(state(&ann, "fresh-two").await["state"], "cancelled");
    assert!(app.engine.owned_images().await.expect("a list").is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_build_names_its_step() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let dockerfile = "FROM previewd/static:1\nRUN echo so far so good && exit 7\n";
    put(&ann, "broken", &json!({ "files": { "Dockerfile": dockerfile } })).await;
    begin_build(&ann, "broken").await;
    let last = said(&ann, "broken").await.pop().expect("an event").json();
    assert_eq!(last["type"], "failed");
    assert!(text(&last, "step").contains("exit 7"), "{last}");
    let failed = state(&ann, "broken").await;
    assert_eq!(failed["state"], "failed");
    assert!(text(&failed["failure"], "step").contains("exit 7"), "{failed}");
    assert_eq!(failed["failure"]["logTail"], json!(["so far so good"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_classic_builder_builds_the_same_apps_and_says_that_it_does() {
    let app = TestApp::with(vec![("PREVIEW_BUILDER", "classic".to_owned())]).await;
    let ann = app.user("ann");
    let mut notes = example("fastapi-notes");
    notes["files"]["app/version.py"] = json!(format!("VERSION = {}\n", nonce()));
    put(&ann, "fresh-notes", &notes).await;
    begin_build(&ann, "fresh-notes").await;
    let events = said(&ann, "fresh-notes").await;
    let builder = events.iter().find(|event| event.json()["type"] == "builder").expect("its builder").json();
    assert_eq!((text(&builder, "name"), builder["note"].is_string()), ("classic", true), "{builder}");
    assert_eq!(kinds(&events).last().map(String::as_str), Some("done"), "{events:?}");
    let launched = launch_with(&ann, "fresh-notes", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let home = visitor(&launched.json()).get("/").await;
    assert_eq!(home.json()["app"], "fastapi-notes");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_what_waits_can_be_cancelled() {
    let settings =
        vec![("PREVIEW_BUILD_CONCURRENCY", "1".to_owned()), ("PREVIEW_BUILD_QUEUE", "1".to_owned())];
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let seconds = 100_000 + nonce() % 1_000_000_000;
    put(&ann, "fresh-one", &slow_build(seconds)).await;
    for id in ["fresh-two", "fresh-three"] {
        put(&ann, id, &slow_build(1)).await;
    }
    begin_build(&ann, "fresh-one").await;
    let step = format!("sleep {seconds}");
    until(60, || async { runs(&step).then_some(()) }).await;
    begin_build(&ann, "fresh-two").await;
    let refused = ann.post(&build("fresh-three"), &json!({})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("builds_full")), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(ann.delete(&build("fresh-two")).await.status, 204);
    until(10, || async { (state(&ann, "fresh-two").await["state"] == "cancelled").then_some(()) }).await;
    // Its place in the queue is free again, and the turn comes when the first one goes.
    until(10, || async { (ann.post(&build("fresh-three"), &json!({})).await.status == 202).then_some(()) })
        .await;
    assert_eq!(ann.delete(&build("fresh-one")).await.status, 204);
    assert_eq!(kinds(&said(&ann, "fresh-three").await).last().map(String::as_str), Some("done"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_of_what_is_built_builds_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "page", &page("built before")).await;
    begin_build(&ann, "page").await;
    until(60, || async { (state(&ann, "page").await["state"] == "built").then_some(()) }).await;
    let launched = launch_with(&ann, "page", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let trail = ann.get(&crate::scene::path("page", "/events")).await.text();
    assert!(trail.contains("started") && !trail.contains("building"), "{trail}");
    assert_eq!(status(&ann, "page").await["status"], "healthy");
    app.finish().await;
}
