//! The real program, killed with SIGKILL at any moment: what it had begun goes on or is stopped
//! after the next start, and nothing is left in the end.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::scene::{
    OBEDIENT, launch_with, nonce, page, path, put, python, runs, slow_build, text, up, visitor,
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_previewd");

/// `previewd serve` as a process of its own.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it on the data directory of `app`, whose clients it serves from then on.
    pub async fn start(app: &mut TestApp) -> Self {
        Self::start_with(app, &[]).await
    }

    /// With further variables in its environment.
    pub async fn start_with(app: &mut TestApp, environment: &[(&str, &str)]) -> Self {
        let mut command = serve(app);
        command.envs(environment.iter().copied());
        Self::spawn(app, command).await
    }

    /// Of a command that comes to run the program.
    pub async fn spawn(app: &mut TestApp, mut command: Command) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log_file(app)).expect("a log");
        let mut child = command.stderr(log).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.next_line().await.expect("a line").expect("it says that it is ready");
        let address = line.rsplit_once("http://").expect("an address").1;
        app.address = address.parse().expect("an address");
        Self { child }
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Waits for it to die by itself, as it does at a point that `FAILPOINTS` named.
    pub async fn died(&mut self, seconds: u64) -> bool {
        tokio::time::timeout(Duration::from_secs(seconds), self.child.wait()).await.is_ok()
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// SIGTERM, as an operator ends it.
    pub async fn end(mut self) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs");
        assert!(sent.success());
        let status = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        assert!(status.expect("it ends in time").expect("a status").success());
    }
}

fn log_file(app: &TestApp) -> PathBuf {
    app.data_dir().join("daemon.log")
}

/// What the daemons of `app` have told their operator; its end, where that is much.
pub fn log_of(app: &TestApp) -> String {
    let text = std::fs::read_to_string(log_file(app)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(200)..].join("\n")
}

fn serve(app: &TestApp) -> Command {
    through(Command::new(PROGRAM), app)
}

/// A command that ends in the program, which is to serve.
pub fn through(command: Command, app: &TestApp) -> Command {
    let mut command = configured(command, app, "serve");
    command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    command
}

/// A command of the program over the data directory of `app`.
pub fn command(app: &TestApp, verb: &str) -> Command {
    configured(Command::new(PROGRAM), app, verb)
}

fn configured(mut command: Command, app: &TestApp, verb: &str) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PREVIEW_")) {
        command.env_remove(name);
    }
    command
        .args([verb, "--data-dir"])
        .arg(app.data_dir())
        .envs(&app.environment)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What the preview of a generation has come to: `healthy`, `stopped`, or nothing at all.
pub async fn settled(client: &Client, id: &str) -> Option<Value> {
    until(60, || async {
        let answer = client.get(&path(id, "/status")).await;
        if answer.status == 404 {
            return Some(None);
        }
        let status = answer.json();
        ["healthy", "stopped"].contains(&text(&status, "status")).then_some(Some(status))
    })
    .await
}

/// Stops it and looks that nothing is left but spare networks, of which there may be one.
async fn stop_and_look(app: &TestApp, id: &str, base_url: Option<&str>) {
    let stopped = app.user("ann").delete(&path(id, "")).await;
    assert!([204, 404].contains(&stopped.status), "{stopped:?}");
    let nothing = || async {
        let containers = app.engine.owned_containers().await.expect("a list");
        let networks = app.engine.owned_networks().await.expect("a list");
        let volumes = app.engine.owned_volumes().await.expect("a list");
        (containers.is_empty() && volumes.is_empty() && networks.len() <= 1).then_some(())
    };
    until(20, nothing).await;
    if let Some(base_url) = base_url {
        crate::scene::assert_port_closed(base_url).await;
    }
}

/// Launches, kills the daemon `after` milliseconds, starts it again, and sees the preview through.
async fn killed_at(app: &mut TestApp, daemon: Daemon, id: &str, after: u64) -> (Daemon, bool) {
    let client = app.user("ann");
    let address = path(id, "/launch");
    let launch = tokio::spawn(async move { client.try_send(Method::POST, &address, "{}").await });
    // The moment is what this is about; there is nothing to wait for.
    tokio::time::sleep(Duration::from_millis(after)).await;
    daemon.kill().await;
    let _ = launch.await.expect("no panic");
    seen_through(app, id, after).await
}

