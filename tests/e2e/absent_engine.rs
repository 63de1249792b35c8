//! An engine that is not there, comes, goes, and comes again.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::app::{TestApp, until};
use crate::http::Answer;
use crate::scene::{launch_with, once, page, path, put, status, text, visitor};

/// The engine's door at another place: what connects there talks to the real engine.
struct Door {
    socket: PathBuf,
    task: JoinHandle<()>,
}

impl Door {
    fn open(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).expect("a socket");
        let task = tokio::spawn(async move {
            // Dropped with the task: a closed door ends what passes through it.
            let mut passing = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                passing.spawn(pass(client));
            }
        });
        Self { socket: socket.to_owned(), task }
    }

    async fn close(self) {
        self.task.abort();
        let _ = self.task.await;
        std::fs::remove_file(&self.socket).expect("removed");
    }
}

/// Ends when either side does, as a broken connection would.
async fn pass(mut client: UnixStream) {
    let engine = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let _ = match engine.strip_prefix("unix://") {
        Some(socket) => {
            let mut engine = UnixStream::connect(socket).await.expect("the engine");
            copy_bidirectional(&mut client, &mut engine).await
        }
        None => {
            let address = engine.strip_prefix("tcp://").expect("an address");
            let mut engine = TcpStream::connect(address).await.expect("the engine");
            copy_bidirectional(&mut client, &mut engine).await
        }
    };
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (503, Some("engine_unreachable")),
        "{answer:?}"
    );
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_waits_for_its_engine_and_recovers_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("engine.sock");
    let app = TestApp::with(vec![("DOCKER_HOST", format!("unix://{}", socket.display()))]).await;
    let (ann, stranger) = (app.user("ann"), app.stranger());
    assert_eq!(stranger.get("/health").await.status, 200);
    let unready = stranger.get("/readiness").await;
    assert_eq!(unready.status, 503);
    assert!(text(&unready.json(), "engine").contains("engine"), "{unready:?}");
    put(&ann, "page", &page("at last")).await;
    assert_unavailable(&launch_with(&ann, "page", json!({ "wait": true })).await);
    assert_unavailable(&ann.post("/api/v2/generations/page/build", &json!({})).await);
    assert_eq!(ann.get(&path("page", "/status")).await.status, 404, "a refused launch leaves no row");

    let door = Door::open(&socket);
    until(10, || async { (stranger.get("/readiness").await.status == 200).then_some(()) }).await;
    let launched = launch_with(&ann, "page", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let launched = launched.json();

    // It goes: what runs is served on, and a stop is finished when it comes again.
    door.close().await;
    until(10, || async { (stranger.get("/readiness").await.status == 503).then_some(()) }).await;
    assert!(visitor(&launched).get("/").await.text().ends_with("at last"));
    assert_eq!(status(&ann, "page").await["status"], "healthy");
    let stopping = {
        let ann = ann.clone();
        tokio::spawn(async move { ann.delete(&path("page", "")).await.status })
    };
    once(&ann, "page", "stopping").await;
    let _door = Door::open(&socket);
    assert_eq!(stopping.await.expect("no panic"), 204);
    once(&ann, "page", "stopped").await;
    app.finish().await;
}
