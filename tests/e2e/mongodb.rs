//! Previews on MongoDB, on the server that `TEST_MONGODB_URL` names: a user that may do
//! everything. Without it nothing is shown here, and that is said.

use serde_json::json;

use crate::app::TestApp;
use crate::clerk::query;
use crate::scene::{launch_with, page, path, put, stop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_server_gives_each_preview_a_database() {
    if !cfg!(feature = "mongodb") {
        println!("SKIPPED: built without the feature mongodb");
        return;
    }
    let Ok(url) = std::env::var("TEST_MONGODB_URL") else {
        println!("SKIPPED: TEST_MONGODB_URL names no server");
        return;
    };
    let app = TestApp::with(vec![("PREVIEW_DATABASE_MONGODB_URL", url)]).await;
    let ann = app.user("ann");
    put(&ann, "documents", &page("documents")).await;
    let asked = json!({ "wait": true, "databaseType": "mongodb" });
    let launched = launch_with(&ann, "documents", asked).await.json();
    assert_eq!(launched["database"]["mode"], "external", "{launched}");
    let inside = ann.get(&path("documents", "/database")).await.json();
    assert_eq!((&inside["status"], &inside["tables"]), (&json!("ready"), &json!(0)), "{inside}");
    assert_eq!(query(&ann, "documents", "SELECT 1").await.status, 422);
    assert_eq!(ann.post(&path("documents", "/database/reset"), &json!({})).await.status, 200);
    stop(&ann, "documents").await;
    app.finish().await;
}

/// Whoever asks for one that cannot be had is told what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_driver_or_image_the_answer_says_what_is_missing() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    put(&ann, "documents", &page("documents")).await;
    let refused = launch_with(&ann, "documents", json!({ "wait": true, "databaseType": "mongodb" })).await;
    let said = refused.text();
    match cfg!(feature = "mongodb") {
        true => assert!(refused.status == 502 && said.contains("previewd/mongo:7"), "{said}"),
        false => assert!(refused.status == 422 && said.contains("--features mongodb"), "{said}"),
    }
    app.finish().await;
}
