//! Previews made ready ahead of their launch: claimed in a moment, by the right launch only, and
//! gone when nobody wants them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use previewd::domain::ContainerStatus;
use previewd::domain::GenerationId;
use serde_json::{Value, json};

use crate::app::{Settings, TestApp, until};
use crate::clerk::{clerk, on_postgresql, rows, run};
use crate::http::Client;
use crate::scene::{OBEDIENT, launch_with, once, page, path, python, status, stop, text, up, visitor};

/// A generation that asks to be made ready.
pub fn ahead(mut body: Value) -> Value {
    body["metadata"]["prewarm"] = json!(true);
    body
}

async fn put_ahead(client: &Client, id: &str, body: Value) {
    crate::scene::put(client, id, &ahead(body)).await;
}

async fn prewarmed(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/v2/generations/{id}")).await.json()["prewarmed"].clone()
}

pub async fn ready(client: &Client, id: &str) {
    until(60, || async { (prewarmed(client, id).await == "ready").then_some(()) }).await;
}

/// The containers of a generation, with what the engine says of each.
pub async fn containers(app: &TestApp, id: &str) -> Vec<(String, ContainerStatus)> {
    let id = GenerationId::parse(id).expect("an id");
    let all = app.engine.owned_containers().await.expect("a list").into_iter();
    let of_it = all.filter(|one| one.ownership.generation.as_ref() == Some(&id));
    of_it.map(|one| (one.id, one.status)).collect()
}

async fn nothing_of(app: &TestApp, id: &str) {
    until(30, || async { containers(app, id).await.is_empty().then_some(()) }).await;
}

async fn events(client: &Client, id: &str) -> Vec<Value> {
    let trail = client.get(&path(id, "/events?limit=100")).await.json();
    trail["events"].as_array().expect("a list").clone()
}

