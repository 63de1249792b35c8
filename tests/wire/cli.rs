//! The client commands of the real program against a real daemon.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::app::until;
use crate::child::{Daemon, example, previewd, previewd_with};
use crate::http::Client;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_becomes_a_preview_and_every_command_has_its_say() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.greeting, format!("previewd is serving on {}\n", daemon.url));
    let token = std::fs::metadata(daemon.data.path().join("token")).expect("a token");
    assert_eq!(token.permissions().mode() & 0o777, 0o600);
    let site = example("static-site");
    let site = site.to_str().expect("text");

    let launched = daemon.run(&["launch", site, "--id", "site"]).await.done();
    let url = launched.stdout.trim_end().to_owned();
    assert_eq!(launched.stdout.lines().count(), 1, "the URL alone: {launched:?}");
    assert!(launched.stderr.lines().count() >= 3, "progress, a line each: {launched:?}");
    assert!(launched.stderr.contains("stop it with `previewd stop site`"), "{launched:?}");
    assert!(
        !launched.stdout.contains('\u{1b}') && !launched.stderr.contains('\u{1b}'),
        "no colours in a pipe"
    );
    let home = Client::to(&url).get("/").await;
    assert_eq!(home.status, 200);
    let again = daemon.run(&["launch", site, "--id", "site", "--json"]).await.done().json();
    assert_eq!(
        (again["alreadyRunning"].clone(), again["baseUrl"].clone()),
        (true.into(), url.clone().into())
    );

    let listed = daemon.run(&["ps"]).await.done().stdout;
    assert!(listed.contains("site") && listed.contains(&url), "{listed}");
    let status = daemon.run(&["status", "site"]).await.done().stdout;
    assert!(status.contains("healthy") && status.contains(&url), "{status}");
    daemon.run(&["endpoints", "site"]).await.done();
    let answer = daemon.run(&["request", "site", "GET", "/"]).await.done();
    assert_eq!(answer.stdout, home.text(), "the body as it is");
    let missing = daemon.run(&["request", "site", "GET", "/nowhere"]).await;
    assert!(missing.stdout.contains("404") || missing.stderr.contains("404"), "{missing:?}");
    daemon.run(&["logs", "site"]).await.done();
    let stats = daemon.run(&["stats", "site"]).await.done().stdout;
    assert!(stats.lines().count() == 2 && stats.contains(" MiB / ") && !stats.contains('\x1b'), "{stats}");
    let events = daemon.run(&["events", "site"]).await.done().stdout;
    for event in ["launched", "started", "healthy"] {
        assert!(events.contains(event), "{event} in {events}");
    }
    let extended = daemon.run(&["extend", "site", "10m"]).await.done();
    assert!(!extended.stdout.is_empty() || !extended.stderr.is_empty());
    every_json_is_json(&daemon).await;

    daemon.run(&["pause", "site"]).await.done();
    assert_eq!(status_of(&daemon).await, "paused");
    daemon.run(&["resume", "site"]).await.done();
    until(20, async || (status_of(&daemon).await == "healthy").then_some(())).await;
    daemon.run(&["restart", "site"]).await.done();
    until(30, async || (status_of(&daemon).await == "healthy").then_some(())).await;
    daemon.run(&["stop", "site"]).await.done();
    assert_eq!(status_of(&daemon).await, "stopped");
    assert_eq!(daemon.run(&["pause", "site"]).await.code, 1, "it is stopped");
    let over = daemon.run(&["stats", "site"]).await;
    assert!(over.code == 1 && over.stderr.contains("site is stopped"), "{over:?}");
    let gone = daemon.run(&["status", "nowhere"]).await;
    assert_eq!((gone.code, gone.stdout.as_str()), (1, ""), "{gone:?}");
    assert!(gone.stderr.contains("no generation nowhere"), "{gone:?}");
    let gone = daemon.run(&["status", "nowhere", "--json"]).await;
    let problem: Value = serde_json::from_str(&gone.stderr).expect("JSON for machines");
    assert_eq!(
        (problem["error"]["status"].as_u64(), problem["error"]["code"].as_str()),
        (Some(404), Some("not_found"))
    );
    assert_eq!(daemon.finish().await, "", "serve prints one line");
}

