//! Starts of Node's apps in containers that waited for them with their packages loaded.

use serde_json::{Value, json};

use crate::app::{TestApp, example};
use crate::http::Client;
use crate::reload::patch;
use crate::scene::{nonce, once, path, put, stop, up, visitor};
use crate::warm::{append, command, containers, equals_a_fresh_start, is_warm, wait_for, warm_ones};

/// What a program knows of how it was started, each as a line of its log.
const FACTS: &str = r#"

{
  const fs = process.getBuiltinModule("node:fs");
  const own = /^(HOSTNAME|PG|DB_|DATABASE|POSTGRES|MYSQL|MARIADB|REDIS)/;
  const variables = Object.entries(process.env).map(([name, value]) => [name, own.test(name) ? "" : value]);
  const shape = (object) => Object.fromEntries(Reflect.ownKeys(object).map((name) => {
    const { enumerable, configurable, writable, get, set, value } = Object.getOwnPropertyDescriptor(object, name);
    return [String(name), [enumerable, configurable, writable, typeof get, typeof set, typeof value].join(" ")];
  }));
  const listeners = process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
  const main = MAIN;
  const facts = {
    environment: Object.fromEntries(variables.sort()), argv: process.argv, execArgv: process.execArgv,
    argv0: process.argv0, execPath: process.execPath, title: process.title, cwd: process.cwd(),
    umask: process.umask(), ids: [process.getuid(), process.getgid(), process.getgroups()],
    globals: shape(globalThis), process: shape(process), listeners: listeners.sort(), main,
    files: fs.readdirSync("/app").sort(), called: fs.readFileSync("/proc/self/comm", "utf8"),
    resources: process.getActiveResourcesInfo().sort(), isYoung: process.uptime() < 5,
    crypto: typeof crypto.subtle, stack: new Error().stack.split("\n").filter((line) => line.includes("eval")),
    prototypes: [Object, Function, Array, Promise, Error, String].map((of) => Object.keys(shape(of.prototype)).length),
    depth: Error.stackTraceLimit, zone: Intl.DateTimeFormat().resolvedOptions(),
    waited: fs.readFileSync("/proc/self/cmdline", "utf8").includes(".previewd-order"),
  };
  // A line of a log has an end.
  const tell = (name, fact) => {
    if (fact === null || typeof fact !== "object") console.log("FACT", name, JSON.stringify(fact));
    else for (const [key, value] of Object.entries(fact)) tell(`${name}.${key.replaceAll(" ", "_")}`, value);
  };
  for (const [name, fact] of Object.entries(facts)) tell(name, fact);
  console.log("FACT end 0");
}
"#;

/// What only one kind of program can say of its file.
const OF_A_MODULE: &str = "import.meta.url";
const OF_A_SCRIPT: &str = "[require.main === module, process.mainModule === module, module.id, module.parent, \
    module.filename, module.paths, module.loaded, shape(require), \
    module.children.map((child) => child.filename).sort()]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("express-chat", "server.js", &FACTS.replace("MAIN", OF_A_MODULE)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_with_a_database_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("express-orders", "server.js", &FACTS.replace("MAIN", OF_A_SCRIPT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_with_a_cache_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("express-visits", "server.js", &FACTS.replace("MAIN", OF_A_SCRIPT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_with_another_database_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("express-shelves", "server.js", &FACTS.replace("MAIN", OF_A_SCRIPT)).await;
}

fn chat(more: &str) -> Value {
    let mut body = example("express-chat");
    let command = r#"
import { readFileSync } from "node:fs";
app.get("/command", (_request, response) => response.json(readFileSync("/proc/self/cmdline", "utf8")));
"#;
    append(&mut body, "server.js", &format!("{command}{more}\n// {}\n", nonce()));
    body
}

/// A first launch, which leaves the environment and a container that waits.
async fn prepared() -> (TestApp, Client) {
    let app = TestApp::tuned(vec![], warm_ones(1)).await;
    let ann = app.user("ann");
    up(&ann, "warm-first", &chat("")).await;
    wait_for(&app, 1).await;
    (app, ann)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_code_starts_in_a_warm_container_and_lives_on_in_it() {
    let (app, ann) = prepared().await;
    let body = chat("console.log('first words');");
    let launched = up(&ann, "warm-second", &body).await;
    assert!(is_warm(&command(&launched).await), "it was started anew");
    let log = ann.get(&path("warm-second", "/logs?limit=500&source=app")).await.text();
    assert!(log.contains("first words"), "{log}");
    assert!(!log.contains("Warning"), "{log}");

    // Its code replaced: the same container, which finds its order when it is started.
    wait_for(&app, 1).await;
    let before = containers(&app).await;
    let server = body["files"]["server.js"].as_str().expect("a text");
    let changed = format!("{server}\napp.get('/changed', (_request, response) => response.json(7));\n");
    let patched = patch(&ann, "warm-second", json!({ "server.js": changed })).await;
    assert_eq!((patched.status, patched.json()["reloaded"].as_str()), (200, Some("restart")), "{patched:?}");
    assert_eq!(visitor(&launched).get("/changed").await.json(), 7);
    assert_eq!(containers(&app).await.len(), before.len());

    // Broken, its end is the app's own; and then whole again.
    let broken = json!({ "server.js": "import nothing from 'nowhere';\n" });
    let broken = patch(&ann, "warm-second", broken).await;
    assert_eq!(broken.status, 502, "{broken:?}");
    assert!(broken.text().contains("Cannot find package 'nowhere'"), "{broken:?}");
    let mended = patch(&ann, "warm-second", json!({ "server.js": server })).await;
    assert_eq!(mended.status, 200, "{mended:?}");
    stop(&ann, "warm-second").await;
    stop(&ann, "warm-first").await;
    app.finish().await;
}

/// What is read when packages are loaded is what the app would have them read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_the_same_is_started_anew() {
    let (app, ann) = prepared().await;
    // Node itself reads this one: what waits has not been started with it, and is not taken.
    let mut zone =
        chat("app.get('/read', (_request, response) => response.json(new Date(0).getTimezoneOffset()));");
    zone["metadata"]["environment"] =
        json!({ "TZ": "Asia/Tokyo", "NODE_OPTIONS": "--max-http-header-size=4096" });
    let launched = up(&ann, "warm-zone", &zone).await;
    assert_eq!(visitor(&launched).get("/read").await.json(), -540);
    assert!(!is_warm(&command(&launched).await));
    stop(&ann, "warm-zone").await;

    // `ws` reads this one when it is loaded: the container is taken, and the app started anew.
    up(&ann, "warm-again", &chat("")).await;
    wait_for(&app, 1).await;
    let mut read =
        chat("app.get('/read', (_request, response) => response.json(process.env.WS_NO_BUFFER_UTIL));");
    read["metadata"]["environment"] = json!({ "WS_NO_BUFFER_UTIL": "yes" });
    let launched = up(&ann, "warm-read", &read).await;
    assert_eq!(visitor(&launched).get("/read").await.json(), "yes");
    assert!(!is_warm(&command(&launched).await));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_does_not_start_says_why() {
    let (app, ann) = prepared().await;
    put(&ann, "warm-broken", &chat("throw new Error('out of order');")).await;
    let launched = ann.post(&path("warm-broken", "/launch"), &json!({})).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let failed = once(&ann, "warm-broken", "failed").await.to_string();
    assert!(failed.contains("out of order"), "{failed}");
    let log = ann.get(&path("warm-broken", "/logs?limit=500")).await.text();
    assert!(log.contains("it is started anew") && !log.contains("[eval]"), "{log}");
    app.finish().await;
}
