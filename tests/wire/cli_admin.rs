//! The commands that need no daemon, and the settings over the real program.

use serde_json::Value;

use crate::app::TestApp;
use crate::child::{example, previewd, previewd_with};

fn dir() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let text = dir.path().to_str().expect("text").to_owned();
    (dir, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dockerfile_needs_no_daemon_and_no_engine() {
    let code = example("fastapi-notes");
    let code = code.to_str().expect("text");
    let nowhere = [("DOCKER_HOST", "unix:///nonexistent/docker.sock"), ("PREVIEW_URL", "http://127.0.0.1:1")];
    let text = previewd_with(&nowhere, &["dockerfile", code]).await.done().stdout;
    assert!(text.lines().any(|line| line.starts_with("FROM ")), "{text}");
    let reasons = previewd_with(&nowhere, &["dockerfile", code, "--explain"]).await.done().stdout;
    assert!(reasons.contains("framework") && reasons.contains("fastapi"), "{reasons}");
    assert!(
        reasons.contains("requirements.txt") || reasons.contains(".py:"),
        "where it was found: {reasons}"
    );
    let plan = previewd_with(&nowhere, &["dockerfile", code, "--json"]).await.done().json();
    assert_eq!(plan["framework"], "fastapi");
    let (empty, path) = dir();
    std::fs::write(empty.path().join("notes.txt"), "nothing to start").expect("written");
    let refused = previewd_with(&nowhere, &["dockerfile", &path]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused:?}");
    assert!(refused.stderr.contains("nothing to start"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minted_token_opens_the_daemon_of_its_directory() {
    let app = TestApp::start().await;
    let dir = app.data_dir().to_str().expect("text").to_owned();
    let token = previewd(&["token", "--user", "ann", "--data-dir", &dir]).await.done().stdout;
    assert_eq!(token.lines().count(), 1);
    assert_eq!(app.stranger().bearer(token.trim()).get("/api/v2/generations").await.status, 200);
    let json = previewd(&["token", "--user", "ann", "--role", "admin", "--data-dir", &dir, "--json"])
        .await
        .done()
        .json();
    let admin = app.stranger().bearer(json["token"].as_str().expect("a token"));
    crate::bad_input::store(&app.user("ben"), "bens").await;
    assert_eq!(admin.get("/api/v2/generations/bens").await.status, 200);
    assert_eq!(app.stranger().bearer(token.trim()).get("/api/v2/generations/bens").await.status, 403);
    let brief = previewd(&["token", "--user", "ann", "--ttl", "1s", "--data-dir", &dir]).await.done().stdout;
    let brief = app.stranger().bearer(brief.trim());
    crate::app::until(20, async || (brief.get("/api/v2/generations").await.status == 401).then_some(()))
        .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_come_from_environment_file_and_default_and_secrets_stay_hidden() {
    let (folder, path) = dir();
    let file = folder.path().join("previewd.toml");
    std::fs::write(
        &file,
        "preview_port_min = 4000\nPREVIEW_PORT_MAX = 4100\nenable_sse = false\n\
         [preview_resource_tier_free]\nmemory = 300\ncpu = 0.75\n",
    )
    .expect("written");
    let file = file.to_str().expect("text");
    let environment = [
        ("PREVIEW_PORT_MIN", "4050"),
        ("DATABASE_URL", "postgres://user:hunter2@db.example/previewd"),
        ("PREVIEW_DATA_DIR", path.as_str()),
    ];
    let text = previewd_with(&environment, &["config", "--config", file]).await.done().stdout;
    assert!(!text.contains("hunter2") && text.contains("(redacted)"), "{text}");
    let json = previewd_with(&environment, &["config", "--config", file, "--json"]).await.done();
    assert!(!json.stdout.contains("hunter2"));
    let json = json.json();
    let of = |name: &str| -> (String, String) {
        let found = json.as_array().expect("a list").iter().find(|one| one["name"] == name);
        let word = |member: &str| found.expect(name)[member].as_str().expect("text").to_owned();
        (word("value"), word("origin"))
    };
    assert_eq!(of("PREVIEW_PORT_MIN"), ("4050".into(), "environment".into()));
    assert_eq!(of("PREVIEW_PORT_MAX"), ("4100".into(), "file".into()));
    assert_eq!(of("ENABLE_SSE"), ("false".into(), "file".into()));
    assert_eq!(of("PREVIEW_MAX_EXTENSIONS"), ("3".into(), "default".into()));
    assert_eq!(of("PREVIEW_RESOURCE_TIER_FREE").1, "file");
    let tier: Value = serde_json::from_str(&of("PREVIEW_RESOURCE_TIER_FREE").0).expect("JSON");
    assert_eq!(tier, serde_json::json!({ "memory": 300, "cpu": 0.75 }));
    drop(folder);
}

/// `(setting, value, words of the message)`; each stops the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_is_wrong_stops_the_start_and_is_named() {
    let (_folder, path) = dir();
    let table = [
        ("PREVIEW_PORT_MIM", "3001", &["PREVIEW_PORT_MIM", "did you mean PREVIEW_PORT_MIN?"] as &[&str]),
        ("PREVIEW_PORT_MIN", "lots", &["PREVIEW_PORT_MIN", "lots", "1 to 65535"]),
        ("PREVIEW_PORT_MIN", "9000", &["PREVIEW_PORT_MIN", "PREVIEW_PORT_MAX", "9000 is above 3100"]),
        ("PREVIEW_STARTUP_TIMEOUT", "-1", &["PREVIEW_STARTUP_TIMEOUT", "-1", "seconds"]),
        ("PREVIEW_RESOURCE_TIER_FREE", "{\"memory\":1}", &["PREVIEW_RESOURCE_TIER_FREE", "memory"]),
        ("ENABLE_DEPRECATION_WARNINGS", "perhaps", &["ENABLE_DEPRECATION_WARNINGS", "true or false"]),
        ("DATABASE_URL", "mysql://root:hunter2@db/x", &["DATABASE_URL", "postgres://"]),
    ];
    for (name, value, words) in table {
        let environment = [(name, value), ("PREVIEW_DATA_DIR", path.as_str())];
        let stopped = previewd_with(&environment, &["serve", "--listen", "127.0.0.1:0"]).await;
        assert_eq!((stopped.code, stopped.stdout.as_str()), (1, ""), "{name}: {stopped:?}");
        for word in words {
            assert!(stopped.stderr.contains(word), "{name}: {word} in {}", stopped.stderr);
        }
        assert!(!stopped.stderr.contains("hunter2"), "{stopped:?}");
    }
    let absent = previewd(&["config", "--config", "/nonexistent/previewd.toml"]).await;
    assert_eq!(absent.code, 1);
    assert!(absent.stderr.contains("/nonexistent/previewd.toml"), "{absent:?}");
    let broken = std::path::Path::new(&path).join("broken.toml");
    std::fs::write(&broken, "preview_port_min = \n").expect("written");
    let refused = previewd(&["config", "--config", broken.to_str().expect("text")]).await;
    assert!(refused.code == 1 && refused.stderr.contains("not TOML"), "{refused:?}");
    std::fs::write(&broken, "prevew_port_min = 1\n").expect("written");
    let refused = previewd(&["config", "--config", broken.to_str().expect("text")]).await;
    assert!(refused.code == 1 && refused.stderr.contains("PREVIEW_PORT_MIN"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_that_cannot_be_used_is_named() {
    let (folder, path) = dir();
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    // Below a file not even root can make a directory.
    let below = format!("{path}/file/data");
    for command in [&["serve", "--listen", "127.0.0.1:0"] as &[&str], &["migrate"], &["token", "--user", "a"]]
    {
        let failed = previewd(&[command, &["--data-dir", &below]].concat()).await;
        assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{command:?}: {failed:?}");
        assert!(failed.stderr.contains(&below), "{command:?}: {failed:?}");
    }
    let app = TestApp::start().await;
    let held = app.data_dir().to_str().expect("text");
    let second = previewd(&["serve", "--listen", "127.0.0.1:0", "--data-dir", held]).await;
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another previewd"), "{second:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_doctor_and_gc_work_alone() {
    let (_folder, path) = dir();
    let with = |command: &[&'static str]| {
        let words: Vec<String> = command
            .iter()
            .map(|word| (*word).to_owned())
            .chain(["--data-dir".to_owned(), path.clone()])
            .collect();
        async move { previewd(&words.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let none = with(&["gc", "--dry-run", "--json"]).await.done().json();
    assert_eq!((none["dryRun"].clone(), none["removed"].clone()), (true.into(), serde_json::json!([])));
    let migrated = with(&["migrate", "--json"]).await.done().json();
    assert!(migrated["schema"].as_u64().is_some_and(|version| version >= 1), "{migrated}");
    assert!(with(&["migrate"]).await.done().stdout.contains("schema"));
    let doctor = with(&["doctor"]).await;
    assert!(doctor.stdout.contains("engine") && doctor.stdout.contains("base images"), "{doctor:?}");
    let nowhere = [("DOCKER_HOST", "unix:///nonexistent/docker.sock")];
    let sick = previewd_with(&nowhere, &["doctor", "--data-dir", &path]).await;
    assert_eq!(sick.code, 1, "{sick:?}");
    assert!(sick.stdout.contains("failed") && sick.stdout.contains("DOCKER_HOST"), "{sick:?}");
}