async fn status_of(daemon: &Daemon) -> String {
    let status = daemon.run(&["status", "site", "--json"]).await.done().json();
    status["status"].as_str().expect("a status").to_owned()
}

async fn every_json_is_json(daemon: &Daemon) {
    let commands: [&[&str]; 7] = [
        &["ps"],
        &["stats"],
        &["status", "site"],
        &["endpoints", "site"],
        &["request", "site", "GET", "/"],
        &["events", "site"],
        &["extend", "site", "60"],
    ];
    for command in commands {
        let printed = daemon.run(&[command, &["--json"]].concat()).await.done();
        assert!(printed.json().is_object() || printed.json().is_array(), "{command:?}: {printed:?}");
    }
    let logs = daemon.run(&["logs", "site", "--json"]).await.done().stdout;
    for line in logs.lines() {
        let line: Value = serde_json::from_str(line).expect("an object a line");
        assert!(line["message"].is_string(), "{line}");
    }
    let events = daemon.run(&["events", "site", "--json"]).await.done().json();
    assert!(events["events"].as_array().expect("a list").iter().all(|event| event["eventType"].is_string()));
    let doctor = daemon.run(&["doctor", "--json"]).await.json();
    assert!(
        doctor.as_array().expect("findings").iter().any(|finding| finding["check"] == "engine"),
        "{doctor}"
    );
    let waste = daemon.run(&["gc", "--dry-run", "--json"]).await.done();
    assert_eq!(waste.json()["dryRun"], true);
    assert!(waste.stderr.contains("the daemon is running"), "{waste:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_breaks_fails_the_launch_with_its_last_lines() {
    let daemon = Daemon::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(
        dir.path().join("main.py"),
        "print('getting ready')\nraise RuntimeError('no such setting')\n",
    )
    .expect("written");
    std::fs::write(dir.path().join("preview.json"), r#"{"entryPoint": "python main.py", "port": 8000}"#)
        .expect("written");
    let failed = daemon.run(&["launch", dir.path().to_str().expect("text"), "--id", "broken"]).await;
    assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{failed:?}");
    for said in ["no such setting", "getting ready", "exit"] {
        assert!(failed.stderr.contains(said), "{said}: {}", failed.stderr);
    }
    let listed = daemon.run(&["ps", "--all", "--json"]).await;
    assert!(listed.code == 2 || listed.stdout.contains("failed"), "{listed:?}");
    daemon.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_daemon_or_a_token_the_message_is_clear() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().to_str().expect("text");
    // Nothing listens on the port of an address nobody may use.
    let absent = previewd(&["ps", "--url", "http://127.0.0.1:1", "--data-dir", dir]).await;
    assert_eq!((absent.code, absent.stdout.as_str()), (1, ""));
    assert!(
        absent.stderr.contains("http://127.0.0.1:1") && absent.stderr.contains("previewd serve"),
        "{absent:?}"
    );
    let daemon = Daemon::start().await;
    let nameless = previewd(&["ps", "--url", &daemon.url, "--data-dir", dir]).await;
    assert_eq!(nameless.code, 1);
    assert!(nameless.stderr.contains("previewd token --user"), "{nameless:?}");
    let environment = [("PREVIEW_TOKEN", "garbage"), ("PREVIEW_URL", daemon.url.as_str())];
    let refused = previewd_with(&environment, &["ps", "--data-dir", dir]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("the token in PREVIEW_TOKEN"), "{refused:?}");
    assert!(!refused.stderr.contains("garbage"), "{refused:?}");
    daemon.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_usage_is_two() {
    for args in [
        &["fly"] as &[&str],
        &["status"],
        &["status", "../x"],
        &["extend", "a", "soon"],
        &["launch", "/nonexistent-directory"],
        &["launch", ".", "--env", "novalue"],
        &["launch", ".", "--tier", "huge"],
        &["token"],
        &["token", "--user", "a b"],
        &["token", "--user", "a", "--ttl", "0"],
        &["token", "--user", "a", "--ttl", "99999999999999999999d"],
        &["serve", "--listen", "nowhere"],
    ] {
        let ended = previewd(args).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{args:?}: {ended:?}");
        assert!(!ended.stderr.is_empty());
    }
}
