//! Files put into containers: where they arrive, whose they are, and where they cannot be led.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use previewd::engine::{Archive, EngineError};

use crate::base;
use crate::logs::all_lines;
use crate::scene::{eventually, scene};

const GRACE: Duration = Duration::from_secs(10);

fn archive(files: &[(&str, &[u8], u32)]) -> Archive {
    base::tar(files).into()
}

#[tokio::test]
async fn files_can_be_put_into_what_is_writable_only() {
    scene(async |scene| {
        let network = scene.network().await;
        let spec = scene.spec("a", &network, &["read", "/app/sent"]);
        let id = scene.engine.create_container(&spec).await.expect("created");
        let sent = archive(&[("sent", b"hello", 0o644)]);
        scene.engine.upload(&id, &sent, "/app").await.expect("uploaded");
        for folder in ["/", "/etc", "/app/../etc"] {
            let refused = scene.engine.upload(&id, &sent, folder).await;
            assert!(matches!(refused, Err(EngineError::Refused { .. })), "{folder}: {refused:?}");
        }
        for (container, folder) in [(id.as_str(), "/app/nowhere"), ("no-such-container", "/app")] {
            let missing = scene.engine.upload(container, &sent, folder).await;
            assert!(missing.expect_err("it is not there").is_missing(), "{container} {folder}");
        }
        scene.engine.start(&id).await.expect("started");
        scene.engine.wait(&id, GRACE).await.expect("an end");
        assert_eq!(all_lines(&scene.engine, &id).await, ["hello"]);
    })
    .await;
}

/// The app runs, and has put a link where a folder of its source is to come.
#[tokio::test]
async fn no_link_of_the_app_leads_an_upload_out_of_its_folder() {
    scene(async |scene| {
        let network = scene.network().await;
        let paths = ["/stray", "/app/src", "/app/src/stray", "/app/file"];
        let words: Vec<_> = ["trap", "/", "/app/src"].into_iter().chain(paths).collect();
        let id = scene.run(&scene.spec("a", &network, &words)).await;
        eventually("the trap", async || (all_lines(&scene.engine, &id).await == ["set"]).then_some(())).await;
        let stray = archive(&[("stray", b"x", 0o644)]);
        let refused = scene.engine.upload(&id, &stray, "/app/src").await;
        assert!(matches!(refused, Err(EngineError::Refused { .. })), "through the folder: {refused:?}");
        let tree = archive(&[("src/", b"", 0o755), ("src/stray", b"x", 0o600), ("go", b"", 0o644)]);
        scene.engine.upload(&id, &tree, "/app").await.expect("uploaded");
        scene.engine.wait(&id, GRACE).await.expect("an end");
        let expected = [
            "set",
            "/stray absent",
            "/app/src folder 755 10001:10001",
            "/app/src/stray file 600 10001:10001",
            "/app/file file 644 10001:10001",
        ];
        assert_eq!(all_lines(&scene.engine, &id).await, expected);
    })
    .await;
}

#[tokio::test]
async fn an_archive_that_breaks_off_is_an_error() {
    scene(async |scene| {
        let network = scene.network().await;
        let spec = scene.spec("a", &network, &["read", "/app/sent"]);
        let id = scene.engine.create_container(&spec).await.expect("created");
        let whole = base::tar(&[("sent", &[b'x'; 4096], 0o644)]);
        let broken = Archive::stream(move || {
            let reason = std::io::Error::other("the disk is gone");
            stream::iter([Ok(whole.slice(..1024)), Err(reason), Ok(Bytes::new())])
        });
        scene.engine.upload(&id, &broken, "/app").await.expect_err("it broke off");
    })
    .await;
}
