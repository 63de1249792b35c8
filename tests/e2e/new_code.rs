//! New source over known dependencies: it starts in the environment that it shares with earlier
//! source, and goes on in its own image, which is the same.

use std::collections::BTreeMap;
use std::io::Read;

use futures_util::TryStreamExt;
use previewd::domain::PreviewId;
use previewd::engine::Kind;
use serde_json::{Value, json};

use crate::app::{TestApp, example, until};
use crate::http::Client;
use crate::scene::{nonce, once, path, put, slow_build, status, stop, text, up, visitor};

/// An example with a page that no other has, and where that page is.
struct Story {
    example: &'static str,
    change: fn(&mut Value, u64),
    page: &'static str,
}

const PYTHON: Story = Story {
    example: "fastapi-notes",
    change: |body, nonce| {
        append(body, "app/main.py", &format!("\n@app.get('/new')\ndef new():\n    return {nonce}\n"))
    },
    page: "/new",
};

const NODE: Story = Story {
    example: "express-chat",
    change: |body, nonce| body["files"]["public/new.txt"] = json!(nonce.to_string()),
    page: "/new.txt",
};

const SITE: Story = Story {
    example: "static-site",
    change: |body, nonce| body["files"]["new.txt"] = json!(nonce.to_string()),
    page: "/new.txt",
};

fn append(body: &mut Value, file: &str, more: &str) {
    let content = format!("{}{more}", body["files"][file].as_str().expect("a text"));
    body["files"][file] = json!(content);
}

impl Story {
    fn unseen(&self) -> (Value, u64) {
        let (mut body, nonce) = (example(self.example), nonce());
        (self.change)(&mut body, nonce);
        (body, nonce)
    }

    /// Launches unseen source until one of them runs from its environment: the first leaves that
    /// behind. Its id, what the launch said, and its number.
    async fn in_environment(&self, client: &Client) -> (String, Value, u64) {
        until(240, || async {
            let (body, nonce) = self.unseen();
            let id = format!("fresh-{nonce}");
            let launched = up(client, &id, &body).await;
            if status(client, &id).await["runsFrom"] == "environment" {
                return Some((id, launched, nonce));
            }
            stop(client, &id).await;
            None
        })
        .await
    }

    async fn assert_serves(&self, launched: &Value, nonce: u64) {
        let page = visitor(launched).get(self.page).await;
        assert_eq!((page.status, page.text()), (200, nonce.to_string()));
    }
}

async fn events(client: &Client, id: &str) -> Vec<Value> {
    client.get(&path(id, "/events?limit=100")).await.json()["events"].as_array().expect("a list").clone()
}

async fn event(client: &Client, id: &str, kind: &str) -> Option<Value> {
    events(client, id).await.into_iter().find(|event| event["eventType"] == kind)
}

async fn built(client: &Client, id: &str) -> Value {
    until(120, || async { event(client, id, "built").await }).await
}

/// Path → kind, mode, owner and content of everything in the container's `/app`, but for what
/// Python leaves beside its modules.
async fn tree(app: &TestApp, launched: &Value) -> BTreeMap<String, String> {
    let preview: PreviewId = text(launched, "previewInstanceId").parse().expect("an id");
    let containers = app.engine.owned_containers().await.expect("a list");
    let is_it = |ownership: &previewd::engine::Ownership| {
        ownership.preview == Some(preview) && ownership.kind == Kind::Preview
    };
    let container = containers.iter().find(|container| is_it(&container.ownership)).expect("a container");
    let parts: Vec<_> = app.engine.download(&container.id, "/app").try_collect().await.expect("an archive");
    let archive = parts.concat();
    let mut tar = tar::Archive::new(archive.as_slice());
    let entries = tar.entries().expect("entries").map(|entry| {
        let mut entry = entry.expect("an entry");
        let (path, header) = (entry.path().expect("a path").display().to_string(), entry.header().clone());
        let mut content = String::new();
        let _ = entry.read_to_string(&mut content);
        let link = entry.link_name().expect("readable").map(|link| link.display().to_string());
        let owner = (header.uid().expect("an owner"), header.gid().expect("a group"));
        let mode = header.mode().expect("a mode") & 0o7777;
        (path, format!("{:?} {mode:o} {owner:?} {link:?} {content}", header.entry_type()))
    });
    entries.filter(|(path, _)| !path.contains("__pycache__")).collect()
}