fn set(name: &'static str, value: impl ToString) -> Settings {
    vec![(name, value.to_string())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_takes_the_very_container_that_waits_for_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put_ahead(&ann, "ahead", python(OBEDIENT)).await;
    ready(&ann, "ahead").await;
    let parked = containers(&app, "ahead").await;
    assert!(matches!(&parked[..], [(_, ContainerStatus::Paused)]), "{parked:?}");
    // Until then it is nobody's: no preview, no entry in a list, no figure.
    assert_eq!(ann.get(&path("ahead", "/status")).await.status, 404);
    assert_eq!(ann.delete(&path("ahead", "")).await.status, 404);
    let lists = ["/api/v2/previews", "/api/v2/previews/stats"];
    for list in lists {
        assert_eq!(ann.get(list).await.json()["previews"], json!([]), "{list}");
    }
    let begun = Instant::now();
    let launched = launch_with(&ann, "ahead", json!({ "projectId": "p" })).await;
    let took = begun.elapsed();
    let body = launched.json();
    assert_eq!((launched.status, text(&body, "status")), (201, "launched"), "{launched:?}");
    let visited = visitor(&body).get("/").await;
    assert_eq!(visited.status, 200);
    // Building, starting and answering take this program some hundred milliseconds.
    assert!(took < Duration::from_millis(250), "a claim took {took:?}");
    until(10, || async {
        let now = containers(&app, "ahead").await;
        (now == [(parked[0].0.clone(), ContainerStatus::Running)]).then_some(())
    })
    .await;
    assert_eq!(visitor(&body).get("/").await.text(), visited.text(), "the same process as before");
    let status = status(&ann, "ahead").await;
    assert_eq!(
        (&status["status"], &status["timeRemaining"].as_u64().map(|left| left > 7000)),
        (&json!("healthy"), &Some(true))
    );
    let trail = events(&ann, "ahead").await;
    let words: Vec<&str> = trail.iter().map(|event| text(event, "eventType")).collect();
    let tail = &words[words.len() - 4..];
    assert_eq!(tail, ["started", "healthy", "parked", "launched"], "{words:?}");
    let data = &trail[words.len() - 1]["data"];
    assert_eq!((&data["prewarmed"], &data["container"]), (&json!(true), &json!(parked[0].0)), "{data}");
    // Its token is this preview's, and a second launch finds it live.
    let token = text(&body, "previewToken").to_owned();
    let asked = ann.clone().header("x-preview-token", token.clone());
    assert_eq!(asked.post(&path("ahead", "/request"), &json!({ "path": "/" })).await.status, 200);
    let again = launch_with(&ann, "ahead", json!({})).await;
    assert_eq!((again.status, again.json()["previewToken"].clone()), (200, json!(token)));
    stop(&ann, "ahead").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_that_wants_something_else_goes_the_long_way() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put_ahead(&ann, "other", python(OBEDIENT)).await;
    ready(&ann, "other").await;
    let parked = containers(&app, "other").await[0].0.clone();
    for wish in [
        json!({ "environment": { "A": "b" }, "wait": true }),
        json!({ "resourceTier": "minimal", "wait": true }),
    ] {
        let launched = launch_with(&ann, "other", wish).await;
        assert_eq!(launched.status, 201, "{launched:?}");
        let both = containers(&app, "other").await;
        assert_eq!(both.len(), 2, "{both:?}");
        stop(&ann, "other").await;
        // What waits goes on waiting for a launch that it suits.
        assert_eq!(containers(&app, "other").await, [(parked.clone(), ContainerStatus::Paused)]);
    }
    // Dead, it suits nobody.
    app.engine.kill(&parked).await.expect("killed");
    let launched = launch_with(&ann, "other", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    until(30, || async {
        (!containers(&app, "other").await.iter().any(|(id, _)| *id == parked)).then_some(())
    })
    .await;
    assert_eq!(visitor(&launched.json()).get("/").await.status, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_database_is_the_claimers_and_goes_with_it() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let witness = visitor(&up(&bob, "witness", &on_postgresql()).await);
    let others = async || rows(&witness, "SELECT count(*) FROM pg_database WHERE datname LIKE 'pv%'").await;
    let body = clerk(
        json!({ "dbType": "postgresql" }),
        json!({ "migrations/001.sql": "CREATE TABLE people (id serial PRIMARY KEY);\nINSERT INTO people DEFAULT VALUES;" }),
    );
    put_ahead(&ann, "filled", body).await;
    ready(&ann, "filled").await;
    assert_eq!(others().await, json!([[2]]), "it has its database already");
    let parked = containers(&app, "filled").await;
    // A launch that wants another one goes the long way, and the parked one keeps its own.
    let launched = launch_with(&ann, "filled", json!({ "autoMigrateDatabase": false, "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let missing = run(&visitor(&launched.json()), "SELECT count(*) FROM people").await;
    assert_eq!(missing["state"], "42P01", "nothing was migrated here: {missing}");
    stop(&ann, "filled").await;
    assert_eq!(containers(&app, "filled").await, parked);

    let launched = launch_with(&ann, "filled", json!({})).await;
    assert_eq!((launched.status, text(&launched.json(), "status")), (201, "launched"), "{launched:?}");
    let visits = visitor(&launched.json());
    assert_eq!(rows(&visits, "SELECT count(*) FROM people").await, json!([[1]]));
    assert_eq!(containers(&app, "filled").await[0].0, parked[0].0);
    let database = ann.get(&path("filled", "/database")).await;
    assert_eq!(database.status, 200, "{database:?}");
    stop(&ann, "filled").await;
    until(30, async || (others().await == json!([[1]])).then_some(())).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_launches_goes_when_its_time_is_over_or_its_generation_is_deleted() {
    let app = TestApp::tuned(vec![], |config| {
        config.orchestrator.parked.ttl = Duration::from_secs(4);
    })
    .await;
    let ann = app.user("ann");
    put_ahead(&ann, "late", page("waits in vain")).await;
    ready(&ann, "late").await;
    nothing_of(&app, "late").await;
    assert_eq!(prewarmed(&ann, "late").await, Value::Null);
    assert_eq!(ann.get(&path("late", "/status")).await.status, 404, "nobody ever saw it");
    assert_eq!(launch_with(&ann, "late", json!({ "wait": true })).await.status, 201);
    put_ahead(&ann, "deleted", page("deleted while it waits")).await;
    ready(&ann, "deleted").await;
    assert_eq!(ann.delete("/api/v2/generations/deleted").await.status, 204, "it is no live preview");
    nothing_of(&app, "deleted").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_have_limits_of_their_own_and_the_quota_holds_for_a_claim() {
    let mut settings = set("PREVIEW_MAX_INSTANCES_PER_USER", 1);
    settings.extend(set("PREVIEW_PREWARM_MAX_PER_USER", 2));
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    for id in ["one", "two"] {
        put_ahead(&ann, id, page(id)).await;
        ready(&ann, id).await;
    }
    // Two wait beside a quota of one, and a third has the oldest go.
    put_ahead(&ann, "three", page("three")).await;
    ready(&ann, "three").await;
    nothing_of(&app, "one").await;
    assert_eq!(prewarmed(&ann, "two").await, "ready");
    assert_eq!(launch_with(&ann, "two", json!({})).await.status, 201);
    let refused = launch_with(&ann, "three", json!({})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("quota")), "{refused:?}");
    assert_eq!(prewarmed(&ann, "three").await, "ready", "it waits on");
    stop(&ann, "two").await;
    let launched = launch_with(&ann, "three", json!({})).await;
    assert_eq!((launched.status, text(&launched.json(), "status")), (201, "launched"));
    stop(&ann, "three").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_is_still_there_after_a_restart_of_the_daemon() {
    let mut app = TestApp::start().await;
    put_ahead(&app.user("ann"), "kept", python(OBEDIENT)).await;
    ready(&app.user("ann"), "kept").await;
    let parked = containers(&app, "kept").await;
    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    ready(&ann, "kept").await;
    assert_eq!(containers(&app, "kept").await, parked);
    let launched = launch_with(&ann, "kept", json!({})).await;
    assert_eq!((launched.status, text(&launched.json(), "status")), (201, "launched"));
    assert_eq!(visitor(&launched.json()).get("/").await.status, 200);
    assert_eq!(containers(&app, "kept").await[0].0, parked[0].0);
    // And one that is claimed lives through a restart like any other.
    app.shutdown().await;
    app.boot().await;
    once(&app.user("ann"), "kept", "healthy").await;
    assert_eq!(visitor(&launched.json()).get("/").await.status, 200);
    stop(&app.user("ann"), "kept").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn launches_that_race_claim_it_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put_ahead(&ann, "raced", python(OBEDIENT)).await;
    ready(&ann, "raced").await;
    let parked = containers(&app, "raced").await[0].0.clone();
    let answers = join_all((0..8).map(|_| launch_with(&ann, "raced", json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    let first = answers[0].json();
    for answer in &answers {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.json()["previewToken"], first["previewToken"]);
    }
    let left = containers(&app, "raced").await;
    assert!(left.len() == 1 && left[0].0 == parked, "{left:?}");
    // A launch that does not wait for what is being made overtakes it.
    stop(&ann, "raced").await;
    put_ahead(&ann, "fresh-overtaken", python(&format!("{OBEDIENT}# {}", crate::scene::nonce()))).await;
    let launched = launch_with(&ann, "fresh-overtaken", json!({ "wait": true })).await;
    assert!([200, 201].contains(&launched.status), "{launched:?}");
    until(30, || async { (containers(&app, "fresh-overtaken").await.len() == 1).then_some(()) }).await;
    assert_eq!(visitor(&launched.json()).get("/").await.status, 200);
    app.finish().await;
}

/// What a project's user works on is made ready without being asked, once one of it is live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_of_a_project_in_use_are_made_ready() {
    let app = TestApp::with(set("PREVIEW_PREWARM_PROJECTS", "active")).await;
    let ann = app.user("ann");
    let of_shop = |words: &str| {
        let mut body = page(words);
        body["metadata"]["projectId"] = json!("shop");
        body
    };
    crate::scene::put(&ann, "first", &of_shop("first")).await;
    assert_eq!(prewarmed(&ann, "first").await, Value::Null, "nothing of the project is live");
    assert_eq!(launch_with(&ann, "first", json!({ "projectId": "shop", "wait": true })).await.status, 201);
    crate::scene::put(&ann, "second", &of_shop("second")).await;
    ready(&ann, "second").await;
    crate::scene::put(&ann, "other", &page("of no project")).await;
    let bob = app.user("bob");
    crate::scene::put(&bob, "of-bob", &of_shop("of another's project")).await;
    let launched = launch_with(&ann, "second", json!({ "projectId": "shop", "wait": true })).await;
    assert!(visitor(&launched.json()).get("/").await.text().contains("second"));
    let told = events(&ann, "second").await;
    assert!(told.iter().any(|event| event["data"]["prewarmed"] == true), "{told:?}");
    assert_eq!((prewarmed(&ann, "other").await, prewarmed(&bob, "of-bob").await), (Value::Null, Value::Null));
    stop(&ann, "first").await;
    stop(&ann, "second").await;
    app.finish().await;
}
