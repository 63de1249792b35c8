//! A hundred previews at once on one host: launched, visited, asleep, awake again, and gone.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::base::probe_image;
use crate::scene::{launch_with, path, put, text, visitor};

const PREVIEWS: usize = 100;

/// On two cores this takes a minute and a half.
const LIMIT: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_previews_live_at_once_and_leave_nothing() {
    let settings = vec![
        ("PREVIEW_MAX_INSTANCES_PER_USER", PREVIEWS.to_string()),
        ("PREVIEW_MAX_CONCURRENCY", PREVIEWS.to_string()),
        ("PREVIEW_STARTUP_TIMEOUT", "120".to_owned()),
        ("PREVIEW_PORT_MIN", "12001".to_owned()),
        ("PREVIEW_PORT_MAX", "12300".to_owned()),
        ("PREVIEW_BASE_IMAGES", json!({ "allowed": [probe_image().await] }).to_string()),
    ];
    let begun = Instant::now();
    let app = TestApp::tuned(settings, |config| {
        config.orchestrator.idle_pause = Some(Duration::from_secs(3));
    })
    .await;
    // Two users, so that neither has the other wait for all of his.
    let users = [app.user("ann"), app.user("bob")];
    let dockerfile = format!("FROM {}\nEXPOSE 8000\n", probe_image().await);
    let body = json!({ "files": { "Dockerfile": dockerfile } });
    let names: Vec<String> = (0..PREVIEWS).map(|number| format!("crowd-{number}")).collect();
    let owner = |at: usize| users[at % 2].clone();
    for (at, name) in names.iter().enumerate() {
        put(&owner(at), name, &body).await;
    }
    let launches = names.iter().enumerate().map(|(at, name)| {
        let user = owner(at);
        async move { launch_with(&user, name, json!({ "wait": true, "resourceTier": "minimal" })).await }
    });
    let launched = join_all(launches).await;
    let refused: Vec<_> = launched.iter().filter(|answer| answer.status != 201).collect();
    assert!(refused.is_empty(), "{refused:?}");
    println!("launched after {:?}", begun.elapsed());
    let launched: Vec<Value> = launched.iter().map(|answer| answer.json()).collect();
    visit_all(&launched).await;
    sleepers(&app, PREVIEWS).await;
    println!("asleep after {:?}", begun.elapsed());
    // All are woken at once.
    visit_all(&launched).await;
    println!("awake after {:?}", begun.elapsed());
    let stops = names.iter().enumerate().map(|(at, name)| {
        let user = owner(at);
        async move { user.delete(&path(name, "")).await.status }
    });
    // A stop that takes longer than its answer may wait for goes on behind it.
    assert!(join_all(stops).await.iter().all(|status| *status == 204));
    until(120, || async { app.engine.owned_containers().await.expect("a list").is_empty().then_some(()) })
        .await;
    until(120, || async { (app.engine.owned_networks().await.expect("a list").len() <= 1).then_some(()) })
        .await;
    println!("gone after {:?}", begun.elapsed());
    assert_eq!(sleeping(&app).await, 0);
    app.finish().await;
    assert!(begun.elapsed() < LIMIT, "it took {:?}", begun.elapsed());
}

async fn visit_all(launched: &[Value]) {
    let visits = launched.iter().map(|one| async move { visitor(one).get("/").await });
    for (answer, one) in join_all(visits).await.iter().zip(launched) {
        assert_eq!((answer.status, &*answer.text()), (200, "probe"), "{}: {answer:?}", text(one, "baseUrl"));
    }
}

async fn sleepers(app: &TestApp, count: usize) {
    let asleep = until(600, || async { (sleeping(app).await == count).then_some(()) });
    if tokio::time::timeout(Duration::from_secs(90), asleep).await.is_err() {
        panic!("these do not sleep: {:#?}", awake(app).await);
    }
}

/// What is known of those that do not sleep.
async fn awake(app: &TestApp) -> Vec<String> {
    let list = app.admin().get("/api/v2/previews?limit=200").await.json();
    let all = list["previews"].as_array().expect("a list").iter();
    let mut told = Vec::new();
    for preview in all.filter(|preview| !["paused", "stopped", "failed"].contains(&text(preview, "status"))) {
        let id = text(preview, "generationId");
        let rest = ["/status", "/events?limit=20", "/logs?limit=20"];
        for rest in rest {
            told.push(app.admin().get(&path(id, rest)).await.text());
        }
    }
    told
}

async fn sleeping(app: &TestApp) -> usize {
    let list = app.admin().get("/api/v2/previews?status=paused&limit=200").await.json();
    list["previews"].as_array().expect("a list").len()
}