async fn starts_in_its_environment_and_goes_on_in_its_image(story: Story) {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let (id, launched, nonce) = story.in_environment(&ann).await;
    story.assert_serves(&launched, nonce).await;
    assert!(event(&ann, &id, "building").await.is_none(), "nothing was built before it served");
    let started = event(&ann, &id, "started").await.expect("an event");
    assert_eq!(started["data"]["runsFrom"], "environment", "{started}");
    let before = tree(&app, &launched).await;
    assert!(before.len() > 3, "{before:?}");

    let built = built(&ann, &id).await;
    assert_eq!(built["data"]["verified"], true, "{built}");
    let log = ann.get(&path(&id, "/logs?source=build&limit=100")).await.text();
    assert!(log.contains("its image is not built yet"), "{log}");
    assert_eq!(ann.post(&path(&id, "/restart"), &json!({})).await.status, 202);
    let again = once(&ann, &id, "healthy").await;
    assert_eq!(again["runsFrom"], "image", "{again}");
    story.assert_serves(&launched, nonce).await;
    assert_eq!(tree(&app, &launched).await, before, "the image holds what was put into the environment");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_starts_in_its_environment_and_goes_on_in_its_image() {
    starts_in_its_environment_and_goes_on_in_its_image(PYTHON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_starts_in_its_environment_and_goes_on_in_its_image() {
    starts_in_its_environment_and_goes_on_in_its_image(NODE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_starts_in_its_environment_and_goes_on_in_its_image() {
    starts_in_its_environment_and_goes_on_in_its_image(SITE).await;
}

/// The only builder's turn is taken by a build that does not end, so the image is not made before
/// the daemon goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_waits_for_its_turn_is_left_and_taken_up_again() {
    let settings = vec![("PREVIEW_BUILD_CONCURRENCY", "1".to_owned())];
    let mut app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let (id, _, _) = SITE.in_environment(&ann).await;
    built(&ann, &id).await;
    stop(&ann, &id).await;

    put(&ann, "fresh-slow", &slow_build(100_000 + nonce() % 1_000_000_000)).await;
    assert_eq!(ann.post("/api/v2/generations/fresh-slow/build", &json!({})).await.status, 202);
    let (body, number) = SITE.unseen();
    let launched = up(&ann, "fresh-unseen", &body).await;
    assert_eq!(status(&ann, "fresh-unseen").await["runsFrom"], "environment");
    // A start before the image is there uses the environment again.
    assert_eq!(ann.post(&path("fresh-unseen", "/restart"), &json!({})).await.status, 202);
    assert_eq!(once(&ann, "fresh-unseen", "healthy").await["runsFrom"], "environment");
    SITE.assert_serves(&launched, number).await;
    assert!(event(&ann, "fresh-unseen", "built").await.is_none());

    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    once(&ann, "fresh-unseen", "healthy").await;
    built(&ann, "fresh-unseen").await;
    assert_eq!(status(&ann, "fresh-unseen").await["runsFrom"], "environment", "its container is the same");
    assert_eq!(ann.post(&path("fresh-unseen", "/restart"), &json!({})).await.status, 202);
    assert_eq!(once(&ann, "fresh-unseen", "healthy").await["runsFrom"], "image");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_that_goes_leaves_nothing_of_its_image_that_is_being_made() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let (id, _, _) = SITE.in_environment(&ann).await;
    built(&ann, &id).await;
    stop(&ann, &id).await;

    // Deleted with its generation at the moment its image is being made.
    let (body, _) = SITE.unseen();
    up(&ann, "fresh-gone", &body).await;
    let gone = ann.delete("/api/v2/generations/fresh-gone?force=true").await;
    assert_eq!(gone.status, 204, "{gone:?}");
    until(20, || async { app.engine.owned_containers().await.expect("a list").is_empty().then_some(()) })
        .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_refused_because_too_many_are_built_is_built_later() {
    let settings = [("PREVIEW_BUILD_CONCURRENCY", "1"), ("PREVIEW_BUILD_QUEUE", "1")];
    let app = TestApp::with(settings.map(|(name, value)| (name, value.to_owned())).to_vec()).await;
    let ann = app.user("ann");
    let (first, _, _) = SITE.in_environment(&ann).await;
    built(&ann, &first).await;
    stop(&ann, &first).await;
    // One is built and one waits, which is all that may.
    let bob = app.user("bob");
    for id in ["fresh-slow-one", "fresh-slow-two"] {
        put(&bob, id, &slow_build(12)).await;
        let begun = bob.post(&format!("/api/v2/generations/{id}/build"), &json!({})).await;
        assert!([200, 202].contains(&begun.status), "{begun:?}");
    }
    let (body, nonce) = SITE.unseen();
    let id = format!("fresh-{nonce}");
    let launched = up(&ann, &id, &body).await;
    SITE.assert_serves(&launched, nonce).await;
    assert_eq!(status(&ann, &id).await["runsFrom"], "environment");
    assert!(event(&ann, &id, "built").await.is_none(), "others are built first");
    built(&ann, &id).await;
    stop(&ann, &id).await;
    app.finish().await;
}
