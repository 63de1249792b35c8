//! The daemon killed with SIGKILL between the steps of a database's making and end: what was
//! promised is kept or taken back after the next start, and nothing is left on the server.

use std::time::Duration;

use hyper::Method;
use previewd::domain::Status;
use previewd::store::{self, Store};
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::clerk::{clerk, on_postgresql, rows};
use crate::crash::{Daemon, settled};
use crate::http::Client;
use crate::scene::{launch_with, nonce, path, put, up, visitor};

/// Databases and roles of previews on the server, as another preview sees them.
async fn on_server(witness: &Client) -> Value {
    let count = "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'pv%'), \
                 (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pv%')";
    rows(witness, count).await
}

/// Sends a request, and kills the daemon so many milliseconds after.
async fn killed_during(app: &TestApp, daemon: Daemon, method: Method, tail: &str, after: u64) {
    let (client, address) = (app.user("ann"), path("filled", tail));
    let request = tokio::spawn(async move { client.try_send(method, &address, "{}").await });
    // The moment is what this is about; there is nothing to wait for.
    tokio::time::sleep(Duration::from_millis(after)).await;
    daemon.kill().await;
    let _ = request.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_many_points_of_a_databases_life() {
    let mut app = TestApp::prepared(vec![]).await;
    let mut daemon = Daemon::start(&mut app).await;
    let witness = visitor(&up(&app.user("bob"), "witness", &on_postgresql()).await);
    let files = json!({
        "migrations/001_people.sql": format!("CREATE TABLE people (id serial PRIMARY KEY, mark text DEFAULT '{}');", nonce()),
        "seeds/people.csv": "id\n1\n2\n",
    });
    let body = clerk(json!({ "dbType": "postgresql", "seedDataIncluded": true }), files);
    put(&app.user("ann"), "filled", &body).await;
    let mut came_back = 0;
    // The first launches migrate, until one of them comes so far that its template is kept.
    for after in [20, 90, 200, 350, 600, 1000, 1600, 2400, 50, 140] {
        killed_during(&app, daemon, Method::POST, "/launch", after).await;
        daemon = Daemon::start(&mut app).await;
        let preview = settled(&app.user("ann"), "filled").await;
        if let Some(preview) = preview.filter(|preview| preview["status"] == "healthy") {
            came_back += 1;
            let people = rows(&visitor(&preview), "SELECT count(*) FROM people").await;
            assert_eq!(people, json!([[2]]), "killed after {after} ms");
            assert_eq!(on_server(&witness).await, json!([[2, 2]]), "killed after {after} ms");
        }
        // Its end is cut short as well.
        killed_during(&app, daemon, Method::DELETE, "", after / 8).await;
        daemon = Daemon::start(&mut app).await;
        let ann = app.user("ann");
        let stopped = ann.delete(&path("filled", "")).await;
        assert!([204, 404].contains(&stopped.status), "{stopped:?}");
        until(30, async || (on_server(&witness).await == json!([[1, 1]])).then_some(())).await;
        let containers = app.engine.owned_containers().await.expect("a list");
        assert_eq!(
            containers.len(),
            2,
            "killed after {after} ms: the witness and its server: {containers:?}"
        );
    }
    assert!(came_back >= 3, "only {came_back} launches went on after the kill");
    let stopped = app.user("bob").delete(&path("witness", "")).await;
    assert_eq!(stopped.status, 204);
    daemon.end().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_without_a_preview_are_found_while_no_daemon_runs() {
    let mut app = TestApp::prepared(vec![]).await;
    let daemon = Daemon::start(&mut app).await;
    let witness = visitor(&up(&app.user("bob"), "witness", &on_postgresql()).await);
    put(&app.user("ann"), "filled", &on_postgresql()).await;
    let launched = launch_with(&app.user("ann"), "filled", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    daemon.kill().await;
    // As after a restore of an older copy of the store.
    let url = format!("sqlite://{}", app.data_dir().join("previewd.db").display());
    let store = Store::open(store::Config::new(url)).await.expect("opened");
    let live = store.live_previews().await.expect("a list");
    let mut lost = live.into_iter().find(|preview| preview.user_id.as_str() == "ann").expect("a row");
    lost.status = Status::Stopped;
    store.update_preview(&lost).await.expect("written");
    store.close().await;

    let kinds = |found: Value| -> Vec<String> {
        let removed = found["removed"].as_array().expect("a list").iter();
        removed.map(|item| item["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    let dry = kinds(gc(&app, &["--dry-run"]).await);
    let databases = |kinds: &[String]| kinds.iter().filter(|kind| *kind == "database").count();
    assert!(databases(&dry) == 1 && dry.contains(&"container".to_owned()), "{dry:?}");
    // A dry run removes nothing, and then what it said goes, and nothing else.
    assert_eq!(kinds(gc(&app, &[]).await), dry);
    assert_eq!(databases(&kinds(gc(&app, &["--dry-run"]).await)), 0);
    let daemon = Daemon::start(&mut app).await;
    settled(&app.user("bob"), "witness").await;
    assert_eq!(on_server(&witness).await, json!([[1, 1]]));
    let stopped = app.user("bob").delete(&path("witness", "")).await;
    assert_eq!(stopped.status, 204);
    daemon.end().await;
    app.finish().await;
}

async fn gc(app: &TestApp, words: &[&str]) -> Value {
    let output =
        crate::crash::command(app, "gc").args(["--json"]).args(words).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
