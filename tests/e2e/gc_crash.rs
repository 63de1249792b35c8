//! `previewd gc` killed with SIGKILL around each thing that it removes: the next one removes the rest,
//! and what is in use is served by the process it had.

use std::time::Duration;

use previewd::domain::Status;
use previewd::engine::Kind;
use previewd::store::{self, Store};
use serde_json::Value;

use crate::app::{TestApp, until};
use crate::crash::{Daemon, command};
use crate::scene::{OBEDIENT, nonce, page, python, up, visitor};

/// With an image that is old at once, a container, and a network that nobody needs.
async fn make_waste(app: &mut TestApp) {
    let daemon = Daemon::start(app).await;
    let id = format!("fresh-{}", nonce());
    up(&app.user("ann"), &id, &page(&format!("to be collected {id}"))).await;
    // Its image may be made behind it.
    let made = || async {
        let images = app.engine.owned_images().await.ok()?;
        let its = |image: &previewd::engine::OwnedImage| {
            let is_image = image.ownership.kind != Kind::Environment;
            is_image && image.ownership.generation.as_ref().is_some_and(|of| of.as_str() == id)
        };
        images.iter().any(its).then_some(())
    };
    until(60, made).await;
    daemon.kill().await;
    // As after a restore of an older copy of the store.
    let url = format!("sqlite://{}", app.data_dir().join("previewd.db").display());
    let store = Store::open(store::Config::new(url)).await.expect("opened");
    let live = store.live_previews().await.expect("a list");
    for mut lost in live.into_iter().filter(|preview| preview.user_id.as_str() == "ann") {
        lost.status = Status::Stopped;
        store.update_preview(&lost).await.expect("written");
    }
    store.close().await;
}

/// For which the disk is so full that every image that nobody uses may go.
fn gc(app: &TestApp) -> tokio::process::Command {
    let mut gc = command(app, "gc");
    gc.env("PREVIEW_DISK_FLOOR_MB", "1000000");
    gc
}

/// What it would remove, by kind.
async fn found(app: &TestApp) -> Vec<String> {
    let output = gc(app).args(["--json", "--dry-run"]).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let kinds = found["removed"].as_array().expect("a list").iter();
    kinds.map(|item| item["kind"].as_str().expect("a kind").to_owned()).collect()
}

async fn collect(app: &TestApp) {
    let output = gc(app).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_that_is_killed_is_finished_by_the_next() {
    let mut app = TestApp::prepared(vec![]).await;
    let daemon = Daemon::start(&mut app).await;
    let kept = up(&app.user("eve"), "kept", &python(OBEDIENT)).await;
    let pid = visitor(&kept).get("/").await.text();
    daemon.kill().await;
    for call in ["remove container", "remove network", "remove image"] {
        for side in ["before", "after"] {
            make_waste(&mut app).await;
            let waste = found(&app).await;
            let there =
                ["container", "network", "image"].iter().all(|kind| waste.iter().any(|one| one == kind));
            assert!(there, "{waste:?}");
            let file = app.data_dir().join("faults");
            std::fs::write(&file, format!("{call}:{side}=return")).expect("written");
            let killed = gc(&app).env("FAULTS_FILE", &file).status();
            let killed = tokio::time::timeout(Duration::from_secs(60), killed).await.expect("it ends");
            assert!(!killed.expect("it ran").success(), "killed {side} {call}");
            collect(&app).await;
            let left = found(&app).await;
            assert!(left.is_empty(), "killed {side} {call}: {left:?} are left");
            println!("gc killed {side} {call}: 0 lost, 0 left over");
        }
    }
    let daemon = Daemon::start(&mut app).await;
    let served = until(20, || async {
        let answer = visitor(&kept).try_send(hyper::Method::GET, "/", "").await.ok()?;
        (answer.status == 200).then(|| answer.text())
    });
    assert_eq!(served.await, pid, "what is in use was left alone");
    app.stop_all().await;
    daemon.end().await;
    app.finish().await;
}
