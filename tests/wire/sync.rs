//! `previewd sync`: the real program watches a real directory.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::app::until;
use crate::child::{Daemon, command};
use crate::http::Client;

struct Syncing {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Syncing {
    fn start(daemon: &Daemon, url: &str, dir: &str, generation: &str) -> Self {
        let data = daemon.data.path().to_str().expect("text");
        let environment = [("PREVIEW_URL", url), ("PREVIEW_DATA_DIR", data)];
        let mut sync = command(&environment);
        sync.args(["sync", dir, generation, "--json"]).stderr(Stdio::null());
        let mut child = sync.spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> serde_json::Value {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line()).await;
        let line = line.expect("a line in time").expect("text").expect("it runs on");
        serde_json::from_str(&line).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_follows_a_directory_as_editors_save_it() {
    let daemon = Daemon::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| dir.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(file(name), text).expect("written");
    write("index.html", "first");
    write(".gitignore", "*.log\nbuild/\n");
    let path = dir.path().to_str().expect("text");
    let url = daemon.run(&["launch", path, "--id", "synced"]).await.done().stdout;
    let visits = Client::to(url.trim_end());
    // What differs before it begins is brought in first.
    write("index.html", "second");
    let once = daemon.run(&["sync", path, "synced", "--once", "--json"]).await.done().json();
    assert_eq!((&once["reloaded"], &once["files"]), (&"hot".into(), &vec!["index.html"].into()), "{once}");
    let mut syncing = Syncing::start(&daemon, &daemon.url, path, "synced");
    // It watches once it has compared; until then a change is part of what it compares.
    write("begun.txt", "begun");
    assert_eq!(syncing.line().await["files"], serde_json::json!(["begun.txt"]));
    assert_eq!(visits.get("/").await.text(), "second");
    // As editors save: beside, and renamed over.
    write("index.html~", "third");
    std::fs::rename(file("index.html~"), file("index.html")).expect("renamed");
    assert_eq!(syncing.line().await["reloaded"], "hot");
    until(10, async || (visits.get("/").await.text() == "third").then_some(())).await;
    // A new folder and a file in it; what is left out is not sent.
    std::fs::create_dir_all(file("a/b")).expect("made");
    std::fs::create_dir_all(file("build")).expect("made");
    write("noise.log", "noise");
    write("build/out.txt", "left out");
    write("a/b/c.txt", "deep");
    until(10, async || (visits.get("/a/b/c.txt").await.text() == "deep").then_some(())).await;
    assert_eq!(visits.get("/build/out.txt").await.status, 404);
    write("a/b/c.txt", "deeper");
    until(10, async || (visits.get("/a/b/c.txt").await.text() == "deeper").then_some(())).await;
    std::fs::remove_dir_all(file("a")).expect("removed");
    until(10, async || (visits.get("/a/b/c.txt").await.status == 404).then_some(())).await;
    // Ctrl-C ends it well.
    let pid = syncing.child.id().expect("it runs").to_string();
    let sent = Command::new("sh").args(["-c", "kill -INT \"$0\"", &pid]).status().await.expect("sh");
    assert!(sent.success());
    let ended = tokio::time::timeout(Duration::from_secs(10), syncing.child.wait()).await.expect("it ends");
    assert!(ended.expect("waited").success());
    daemon.run(&["stop", "synced"]).await.done();
    let late = daemon.run(&["sync", path, "synced", "--once"]).await;
    assert_eq!(late.code, 1, "{late:?}");
    daemon.finish().await;
}
