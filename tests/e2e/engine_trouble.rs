//! An engine that misbehaves: its replies get lost, it stands still, its events stop coming, and
//! somebody works on it by hand. What is asked happens once, and what runs is served.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::app::{Settings, TestApp, example, until};
use crate::scene::{OBEDIENT, launch_with, once, page, path, put, python, status, text, up, visitor};
use crate::warm;

/// Stands between the daemon and the engine.
struct Between {
    faults: Arc<Faults>,
    socket: PathBuf,
    _dir: tempfile::TempDir,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Faults {
    /// So many replies to calls that create something are lost on the way.
    lost_creates: AtomicU32,
    /// The same of calls that thaw a container.
    lost_unpauses: AtomicU32,
    /// Calls that remove a container do not get through.
    no_removals: AtomicBool,
    /// Nothing passes, in either direction.
    frozen: AtomicBool,
    /// Events are not passed on; their connection stays.
    deaf: AtomicBool,
}

impl Between {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let faults = Arc::new(Faults::default());
        let shared = Arc::clone(&faults);
        let task = tokio::spawn(async move {
            let mut passing = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                passing.spawn(pass(client, Arc::clone(&shared)));
            }
        });
        Self { faults, socket, _dir: dir, task }
    }

    fn settings(&self) -> Settings {
        vec![
            ("DOCKER_HOST", format!("unix://{}", self.socket.display())),
            ("PREVIEW_ENGINE_TIMEOUT", "4".to_owned()),
        ]
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: UnixStream, faults: Arc<Faults>) {
    let engine = UnixStream::connect(Path::new("/var/run/docker.sock")).await.expect("the engine");
    let ((from_client, to_client), (from_engine, to_engine)) = (client.into_split(), engine.into_split());
    // Set by the direction that sees requests, read by the one that sees replies.
    let (swallow, is_events) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let asked =
        requests(from_client, to_engine, Arc::clone(&faults), Arc::clone(&swallow), Arc::clone(&is_events));
    let answered = replies(from_engine, to_client, faults, swallow, is_events);
    // Either end ends both, as a broken connection would.
    tokio::select! {
        () = asked => {}
        () = answered => {}
    }
}

async fn thawed(faults: &Faults) {
    while faults.frozen.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: Arc<Faults>,
    swallow: Arc<AtomicBool>,
    is_events: Arc<AtomicBool>,
) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        thawed(&faults).await;
        let head = String::from_utf8_lossy(&chunk[..count.min(200)]).into_owned();
        let line = head.lines().next().unwrap_or_default();
        if line.contains("/events?") {
            is_events.store(true, Ordering::Relaxed);
        }
        let removes = line.starts_with("DELETE ") && line.contains("/containers/");
        if removes && faults.no_removals.load(Ordering::Relaxed) {
            return;
        }
        let creates = line.starts_with("POST ")
            && (line.contains("/containers/create") || line.contains("/networks/create"));
        let thaws = line.starts_with("POST ") && line.contains("/unpause");
        for (is_one, lost) in [(creates, &faults.lost_creates), (thaws, &faults.lost_unpauses)] {
            let one_less = |left: u32| left.checked_sub(1);
            if is_one && lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                swallow.store(true, Ordering::Relaxed);
            }
        }
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: Arc<Faults>,
    swallow: Arc<AtomicBool>,
    is_events: Arc<AtomicBool>,
) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        thawed(&faults).await;
        // The engine has done it, and nobody hears of it.
        if swallow.load(Ordering::Relaxed) {
            return;
        }
        let is_deaf = is_events.load(Ordering::Relaxed) && faults.deaf.load(Ordering::Relaxed);
        if !is_deaf && to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}

