//! A store that cannot write: locked by another program, or on a disk that is full. The answer is 503
//! with Retry-After, nothing that was said to be done is lost, and it goes on without a restart.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::app::{TestApp, until};
use crate::http::{Answer, Client};
use crate::outside::is_root;
use crate::scene::{launch_with, page, path, put, up, visitor};

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("store_busy")), "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

async fn try_put(client: &Client, id: &str, text: &str) -> Answer {
    client.put(&format!("/api/v2/generations/{id}"), &page(text)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_store_is_waited_for_and_then_said() {
    let app = TestApp::with(vec![("PREVIEW_POSTGRESQL_POOL_TIMEOUT", "2".to_owned())]).await;
    let ann = app.user("ann");
    let kept = up(&ann, "kept", &page("served all the time")).await;
    let file = app.data_dir().join("previewd.db");
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locked");
    assert_unavailable(&try_put(&ann, "page", "while it is locked").await);
    assert_eq!(visitor(&kept).get("/").await.status, 200, "previews need no store");
    assert_eq!(app.stranger().get("/health").await.status, 200);
    assert_eq!(ann.get("/api/v2/generations/kept").await.status, 200, "what is there can be read");
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("unlocked");
    let stored = try_put(&ann, "page", "while it is locked").await;
    assert_eq!(stored.status, 201, "the refused one left nothing: {stored:?}");
    app.finish().await;
}

/// A file system in memory, small enough to be filled.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(dir.path()).status();
        assert!(mounted.expect("mount runs").success());
        Self(dir)
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// To the last byte.
    fn fill(&self) {
        let to = format!("of={}", self.filler().display());
        let _ = Command::new("dd")
            .args(["if=/dev/zero", &to, "bs=4096", "status=none"])
            .output()
            .expect("dd runs");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_nothing_is_lost() {
    if !is_root() {
        return;
    }
    // What is a failure here is said there.
    let _ =
        tracing_subscriber::fmt().with_env_filter("previewd=error").with_writer(std::io::stderr).try_init();
    let disk = SmallDisk::mount(24);
    let settings = vec![
        ("PREVIEW_DATA_DIR", disk.0.path().display().to_string()),
        ("PREVIEW_POSTGRESQL_POOL_TIMEOUT", "2".to_owned()),
        // The whole disk is smaller than the floor.
        ("PREVIEW_DISK_FLOOR_MB", "0".to_owned()),
    ];
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let kept = up(&ann, "kept", &page("served all the time")).await;
    put(&ann, "before", &page("stored before")).await;
    disk.fill();
    let mut stored = Vec::new();
    let mut refused = 0;
    for number in 0..40 {
        // What the journal had room for is stored, and kept; then there is no more.
        let answer = try_put(&ann, &format!("full-{number}"), &"x".repeat(50_000)).await;
        match answer.status {
            201 => stored.push(number),
            _ => {
                assert_unavailable(&answer);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was full");
    assert_eq!(visitor(&kept).get("/").await.status, 200, "previews need no disk of ours");
    assert_eq!(app.stranger().get("/health").await.status, 200);
    std::fs::remove_file(disk.filler()).expect("removed");
    until(20, || async {
        let answer = try_put(&ann, "after", "when there is room again").await;
        (answer.status == 201).then_some(())
    })
    .await;
    for number in &stored {
        let found = ann.get(&format!("/api/v2/generations/full-{number}")).await;
        assert_eq!(found.status, 200, "full-{number} was said to be stored: {found:?}");
    }
    println!("full disk: {refused} of 40 refused with 503, {} stored, 0 lost", stored.len());
    let launched = launch_with(&ann, "before", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    assert_eq!(ann.delete(&path("before", "")).await.status, 204);
    app.finish().await;
    drop(disk);
}