/// Starts the daemon again and sees what it was killed in the middle of through to its end.
/// Whether it had come to a healthy preview.
async fn seen_through(app: &mut TestApp, id: &str, after: u64) -> (Daemon, bool) {
    let daemon = Daemon::start(app).await;
    let preview = settled(&app.user("ann"), id).await;
    let healthy = preview.filter(|preview| preview["status"] == "healthy");
    if let Some(preview) = &healthy {
        let answer = visitor(preview).get("/").await;
        assert_eq!(answer.status, 200, "killed after {after} ms: {answer:?}");
    }
    stop_and_look(app, id, healthy.as_ref().map(|preview| text(preview, "baseUrl"))).await;
    (daemon, healthy.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_ten_points_of_a_launch() {
    let mut app = TestApp::prepared(vec![]).await;
    let mut daemon = Daemon::start(&mut app).await;
    up(&app.user("ann"), "page", &page("killed ten times")).await;
    stop_and_look(&app, "page", None).await;
    let mut came_back = 0;
    for after in [0, 5, 20, 60, 120, 200, 300, 450, 700, 1000] {
        let healthy;
        (daemon, healthy) = killed_at(&mut app, daemon, "page", after).await;
        came_back += u32::from(healthy);
    }
    assert!(came_back >= 3, "only {came_back} launches of ten went on after the kill");
    daemon.end().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_a_build() {
    let mut app = TestApp::prepared(vec![]).await;
    let mut daemon = Daemon::start(&mut app).await;
    for after in [0, 600, 1800] {
        let id = format!("fresh-{after}");
        put(&app.user("ann"), &id, &slow_build(1)).await;
        assert_eq!(launch_with(&app.user("ann"), &id, json!({})).await.status, 201);
        tokio::time::sleep(Duration::from_millis(after)).await;
        daemon.kill().await;
        let healthy;
        (daemon, healthy) = seen_through(&mut app, &id, after).await;
        assert!(healthy, "the launch goes on after {after} ms");
    }
    // A build dies with the daemon that wanted it.
    let seconds = 100_000 + nonce() % 1_000_000_000;
    put(&app.user("ann"), "fresh-long", &slow_build(seconds)).await;
    let begun = launch_with(&app.user("ann"), "fresh-long", json!({})).await;
    assert_eq!(begun.status, 201);
    let step = format!("sleep {seconds}");
    until(60, || async { runs(&step).then_some(()) }).await;
    daemon.kill().await;
    until(20, || async { (!runs(&step)).then_some(()) }).await;
    let daemon = Daemon::start(&mut app).await;
    until(60, || async { runs(&step).then_some(()) }).await;
    stop_and_look(&app, "fresh-long", Some(text(&begun.json(), "baseUrl"))).await;
    until(20, || async { (!runs(&step)).then_some(()) }).await;
    daemon.end().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_preview_is_served_by_the_same_process_and_port_after_a_kill() {
    let mut app = TestApp::prepared(vec![]).await;
    let daemon = Daemon::start(&mut app).await;
    let launched = up(&app.user("ann"), "kept", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    daemon.kill().await;
    let daemon = Daemon::start(&mut app).await;
    let served = until(20, || async {
        let answer = visitor(&launched).try_send(Method::GET, "/", "").await.ok()?;
        (answer.status == 200).then(|| answer.text())
    });
    assert_eq!(served.await, pid);
    let again = launch_with(&app.user("ann"), "kept", json!({})).await;
    assert_eq!((again.status, &again.json()["previewToken"]), (200, &launched["previewToken"]));
    stop_and_look(&app, "kept", Some(text(&launched, "baseUrl"))).await;
    daemon.end().await;
    app.finish().await;
}

/// Launches that an earlier run did not finish and one of this run are brought up at the same
/// time as the networks of the earlier run are found: nobody may share one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn previews_have_a_network_each_also_when_they_come_up_after_a_kill() {
    let mut app = TestApp::prepared(vec![("PREVIEW_MAX_INSTANCES_PER_USER", "10".to_owned())]).await;
    let mut daemon = Daemon::start(&mut app).await;
    let ids = ["one", "two", "three"];
    for id in ids {
        put(&app.user("ann"), id, &page("killed together")).await;
    }
    let wait = launch_with(&app.user("ann"), "one", json!({ "wait": true })).await;
    assert_eq!(wait.status, 201);
    for after in [30, 150, 350] {
        let client = app.user("ann");
        let all = futures_util::future::join_all(ids.map(|id| {
            let client = client.clone();
            async move { client.try_send(Method::POST, &path(id, "/launch"), "{}").await }
        }));
        let launches = tokio::spawn(all);
        tokio::time::sleep(Duration::from_millis(after)).await;
        daemon.kill().await;
        launches.await.expect("no panic");
        daemon = Daemon::start(&mut app).await;
        let ann = app.user("ann");
        let mut networks = Vec::new();
        for id in ids {
            let answer = launch_with(&ann, id, json!({ "wait": true })).await;
            assert!([200, 201].contains(&answer.status), "{answer:?}");
            let config = ann.get(&path(id, "/config")).await.json();
            networks.push(text(&config, "network").to_owned());
        }
        networks.sort();
        networks.dedup();
        assert_eq!(networks.len(), ids.len(), "killed after {after} ms: {networks:?}");
        for id in ids {
            assert_eq!(ann.delete(&path(id, "")).await.status, 204);
        }
    }
    daemon.end().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_data_directory_is_refused() {
    let mut app = TestApp::prepared(vec![]).await;
    let daemon = Daemon::start(&mut app).await;
    let second = serve(&app).stderr(Stdio::piped()).output();
    let second =
        tokio::time::timeout(Duration::from_secs(20), second).await.expect("it ends").expect("it ran");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another previewd uses the data directory"), "{said}");
    assert_eq!(app.stranger().get("/health").await.status, 200, "the first one serves on");
    daemon.end().await;
    app.finish().await;
}