fn docker(arguments: &[&str]) {
    let output = Command::new("docker").args(arguments).output().expect("docker runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_whose_replies_are_lost_are_found_again_and_made_once() {
    let between = Between::open();
    let mut settings = between.settings();
    settings.push(("PREVIEW_NETWORK_SPARES", "0".to_owned()));
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    put(&ann, "page", &page("lost and found")).await;
    for lost in 1..=2 {
        between.faults.lost_creates.store(lost, Ordering::Relaxed);
        let launched = launch_with(&ann, "page", json!({ "wait": true })).await;
        assert_eq!(between.faults.lost_creates.load(Ordering::Relaxed), 0, "{lost} replies were lost");
        assert_eq!(launched.status, 201, "{lost}: {launched:?}");
        assert_eq!(visitor(&launched.json()).get("/").await.status, 200);
        assert_eq!(app.engine.owned_containers().await.expect("a list").len(), 1);
        assert_eq!(app.engine.owned_networks().await.expect("a list").len(), 1);
        assert_eq!(ann.delete(&path("page", "")).await.status, 204);
        until(20, || async { app.engine.owned_networks().await.ok()?.is_empty().then_some(()) }).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_stands_still_is_said_and_nothing_is_launched_twice() {
    let between = Between::open();
    let app = TestApp::with(between.settings()).await;
    let ann = app.user("ann");
    let kept = up(&ann, "kept", &python(OBEDIENT)).await;
    let pid = visitor(&kept).get("/").await.text();
    put(&ann, "page", &page("launched while nothing moves")).await;
    between.faults.frozen.store(true, Ordering::Relaxed);
    let frozen = Instant::now();
    // Asked before the engine is known to stand still: accepted, and finished when it goes on.
    let early = launch_with(&ann, "page", json!({})).await;
    assert!([201, 503].contains(&early.status), "{early:?}");
    let unready = until(20, || async {
        let answer = app.stranger().get("/readiness").await;
        (answer.status == 503).then_some(answer.json())
    });
    assert!(text(&unready.await, "engine").contains("engine"));
    assert_eq!(app.stranger().get("/health").await.status, 200);
    let begun = Instant::now();
    assert_eq!(status(&ann, "kept").await["status"], "healthy");
    assert!(begun.elapsed() < Duration::from_secs(2), "a status needs no engine: {:?}", begun.elapsed());
    assert_eq!(visitor(&kept).get("/").await.text(), pid, "what runs is served");
    // As long as several deadlines of engine calls.
    let rest = Duration::from_secs(10).saturating_sub(frozen.elapsed());
    tokio::time::sleep(rest).await;
    between.faults.frozen.store(false, Ordering::Relaxed);
    until(20, || async { (app.stranger().get("/readiness").await.status == 200).then_some(()) }).await;
    let launched = launch_with(&ann, "page", json!({ "wait": true })).await;
    assert!([200, 201].contains(&launched.status), "{launched:?}");
    let containers = app.engine.owned_containers().await.expect("a list");
    assert_eq!(containers.len(), 2, "each once: {containers:?}");
    assert_eq!(visitor(&kept).get("/").await.text(), pid);
    app.finish().await;
}

/// The engine thawed it and nobody heard of it: what it believes and what is so are two things, until
/// they are one again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_sleeps_again_after_the_engines_word_on_its_wake_was_lost() {
    let between = Between::open();
    let app = TestApp::tuned(between.settings(), |config| {
        config.orchestrator.idle_pause = Some(Duration::from_millis(400));
    })
    .await;
    let ann = app.user("ann");
    let launched = up(&ann, "drowsy", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    once(&ann, "drowsy", "paused").await;
    for _ in 0..2 {
        between.faults.lost_unpauses.store(1, Ordering::Relaxed);
        assert_eq!(visitor(&launched).get("/").await.text(), pid, "woken");
        until(20, || async { (between.faults.lost_unpauses.load(Ordering::Relaxed) == 0).then_some(()) })
            .await;
        // All three say so: the kernel, the engine and the daemon.
        until(20, || async {
            let container = app.engine.owned_containers().await.ok()?.into_iter().next()?;
            let state = app.engine.inspect(&container.id).await.ok()??;
            let frozen = state.process?.freezer()?.is_frozen()?;
            let shown = status(&ann, "drowsy").await;
            (state.paused && frozen && shown["pausedBy"] == "idleness").then_some(())
        })
        .await;
    }
    assert_eq!(visitor(&launched).get("/").await.text(), pid);
    app.finish().await;
}

/// It has waited long enough, and the engine does not let go of it: what is launched meanwhile is not put beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_container_that_cannot_be_removed_keeps_its_network_until_it_is() {
    let between = Between::open();
    let mut settings = between.settings();
    settings.push(("PREVIEW_NETWORK_SPARES", "0".to_owned()));
    let app = TestApp::tuned(settings, |config| {
        config.orchestrator.warm.max = 1;
        config.orchestrator.warm.ttl = Duration::from_secs(4);
    })
    .await;
    let ann = app.user("ann");
    put(&ann, "page", &page("beside nobody")).await;
    up(&ann, "notes", &example("fastapi-notes")).await;
    warm::wait_for(&app, 1).await;
    let waiting = warm::containers(&app).await.remove(0);
    between.faults.no_removals.store(true, Ordering::Relaxed);
    warm::wait_for(&app, 0).await;
    let launched = launch_with(&ann, "page", json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let all = app.engine.owned_containers().await.expect("a list");
    let home = waiting.home_network.as_deref().expect("a network");
    let there: Vec<&str> = all
        .iter()
        .filter(|one| one.home_network.as_deref() == Some(home))
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(there, [waiting.name.as_str()]);
    between.faults.no_removals.store(false, Ordering::Relaxed);
    until(30, || async { warm::containers(&app).await.is_empty().then_some(()) }).await;
    until(30, || async {
        let networks = app.engine.owned_networks().await.ok()?;
        networks.iter().all(|network| network.name != home).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_is_seen_by_listing_when_events_stop_coming() {
    let between = Between::open();
    let mut settings = between.settings();
    settings.push(("PREVIEW_MAX_RESTARTS", "0".to_owned()));
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    up(&ann, "deaf", &python(OBEDIENT)).await;
    between.faults.deaf.store(true, Ordering::Relaxed);
    let container = app.engine.owned_containers().await.expect("a list").remove(0);
    docker(&["kill", &container.id]);
    let begun = Instant::now();
    let failed = once(&ann, "deaf", "failed").await;
    println!("an exit without events was seen after {} ms", begun.elapsed().as_millis());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(text(&failed["failure"], "reason").contains("killed"), "{failed}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_removes_by_hand_comes_back_and_is_said() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "handled", &python(OBEDIENT)).await;
    let config = ann.get(&path("handled", "/config")).await.json();
    let network = text(&config, "network").to_owned();
    let container = app.engine.owned_containers().await.expect("a list").remove(0);
    docker(&["network", "disconnect", "-f", &network, &container.id]);
    docker(&["network", "rm", &network]);
    let begun = Instant::now();
    until(30, || async {
        let events = ann.get(&path("handled", "/events")).await.text();
        events.contains("its network was removed").then_some(())
    })
    .await;
    println!("a removed network was seen after {} ms", begun.elapsed().as_millis());
    let back = once(&ann, "handled", "healthy").await;
    assert_eq!(visitor(&launched).get("/").await.status, 200, "{back}");
    let config = ann.get(&path("handled", "/config")).await.json();
    assert!(app.engine.has_network(text(&config, "network")).await.expect("an answer"), "{config}");

    // Its image: what runs runs on, and a new launch builds it again.
    assert_eq!(ann.delete(&path("handled", "")).await.status, 204);
    for image in app.engine.owned_images().await.expect("a list") {
        let is_its = image.ownership.generation.as_ref().is_some_and(|id| id.as_str() == "handled");
        if is_its {
            docker(&["rmi", "-f", &image.id]);
        }
    }
    let again = launch_with(&ann, "handled", json!({ "wait": true })).await;
    assert_eq!(again.status, 201, "{again:?}");
    app.finish().await;
}
