//! What one preview, one user and the host may use, and many launches at once.

use futures_util::future::join_all;
use previewd::api::auth::Role;
use previewd::domain::UserTier;
use previewd::engine::Kind;
use serde_json::{Value, json};

use crate::app::{Settings, TestApp, until};
use crate::scene::{begin, launch_with, once, page, path, put, status, stop, text, up, visitor};

fn setting(name: &'static str, value: impl ToString) -> Settings {
    vec![(name, value.to_string())]
}

const MIB: u64 = 1024 * 1024;

/// The kernel's own numbers: (MiB, cores) for each tier of user and tier asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cgroup_of_every_tier_has_its_limits() {
    let app = TestApp::start().await;
    let small = (256, 0.5);
    let tiers = [
        (UserTier::Free, "free", [small, small, small]),
        (UserTier::Pro, "pro", [small, (512, 1.0), (1024, 2.0)]),
        (UserTier::Enterprise, "enterprise", [small, (512, 1.0), (1024, 2.0)]),
    ];
    for (tier, name, expected) in tiers {
        let user = app.client(name, Role::User, tier);
        for (asked, (memory, cores)) in ["minimal", "standard", "pro"].into_iter().zip(expected) {
            let id = format!("{name}-{asked}");
            put(&user, &id, &page("measured")).await;
            let launched = launch_with(&user, &id, json!({ "wait": true, "resourceTier": asked })).await;
            let said = launched.json()["resourceAllocated"].clone();
            assert_eq!(said["memory"], format!("{memory}MB"), "{launched:?}");
            let limits = cgroup_limits(&app, &id).await;
            assert_eq!(limits.memory_bytes, Some(memory * MIB), "{id}");
            assert_eq!(limits.swap_bytes, Some(0), "{id}");
            assert_eq!(limits.cpus, Some(cores), "{id}");
            assert_eq!(limits.pids, Some(256), "{id}");
            stop(&user, &id).await;
        }
    }
    app.finish().await;
}

async fn cgroup_limits(app: &TestApp, generation: &str) -> previewd::engine::CgroupLimits {
    let containers = app.engine.owned_containers().await.expect("a list");
    let of =
        |id: &Option<previewd::domain::GenerationId>| id.as_ref().is_some_and(|id| id.as_str() == generation);
    let container = containers.iter().find(|one| of(&one.ownership.generation)).expect("its container");
    let state = app.engine.inspect(&container.id).await.expect("an answer").expect("its state");
    state.process.expect("a process").cgroup_limits().expect("a cgroup")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_launches_at_once_of_a_user_with_a_quota_of_three_give_three() {
    let app = TestApp::with(setting("PREVIEW_MAX_INSTANCES_PER_USER", 3)).await;
    let ann = app.user("ann");
    let ids: Vec<String> = (0..50).map(|n| format!("page-{n}")).collect();
    for id in &ids {
        put(&ann, id, &page("one of fifty")).await;
    }
    let answers = join_all(ids.iter().map(|id| launch_with(&ann, id, json!({ "wait": true })))).await;
    let (up, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(up.len(), 3, "{answers:?}");
    for answer in refused {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (429, Some("quota")), "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    // Besides one that may be looked into, to compare an image made behind its preview.
    let containers = app.engine.owned_containers().await.expect("a list");
    let of_previews = containers.iter().filter(|container| container.ownership.kind == Kind::Preview);
    assert_eq!(of_previews.count(), 3, "{containers:?}");
    // Another user has a quota of his own, and one that is freed can be used.
    assert_eq!(crate::scene::up(&app.user("bob"), "bobs", &page("one of fifty")).await["status"], "launched");
    let list = ann.get("/api/v2/previews?limit=200").await.json();
    let live = live_ids(&list);
    assert_eq!(live.len(), 3);
    stop(&ann, &live[0]).await;
    assert_eq!(launch_with(&ann, &live[0], json!({ "wait": true })).await.status, 201);
    app.finish().await;
}

/// Generations of the previews in a list that have not ended.
fn live_ids(list: &Value) -> Vec<String> {
    let previews = list["previews"].as_array().expect("a list").iter();
    let live = previews.filter(|one| !["stopped", "failed"].contains(&text(one, "status")));
    live.map(|one| text(one, "generationId").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_launches_of_one_generation_at_once_are_one_preview() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "one", &page("launched by ten")).await;
    let answers = join_all((0..10).map(|_| launch_with(&ann, "one", json!({ "wait": true })))).await;
    let first = answers[0].json();
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    for answer in &answers {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        for member in ["previewInstanceId", "previewToken", "baseUrl"] {
            assert_eq!(answer.json()[member], first[member], "{member}");
        }
    }
    assert_eq!(app.engine.owned_containers().await.expect("a list").len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_launches_of_ten_generations_at_once_are_all_healthy() {
    let app = TestApp::with(setting("PREVIEW_MAX_INSTANCES_PER_USER", 10)).await;
    let ann = app.user("ann");
    let run = crate::scene::nonce();
    let words: Vec<String> = (0..10).map(|n| format!("page {n} of {run}")).collect();
    let all = words.iter().enumerate().map(|(n, words)| {
        let ann = ann.clone();
        async move { up(&ann, &format!("fresh-{n}"), &page(words)).await }
    });
    let launched = join_all(all).await;
    for (launched, words) in launched.iter().zip(&words) {
        let answer = visitor(launched).get("/").await;
        assert!(answer.status == 200 && answer.text().ends_with(words), "{answer:?}");
    }
    let mut networks = Vec::new();
    for n in 0..10 {
        let config = ann.get(&path(&format!("fresh-{n}"), "/config")).await.json();
        networks.push(text(&config, "network").to_owned());
    }
    networks.sort();
    networks.dedup();
    assert_eq!(networks.len(), 10, "each has a network to itself");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_host_says_so() {
    let app = TestApp::with(setting("PREVIEW_MAX_CONCURRENCY", 1)).await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    put(&ann, "first", &page("the only one")).await;
    put(&bob, "second", &page("the only one")).await;
    begin(&ann, "first").await;
    let refused = launch_with(&bob, "second", json!({})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("host_full")), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    stop(&ann, "first").await;
    assert_eq!(launch_with(&bob, "second", json!({ "wait": true })).await.status, 201);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_without_a_free_port_refuses_and_keeps_no_live_row() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = free.expect("a port").port();
    let mut settings = setting("PREVIEW_PORT_MIN", port);
    settings.extend(setting("PREVIEW_PORT_MAX", port));
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    put(&ann, "first", &page("the only one")).await;
    put(&ann, "second", &page("the only one")).await;
    assert_eq!(text(&begin(&ann, "first").await, "baseUrl"), format!("http://127.0.0.1:{port}"));
    let refused = launch_with(&ann, "second", json!({})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("no_port")), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(status(&ann, "second").await["status"], "stopped");
    once(&ann, "first", "healthy").await;
    stop(&ann, "first").await;
    let second = launch_with(&ann, "second", json!({ "wait": true })).await;
    assert_eq!(
        (second.status, second.json()["baseUrl"].as_str()),
        (201, Some(&*format!("http://127.0.0.1:{port}")))
    );
    until(5, || async { (visitor(&second.json()).get("/").await.status == 200).then_some(()) }).await;
    app.finish().await;
}
