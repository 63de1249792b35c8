//! `kill -9` before and after every call of the engine and every commit on the way of a launch, a
//! build, a database, a restart and a stop. After the next start nothing is orphaned, and a preview
//! that was running all the time is served by the process it had.
//!
//! Each point once; `KILL_ROUNDS=20` (as in `make soak`) so many times. Prints a table.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::crash::{Daemon, log_of};
use crate::http::Client;
use crate::scene::{OBEDIENT, nonce, page, path, put, python, status, text, up, visitor};

/// What the daemon is busy with when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Launch,
    Build,
    Database,
    Restart,
    Stop,
}

/// How often each is passed before it counts: `update a preview` happens many times in a launch.
type Point = (&'static str, u32);

/// One line of the table.
struct Killed {
    work: Work,
    point: String,
    settled: Duration,
    came_to: String,
}

/// The previews that have not ended, on any page: what earlier kills have ended is listed too.
async fn live(client: &Client) -> Option<Vec<String>> {
    let (mut live, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = format!("/api/v2/previews?limit=200{cursor}");
        let page = client.try_send(Method::GET, &page, "").await.ok()?.json();
        let previews = page["previews"].as_array()?.iter();
        let lives = previews.filter(|preview| !["stopped", "failed"].contains(&text(preview, "status")));
        live.extend(lives.map(|preview| text(preview, "previewInstanceId").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Some(live),
        }
    }
}

/// What is on the engine for a reason, and what is not.
async fn orphans(app: &TestApp, client: &Client) -> Option<Vec<String>> {
    let live = live(client).await?;
    let mut found = Vec::new();
    let is_live = |preview: Option<previewd::domain::PreviewId>| {
        preview.is_some_and(|preview| live.contains(&preview.to_string()))
    };
    let mut servers = 0;
    for container in app.engine.owned_containers().await.ok()? {
        let is_server = container.ownership.kind == previewd::engine::Kind::Server;
        servers += usize::from(is_server);
        if !is_server && !is_live(container.ownership.preview) {
            found.push(format!("container {}", container.name));
        }
    }
    let volumes = app.engine.owned_volumes().await.ok()?;
    for volume in volumes {
        if volume.ownership.preview.is_some() && !is_live(volume.ownership.preview) {
            found.push(format!("volume {}", volume.name));
        }
    }
    // A network for each preview and each server, and one to spare.
    let networks = app.engine.owned_networks().await.ok()?.len();
    if networks > live.len() + servers + 1 {
        found.push(format!("{networks} networks for {} previews", live.len()));
    }
    Some(found)
}

/// One after the other on one installation, beside a preview that runs all the time.
async fn killed_at(work: Work, points: &[Point]) {
    let rounds: usize = std::env::var("KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut app = TestApp::prepared(vec![("PREVIEW_MAX_INSTANCES_PER_USER", "9".to_owned())]).await;
    let mut daemon = start(&mut app).await;
    let kept = up(&app.user("eve"), "kept", &python(OBEDIENT)).await;
    let pid = visitor(&kept).get("/").await.text();
    up(&app.user("ann"), "page", &page("killed at every point")).await;
    assert_eq!(app.user("ann").delete(&path("page", "")).await.status, 204);
    let mut table = Vec::new();
    for (point, passes) in points.iter().cycle().take(points.len() * rounds) {
        for side in ["before", "after"] {
            let name = format!("{point}:{side}");
            let killed;
            (daemon, killed) = one(&mut app, daemon, work, &name, *passes).await;
            table.push(killed);
            let served = visitor(&kept).try_send(Method::GET, "/", "").await;
            assert_eq!(served.ok().map(|answer| answer.text()), Some(pid.clone()), "{name}: still served");
        }
    }
    println!("\n{:<10}{:<56}{:>9}  came to", "work", "killed at", "settled");
    for Killed { work, point, settled, came_to } in &table {
        println!("{:<10}{point:<56}{:>6} ms  {came_to}", format!("{work:?}"), settled.as_millis());
    }
    let slowest = table.iter().map(|killed| killed.settled).max().unwrap_or_default();
    println!("{} kills: 0 lost, 0 left over, settled within {} ms\n", table.len(), slowest.as_millis());
    assert_eq!(app.user("eve").delete(&path("kept", "")).await.status, 204);
    daemon.end().await;
    app.finish().await;
}

/// Beside the database, where the daemon looks for the point at which it is to die.
fn faults_file(app: &TestApp) -> PathBuf {
    app.data_dir().join("faults")
}

pub async fn start(app: &mut TestApp) -> Daemon {
    let file = faults_file(app).display().to_string();
    // What it says is shown when it does not come to where it is to die.
    Daemon::start_with(app, &[("FAULTS_FILE", &file), ("RUST_LOG", "previewd=debug")]).await
}

/// From now on the daemon has this fault.
pub async fn arm(app: &TestApp, fault: &str) {
    let file = faults_file(app);
    // At once whole: a daemon that found it empty would take that for all it says.
    let new = file.with_extension("new");
    std::fs::write(&new, fault).expect("written");
    std::fs::rename(&new, &file).expect("moved");
    until(10, || async { (!file.exists()).then_some(()) }).await;
}

async fn one(
    app: &mut TestApp,
    mut daemon: Daemon,
    work: Work,
    point: &str,
    passes: u32,
) -> (Daemon, Killed) {
    let client = app.user("ann");
    let id = prepare(&client, work).await;
    arm(app, &format!("{point}={passes}*off->return")).await;
    let (method, rest, body) = match work {
        Work::Launch | Work::Build => (Method::POST, "/launch", json!({})),
        Work::Database => (Method::POST, "/launch", json!({ "databaseType": "postgresql" })),
        Work::Restart => (Method::POST, "/restart", json!({})),
        Work::Stop => (Method::DELETE, "", json!({})),
    };
    let address = path(&id, rest);
    let asked = tokio::spawn(async move { client.try_send(method, &address, body.to_string()).await });
    if !daemon.died(60).await {
        let status = app.user("ann").try_send(Method::GET, &path(&id, "/status"), "").await;
        let answer = asked.is_finished().then_some(asked);
        let answer = match answer {
            Some(asked) => format!("{:?}", asked.await),
            None => "none yet".to_owned(),
        };
        panic!(
            "{work:?} never came to {point}, {passes} times passed.\nThe answer: {answer}\n\
             The preview: {status:?}\nThe daemon:\n{}",
            log_of(app)
        );
    }
    let _ = asked.await.expect("no panic");

    let daemon = start(app).await;
    let begun = Instant::now();
    let (app, client) = (&*app, app.user("ann"));
    nothing_orphaned(app, point).await;
    let settled = begun.elapsed();
    let came_to = until(60, || async { outcome(&client, &id).await }).await;
    if came_to == "healthy" {
        let status = status(&client, &id).await;
        assert_eq!(visitor(&status).get("/").await.status, 200, "{point}: what is healthy answers");
    }
    if came_to == "failed" {
        panic!("{work:?} {point}: {:?}", status(&client, &id).await["failure"]);
    }
    let stopped = client.delete(&path(&id, "")).await;
    assert!([204, 404].contains(&stopped.status), "{stopped:?}");
    nothing_orphaned(app, point).await;
    (daemon, Killed { work, point: point.to_owned(), settled, came_to })
}

/// Says what is left over, or that the daemon does not answer, when it has not gone in time.
async fn nothing_orphaned(app: &TestApp, point: &str) {
    let (begun, admin) = (Instant::now(), app.admin());
    loop {
        let left = orphans(app, &admin).await;
        if left.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        if begun.elapsed() >= Duration::from_secs(30) {
            let live = live(&admin).await;
            panic!("{point}: {left:?} left over\nLive: {live:?}\nThe daemon:\n{}", log_of(app));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// The generation that is worked on. A restart and a stop need something that runs.
async fn prepare(client: &Client, work: Work) -> String {
    if work == Work::Build {
        let id = format!("fresh-{}", nonce());
        put(client, &id, &page(&format!("built once {id}"))).await;
        return id;
    }
    if matches!(work, Work::Restart | Work::Stop) {
        up(client, "page", &page("killed at every point")).await;
    }
    "page".to_owned()
}

async fn outcome(client: &Client, id: &str) -> Option<String> {
    let answer = client.try_send(Method::GET, &path(id, "/status"), "").await.ok()?;
    if answer.status == 404 {
        return Some("nothing".to_owned());
    }
    let status: Value = answer.json();
    let word = text(&status, "status").to_owned();
    ["healthy", "stopped", "failed"].contains(&word.as_str()).then_some(word)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_every_call_of_a_launch() {
    let points = [
        ("storing a preview", 0),
        ("updating a preview", 0),
        ("recording an event", 0),
        ("create container", 0),
        ("start container", 0),
        ("inspect container", 0),
    ];
    killed_at(Work::Launch, &points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_every_commit_of_a_launch() {
    let points = [
        ("updating a preview", 1),
        ("updating a preview", 2),
        ("updating a preview", 3),
        ("recording an event", 1),
        ("create network", 0),
    ];
    killed_at(Work::Launch, &points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_a_build_and_a_restart() {
    killed_at(Work::Build, &[("build image", 0), ("recording an event", 1)]).await;
    killed_at(Work::Restart, &[("remove container", 0), ("create container", 0), ("updating a preview", 1)])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_every_call_of_a_database() {
    let points = [
        ("storing what is known of a preview's database", 0),
        ("storing what is known of a preview's database", 1),
        ("connect to network", 0),
    ];
    killed_at(Work::Database, &points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_every_call_of_a_stop() {
    let points = [
        ("updating a preview", 0),
        ("updating a preview", 1),
        ("remove container", 0),
        ("recording an event", 0),
        ("remove network", 0),
    ];
    killed_at(Work::Stop, &points).await;
}
