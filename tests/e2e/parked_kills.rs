//! `kill -9` while a preview is made ahead of its launch, while it waits, and while it is claimed.
//! After the next start a launch gets a preview that serves, and in the end nothing is left.

use hyper::Method;
use previewd::engine::Kind;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::clerk::{on_postgresql, rows};
use crate::crash::{Daemon, log_of};
use crate::kills::{arm, start};
use crate::parked::{ahead, containers, ready};
use crate::scene::{launch_with, page, path, put, stop, text, up, visitor};

/// The points, and how often each is passed before it counts.
type Points<'a> = &'a [(&'a str, u32)];

/// What the daemon is busy with when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Making,
    Claiming,
}

async fn killed_at(work: Work, body: Value, points: Points<'_>) {
    let mut app = TestApp::prepared(vec![]).await;
    let mut daemon = start(&mut app).await;
    // Its image is there, and so is the server of databases where it needs one.
    up(&app.user("ann"), "first", &body).await;
    stop(&app.user("ann"), "first").await;
    for (number, (point, passes)) in points.iter().enumerate() {
        for side in ["before", "after"] {
            let (name, id) = (format!("{point}:{side}"), format!("ahead-{number}-{side}"));
            daemon = one(&mut app, daemon, work, &body, &id, &format!("{name}={passes}*off->return")).await;
        }
    }
    daemon.end().await;
    app.finish().await;
}

async fn one(
    app: &mut TestApp,
    mut daemon: Daemon,
    work: Work,
    body: &Value,
    id: &str,
    fault: &str,
) -> Daemon {
    let ann = app.user("ann");
    let request = match work {
        Work::Making => {
            arm(app, fault).await;
            (Method::PUT, format!("/api/v2/generations/{id}"), ahead(body.clone()))
        }
        Work::Claiming => {
            put(&ann, id, &ahead(body.clone())).await;
            ready(&ann, id).await;
            arm(app, fault).await;
            (Method::POST, path(id, "/launch"), json!({}))
        }
    };
    let (method, address, sent) = request;
    let asked = tokio::spawn(async move { ann.try_send(method, &address, sent.to_string()).await });
    assert!(daemon.died(60).await, "{work:?} never came to {fault}:\n{}", log_of(app));
    let _ = asked.await.expect("no panic");

    let daemon = start(app).await;
    let ann = app.user("ann");
    if work == Work::Making {
        // The generation may have died with its request.
        put(&ann, id, &ahead(body.clone())).await;
    }
    let launched = launch_with(&ann, id, json!({ "wait": true })).await;
    assert!([200, 201].contains(&launched.status), "{fault}: {launched:?}\n{}", log_of(app));
    serves(&launched.json(), body).await;
    // Beside it there may be the one that was made ahead, where the host was too slow to look at that
    // in time for the launch; never a third.
    until(30, || async { (containers(app, id).await.len() <= 2).then_some(()) }).await;
    stop(&ann, id).await;
    // The one beside it may still be going.
    let generation = format!("/api/v2/generations/{id}");
    until(30, || async { (ann.delete(&generation).await.status == 204).then_some(()) }).await;
    until(30, || async { nothing_but_servers(app).await.then_some(()) }).await;
    daemon
}

async fn serves(launched: &Value, body: &Value) {
    if body["metadata"]["dbType"].is_string() {
        assert_eq!(rows(&visitor(launched), "SELECT 7").await, json!([[7]]));
    } else {
        assert_eq!(visitor(launched).get("/").await.status, 200, "{}", text(launched, "baseUrl"));
    }
}

async fn nothing_but_servers(app: &TestApp) -> bool {
    let containers = app.engine.owned_containers().await.expect("a list");
    let networks = app.engine.owned_networks().await.expect("a list");
    let servers = containers.iter().filter(|container| container.ownership.kind == Kind::Server).count();
    // Each server has one, and one is spare.
    servers == containers.len() && networks.len() <= servers + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_one_is_made_and_parked() {
    let points = [
        ("storing a preview", 0),
        ("updating a preview", 1),
        ("create container", 0),
        ("pause container", 0),
        ("updating a preview", 3),
        ("recording an event", 2),
    ];
    killed_at(Work::Making, page("made ahead, killed"), &points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_one_is_claimed() {
    let points = [
        ("storing a preview", 0),
        ("recording an event", 0),
        ("updating a preview", 0),
        ("unpause container", 0),
    ];
    killed_at(Work::Claiming, page("made ahead, claimed, killed"), &points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_one_with_a_database_is_made_and_claimed() {
    let points = [("storing what is known of a preview's database", 0), ("connect to network", 0)];
    killed_at(Work::Making, on_postgresql(), &points).await;
    killed_at(Work::Claiming, on_postgresql(), &[("storing a preview", 0)]).await;
}
