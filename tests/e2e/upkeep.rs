//! The host does not fill up: images that nobody uses go, and a full disk is seen before it hurts.

use std::time::Duration;

use previewd::config::Config;
use previewd::engine::{Kind, OwnedImage};
use serde_json::{Value, json};

use crate::app::{Settings, TestApp, until};
use crate::http::Client;
use crate::scene::{launch_with, nonce, page, path, put, status, stop, up, visitor};

fn often(config: &mut Config) {
    config.orchestrator.upkeep.every = Duration::from_millis(300);
}

/// An environment is not the image of one generation.
fn is_of(image: &OwnedImage, generation: &str) -> bool {
    let of = image.ownership.generation.as_ref().map(|id| id.as_str());
    image.ownership.kind == Kind::Image && of == Some(generation)
}

/// A preview that runs from an image of its own.
async fn up_from_image(client: &Client, id: &str, said: &str) -> Value {
    put(client, id, &page(&format!("{said} {}", nonce()))).await;
    let build = format!("/api/v2/generations/{id}/build");
    assert_eq!(client.post(&build, &json!({})).await.status, 202);
    let is_built = || async { (client.get(&build).await.json()["state"] == "built").then_some(()) };
    until(60, is_built).await;
    let launched = launch_with(client, id, json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    launched.json()
}

/// Names of the images of this generation.
async fn images(app: &TestApp, generation: &str) -> Vec<String> {
    let owned = app.engine.owned_images().await.expect("a list");
    owned.into_iter().filter(|image| is_of(image, generation)).flat_map(|image| image.names).collect()
}

/// Since its image was made.
async fn age(app: &TestApp, generation: &str) -> Duration {
    let owned = app.engine.owned_images().await.expect("a list");
    let made = owned
        .into_iter()
        .find(|image| is_of(image, generation))
        .and_then(|image| image.created_at)
        .expect("an image");
    (chrono::Utc::now() - made).to_std().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_goes_when_no_preview_has_had_it_for_a_while_and_not_before() {
    let tune = |config: &mut Config| {
        often(config);
        config.orchestrator.upkeep.image_ttl = Duration::from_secs(4);
    };
    let app = TestApp::tuned(Settings::new(), tune).await;
    let ann = app.user("ann");
    let lived = up_from_image(&ann, "fresh-lives", "lives").await;
    up_from_image(&ann, "fresh-ends", "ends").await;
    assert_eq!(images(&app, "fresh-ends").await.len(), 1);
    until(30, || async { (age(&app, "fresh-ends").await > Duration::from_secs(5)).then_some(()) }).await;
    // Older than the limit, and in use.
    assert_eq!(images(&app, "fresh-ends").await.len(), 1);
    stop(&ann, "fresh-ends").await;
    // Used until now, so it is kept for a while: launched again, nothing is built.
    let again = launch_with(&ann, "fresh-ends", json!({ "wait": true })).await;
    assert_eq!(again.status, 201, "{again:?}");
    let events = ann.get(&path("fresh-ends", "/events")).await.text();
    assert!(!events.contains("building"), "{events}");
    stop(&ann, "fresh-ends").await;
    until(30, || async { images(&app, "fresh-ends").await.is_empty().then_some(()) }).await;
    assert_eq!(images(&app, "fresh-lives").await.len(), 1);
    assert_eq!(visitor(&lived).get("/").await.status, 200);
    // What is gone is built again.
    assert_eq!(launch_with(&ann, "fresh-ends", json!({ "wait": true })).await.status, 201);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_is_told_of_and_a_full_one_takes_no_launch() {
    // A floor above what any disk has: there is no room, whatever is free.
    let mut app = TestApp::tuned(Settings::new(), often).await;
    let ann = app.user("ann");
    let lived = up_from_image(&ann, "fresh-lives", "lives").await;
    up_from_image(&ann, "fresh-ends", "ends").await;
    stop(&ann, "fresh-ends").await;
    assert_eq!(images(&app, "fresh-ends").await.len(), 1, "its time has not come");
    assert_eq!(app.stranger().get("/readiness").await.status, 200);
    put(&ann, "fresh-more", &page("more")).await;
    app.shutdown().await;

    app.tune(|config| config.orchestrator.upkeep.disk_floor = u64::MAX);
    app.boot().await;
    let ann = app.user("ann");
    let ready = app.stranger().get("/readiness").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    let disk = ready.json()["disk"].as_str().expect("a sentence").to_owned();
    assert!(disk.contains("are free at") && disk.contains("PREVIEW_DISK_FLOOR_MB"), "{disk}");
    let unstored = ann.put("/api/v2/generations/fresh-none", &page("none")).await;
    assert_eq!((unstored.status, unstored.json()["code"].as_str()), (503, Some("disk_full")), "{unstored:?}");
    let refused = launch_with(&ann, "fresh-more", json!({})).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("disk_full")), "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    // What serves goes on, and what nobody uses makes room before its time.
    until(30, || async { images(&app, "fresh-ends").await.is_empty().then_some(()) }).await;
    until(30, || async { (status(&ann, "fresh-lives").await["status"] == "healthy").then_some(()) }).await;
    assert_eq!(visitor(&lived).get("/").await.status, 200);
    assert_eq!(launch_with(&ann, "fresh-lives", json!({})).await.status, 200, "it is there already");

    app.shutdown().await;
    app.tune(|config| config.orchestrator.upkeep.disk_floor = tight());
    app.boot().await;
    let ready = app.stranger().get("/readiness").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    assert!(ready.text().contains("the disk is filling up"), "{ready:?}");
    app.finish().await;
}

/// A floor between half of what is free and all of it, on whichever disk has less.
fn tight() -> u64 {
    let free = |place: &str| previewd::orchestrator::free_at(place.as_ref());
    let free = [free("/var/lib/docker"), free("/tmp")].into_iter().flatten().min();
    free.expect("a disk") / 4 * 3
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_of_an_ended_preview_is_the_next_ones_or_goes_after_its_rest() {
    let settings = vec![("PREVIEW_NETWORK_SPARES", "0".to_owned()), ("PREVIEW_NETWORK_REST", "4".to_owned())];
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let networks = || async {
        let owned = app.engine.owned_networks().await.expect("a list");
        owned.into_iter().map(|network| network.name).collect::<Vec<_>>()
    };
    let said = page("resting");
    up(&ann, "first", &said).await;
    let leased = networks().await;
    assert_eq!(leased.len(), 1);
    stop(&ann, "first").await;
    assert_eq!(networks().await, leased, "it rests");
    let next = up(&ann, "second", &said).await;
    assert_eq!(networks().await, leased, "the next one has it");
    // Longer than the rest of before: that is over, for it was used.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(visitor(&next).get("/").await.status, 200);
    stop(&ann, "second").await;
    until(20, || async { networks().await.is_empty().then_some(()) }).await;
    // And a daemon that ends does not wait for it.
    up(&ann, "third", &said).await;
    stop(&ann, "third").await;
    app.finish().await;
}
