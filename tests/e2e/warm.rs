//! Starts in containers that waited for them with the app's modules loaded: as quick as they are,
//! an app cannot tell them from fresh ones.

use std::collections::BTreeMap;
use std::time::Duration;

use previewd::engine::{Kind, OwnedContainer};
use serde_json::{Value, json};

use crate::app::{TestApp, example, until};
use crate::crash::Daemon;
use crate::http::Client;
use crate::reload::patch;
use crate::scene::{nonce, once, path, put, status, stop, text, up, visitor};

/// What a process knows of how it was started, each as a line of its log.
const FACTS: &str = r#"

def _facts():
    import json, locale, os, signal, sys, threading
    main = sys.modules["__main__"]
    mask = os.umask(0)
    os.umask(mask)
    own = ("HOSTNAME", "PG", "DB_", "DATABASE", "POSTGRES")
    facts = {
        "environment": {k: "" if k.startswith(own) else v for k, v in os.environ.items()},
        "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "executable": sys.executable,
        "flags": str(sys.flags), "warnings": sys.warnoptions, "cwd": os.getcwd(), "umask": mask,
        "ids": [os.getuid(), os.getgid(), os.getgroups()], "locale": locale.getlocale(),
        "main": sorted(main.__dict__), "file": main.__file__, "spec": str(main.__spec__),
        "signals": {n: str(signal.getsignal(getattr(signal, n))).split(" at ")[0]
                    for n in ("SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGCHLD")},
        "threads": [thread.name for thread in threading.enumerate()],
        "files": sorted(os.listdir("/app")), "called": open("/proc/self/comm").read(),
        "open": sorted(os.readlink("/proc/self/fd/" + n).split(":")[0] for n in ("0", "1", "2")),
        "stdout": [sys.stdout.encoding, sys.stdout.line_buffering, sys.stdout.write_through],
        "waited": ".previewd-order" in open("/proc/self/cmdline").read(),
        "environ": type(os.environ).__name__, "niceness": os.nice(0),
    }
    for name, fact in facts.items():
        print("FACT", name, json.dumps(fact, sort_keys=True), flush=True)
    print("FACT end 0", flush=True)

_facts()
"#;

/// Where it runs, and as what.
const COMMAND: &str = "
@app.get('/command')
def command():
    return open('/proc/self/cmdline').read()
@app.get('/host')
def host():
    return open('/etc/hostname').read().strip()
";

pub(crate) fn append(body: &mut Value, file: &str, more: &str) {
    let content = format!("{}{more}", body["files"][file].as_str().expect("a text"));
    body["files"][file] = json!(content);
}

pub(crate) fn warm_ones(max: usize) -> impl FnOnce(&mut previewd::config::Config) {
    move |config| config.orchestrator.warm.max = max
}

pub(crate) async fn containers(app: &TestApp) -> Vec<OwnedContainer> {
    let all = app.engine.owned_containers().await.expect("a list").into_iter();
    all.filter(|container| container.ownership.kind == Kind::Warm).collect()
}

/// The number of containers that wait is this.
pub(crate) async fn wait_for(app: &TestApp, count: usize) {
    let line = format!("preview_warm {count}\n");
    until(90, || async { app.stranger().get("/metrics").await.text().contains(&line).then_some(()) }).await;
}

fn notes(more: &str) -> Value {
    let mut body = example("fastapi-notes");
    append(&mut body, "app/main.py", &format!("{COMMAND}{more}\n# {}\n", nonce()));
    body
}

/// Of an app that tells how it was started.
pub(crate) async fn command(launched: &Value) -> String {
    visitor(launched).get("/command").await.json().as_str().expect("a text").replace('\0', " ")
}

pub(crate) fn is_warm(command: &str) -> bool {
    command.contains(".previewd-order") && !is_kept(command)
}

/// It has not waited, but is a child of the process that can start it again.
fn is_kept(command: &str) -> bool {
    command.contains(".previewd-order") && command.contains(" -- /app")
}

/// A first launch, which leaves the environment and a container that waits.
async fn prepared(app: &TestApp, client: &Client) {
    up(client, "fresh-first", &notes("")).await;
    wait_for(app, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_code_starts_in_a_warm_container_and_lives_on_in_it() {
    let app = TestApp::tuned(vec![], warm_ones(1)).await;
    let ann = app.user("ann");
    prepared(&app, &ann).await;
    let waiting = containers(&app).await;
    // On the stream that uvicorn writes to: between two there is no order.
    let body = notes("\nimport sys\nprint('first words', file=sys.stderr, flush=True)\n");
    let launched = up(&ann, "fresh-second", &body).await;
    assert!(is_warm(&command(&launched).await), "it was started anew");
    // It answers before all that it has printed is read.
    let log = until(10, || async {
        let log = ann.get(&path("fresh-second", "/logs?limit=500&source=app")).await.text();
        log.contains("Application startup complete").then_some(log)
    })
    .await;
    let first = log.find("first words").unwrap_or_else(|| panic!("the first line is missing: {log}"));
    assert!(first < log.find("Application startup complete").expect("uvicorn's words"), "{log}");
    let home = visitor(&launched).get("/").await;
    assert_eq!(home.json()["app"], "fastapi-notes");
    assert_eq!(status(&ann, "fresh-second").await["runsFrom"], "environment");

    // The next one waits already, and is another.
    wait_for(&app, 1).await;
    let now = containers(&app).await;
    assert_eq!(now.len(), 2, "{now:?}");
    assert!(now.iter().any(|container| container.id == waiting[0].id), "{now:?}");

    // Frozen and woken, patched and started again in the same container.
    assert_eq!(ann.post(&path("fresh-second", "/pause"), &json!({})).await.status, 202);
    once(&ann, "fresh-second", "paused").await;
    assert_eq!(ann.post(&path("fresh-second", "/resume"), &json!({})).await.status, 202);
    once(&ann, "fresh-second", "healthy").await;
    let patched = patch(&ann, "fresh-second", json!({ "app/extra.py": "x = 1\n" })).await;
    assert_eq!((patched.status, patched.json()["reloaded"].as_str()), (200, Some("restart")), "{patched:?}");
    assert!(is_warm(&command(&launched).await), "what was loaded is loaded still");
    let gone = json!({ "app/notes.py": null, "app/annotated_doc.py": "x = 1\n" });
    let broken = patch(&ann, "fresh-second", gone).await;
    assert_eq!(broken.status, 502, "{broken:?}");
    let said = broken.text();
    assert!(said.contains("No module named 'app.notes'") && !said.contains("<string>"), "{said}");
    let whole = json!({ "app/notes.py": body["files"]["app/notes.py"] });
    let mended = patch(&ann, "fresh-second", whole).await;
    assert_eq!((mended.status, mended.json()["reloaded"].as_str()), (200, Some("restart")), "{mended:?}");
    assert!(is_warm(&command(&launched).await), "what had ended is loaded again");
    let started = started_at(&app, &launched).await;
    let again = patch(&ann, "fresh-second", json!({ "app/extra.py": "x = 2\n" })).await;
    assert_eq!((again.status, again.json()["reloaded"].as_str()), (200, Some("restart")), "{again:?}");
    assert_eq!(started_at(&app, &launched).await, started, "the engine has nothing to do with it");

    stop(&ann, "fresh-second").await;
    until(60, || async { (containers(&app).await.len() == 1).then_some(()) }).await;
    app.finish().await;
}

/// When the engine has started a preview's container.
async fn started_at(app: &TestApp, launched: &Value) -> String {
    let id = visitor(launched).get("/host").await.json().as_str().expect("a text").to_owned();
    let state = app.engine.inspect(&id).await.expect("an answer").expect("it is there");
    format!("{:?}", state.started_at.expect("it was started"))
}

/// Where nothing waited for it, and from its image as well as from its environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_is_one_that_new_code_needs_no_engine_for() {
    let app = TestApp::tuned(vec![], |config| {
        config.orchestrator.warm.max = 1;
        config.orchestrator.warm.ttl = Duration::from_secs(3);
    })
    .await;
    let ann = app.user("ann");
    let body = notes("");
    let launched = up(&ann, "fresh-first", &body).await;
    wait_for(&app, 1).await;
    assert!(is_kept(&command(&launched).await), "it runs by itself");
    let started = started_at(&app, &launched).await;
    for at in 0..3 {
        let answer = patch(&ann, "fresh-first", json!({ "app/extra.py": format!("x = {at}\n") })).await;
        assert_eq!((answer.status, answer.json()["reloaded"].as_str()), (200, Some("restart")), "{answer:?}");
    }
    assert!(is_kept(&command(&launched).await), "it runs by itself now");
    assert_eq!(started_at(&app, &launched).await, started, "by the engine");

    // Broken, and mended: another start of the same container, and from then on as before.
    let broken =
        patch(&ann, "fresh-first", json!({ "app/extra.py": null, "app/notes.py": "import nowhere\n" })).await;
    let said = broken.text();
    assert_eq!(broken.status, 502, "{broken:?}");
    assert!(said.contains("No module named 'nowhere'") && !said.contains("<string>"), "{said}");
    let mended = patch(&ann, "fresh-first", json!({ "app/notes.py": body["files"]["app/notes.py"] })).await;
    assert_eq!((mended.status, mended.json()["reloaded"].as_str()), (200, Some("restart")), "{mended:?}");
    let second = started_at(&app, &launched).await;
    assert_ne!(second, started);
    let again = patch(&ann, "fresh-first", json!({ "app/extra.py": "x = 7\n" })).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(started_at(&app, &launched).await, second);
    assert!(is_kept(&command(&launched).await));

    // In the environment, when what had waited there has gone.
    wait_for(&app, 0).await;
    let launched = up(&ann, "fresh-second", &notes("")).await;
    assert_eq!(status(&ann, "fresh-second").await["runsFrom"], "environment");
    assert!(is_kept(&command(&launched).await), "it runs by itself");
    let started = started_at(&app, &launched).await;
    let answer = patch(&ann, "fresh-second", json!({ "app/extra.py": "x = 1\n" })).await;
    assert_eq!((answer.status, answer.json()["reloaded"].as_str()), (200, Some("restart")), "{answer:?}");
    assert_eq!(started_at(&app, &launched).await, started, "by the engine");
    app.finish().await;
}

/// What an app does at its end takes its time, whatever its server's naps are cut to.
const LEAVING: &str = "
import asyncio, contextlib, time
@contextlib.asynccontextmanager
async def life(_):
    yield
    begun = time.monotonic()
    await asyncio.sleep(0.4)
    print('left after', round(time.monotonic() - begun, 1), flush=True)
app.router.lifespan_context = life
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_makes_room_ends_at_once_and_in_good_order() {
    let app = TestApp::tuned(vec![], warm_ones(1)).await;
    let ann = app.user("ann");
    prepared(&app, &ann).await;
    let launched = up(&ann, "fresh-second", &notes(LEAVING)).await;
    assert!(is_warm(&command(&launched).await), "it was started anew");
    let first = patch(&ann, "fresh-second", notes("")["files"].clone()).await;
    assert_eq!((first.status, first.json()["reloaded"].as_str()), (200, Some("restart")), "{first:?}");
    let log = ann.get(&path("fresh-second", "/logs?limit=500&source=app")).await.text();
    assert!(log.contains("left after 0.4"), "{log}");
    // Of what is left, the least is what it takes: uvicorn by itself naps for 0.1 s on its way out, and
    // half as long, taken over many, before it sets out.
    let mut ends = Vec::new();
    for at in 0..5 {
        let answer = patch(&ann, "fresh-second", json!({ "app/extra.py": format!("x = {at}\n") })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(is_warm(&command(&launched).await), "it was started anew");
        ends.push(ending(&ann, "fresh-second").await);
    }
    assert!(ends.iter().any(|took| *took < Duration::from_millis(95)), "{ends:?}");
    app.finish().await;
}

/// Between uvicorn's first and last word when it was told to end for the last time.
async fn ending(client: &Client, id: &str) -> Duration {
    let lines = client.get(&path(id, "/logs?limit=500&source=app")).await.json();
    let lines = lines["logs"].as_array().expect("lines").clone();
    let last = |word: &str| {
        let line = lines.iter().rev().find(|line| text(line, "message").contains(word));
        let when = text(line.unwrap_or_else(|| panic!("no {word}: {lines:?}")), "timestamp").to_owned();
        chrono::DateTime::parse_from_rfc3339(&when).expect("a time")
    };
    (last("Finished server process") - last("Shutting down")).to_std().expect("in their order")
}

/// Something of the source, which no program reads, is what no image has.
fn put_nonce(body: &mut Value) {
    body["files"]["nonce.txt"] = json!(nonce().to_string());
}

/// The facts that an example has told.
async fn facts(client: &Client, id: &str) -> BTreeMap<String, Value> {
    until(30, || async {
        let log = client.get(&path(id, "/logs?limit=1000&source=app")).await.json();
        let lines = log["logs"].as_array().expect("lines").clone();
        let told =
            lines.iter().filter_map(|line| text(line, "message").strip_prefix("FACT ")?.split_once(' '));
        let told: BTreeMap<String, Value> =
            told.map(|(name, fact)| (name.to_owned(), serde_json::from_str(fact).expect("JSON"))).collect();
        told.contains_key("end").then_some(told)
    })
    .await
}

/// An example whose program tells the facts it is given to tell, started in both ways.
pub(crate) async fn equals_a_fresh_start(name: &str, file: &str, telling: &str) {
    let fresh = TestApp::tuned(vec![], warm_ones(0)).await;
    let ann = fresh.user("ann");
    let mut body = example(name);
    append(&mut body, file, telling);
    put_nonce(&mut body);
    up(&ann, "fresh-cold", &body).await;
    let mut cold = facts(&ann, "fresh-cold").await;
    fresh.finish().await;

    let app = TestApp::tuned(vec![], warm_ones(1)).await;
    let ann = app.user("ann");
    up(&ann, "fresh-first", &body).await;
    wait_for(&app, 1).await;
    let mut first = facts(&ann, "fresh-first").await;
    let waiting = containers(&app).await;
    put_nonce(&mut body);
    up(&ann, "fresh-warm", &body).await;
    let mut warm = facts(&ann, "fresh-warm").await;
    let is_kept = file.ends_with(".py");
    let waited = [&mut warm, &mut first, &mut cold].map(|facts| facts.remove("waited").expect("told"));
    assert_eq!(waited, [json!(true), json!(is_kept), json!(false)], "{name} was started anew");
    assert_eq!(warm, cold, "{name}");
    assert_eq!(first, cold, "{name}, where nothing waited for it");
    // It was taken, and the engine has to do nothing more for it.
    let taken = app.engine.inspect(&waiting[0].id).await.expect("an answer").expect("it is there");
    assert!(taken.running, "{taken:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastapi_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("fastapi-notes", "app/main.py", FACTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flask_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("flask-todo", "app.py", FACTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_with_a_database_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("fastapi-ledger", "app/main.py", FACTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn django_cannot_tell_it_from_a_fresh_start() {
    equals_a_fresh_start("django-library", "library/wsgi.py", FACTS).await;
}

/// Where what is loaded would not be what the app loads, it is started anew in the same container.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_the_same_is_started_anew() {
    let app = TestApp::tuned(vec![], warm_ones(1)).await;
    let ann = app.user("ann");
    prepared(&app, &ann).await;
    let mut own =
        notes("\nimport annotated_doc\n@app.get('/own')\ndef own():\n    return annotated_doc.MARK\n");
    own["files"]["annotated_doc.py"] =
        json!("MARK = 7\nclass Doc:\n    def __init__(self, text, /):\n        self.documentation = text\n");
    let launched = up(&ann, "fresh-own", &own).await;
    assert_eq!(
        visitor(&launched).get("/own").await.json(),
        7,
        "its own module hides the one that was loaded"
    );
    assert!(!is_warm(&command(&launched).await));
    stop(&ann, "fresh-own").await;

    wait_for(&app, 1).await;
    let mut read =
        notes("\nimport os\n@app.get('/read')\ndef read():\n    return os.environ['PYTHONUTF8']\n");
    read["metadata"]["environment"] = json!({ "PYTHONUTF8": "1" });
    let launched = up(&ann, "fresh-read", &read).await;
    assert_eq!(visitor(&launched).get("/read").await.json(), "1");
    assert!(!is_warm(&command(&launched).await), "the interpreter reads it when it starts");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_does_not_start_says_why() {
    let app = TestApp::tuned(vec![], warm_ones(1)).await;
    let ann = app.user("ann");
    prepared(&app, &ann).await;
    put(&ann, "fresh-broken", &notes("\nimport nowhere_to_be_found\n")).await;
    let launched = ann.post(&path("fresh-broken", "/launch"), &json!({})).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let failed = once(&ann, "fresh-broken", "failed").await;
    let said = failed.to_string();
    assert!(said.contains("nowhere_to_be_found"), "{said}");
    let log = ann.get(&path("fresh-broken", "/logs?limit=500")).await.text();
    assert!(log.contains("it is started anew"), "{log}");
    assert!(!log.contains("<string>"), "frames that are none of the app's: {log}");
    app.finish().await;
}

/// Of another owner, of another tier, too old, or too many: they are not taken, and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_their_owners_and_not_for_ever() {
    let app = TestApp::tuned(vec![], |config| {
        config.orchestrator.warm.max = 1;
        config.orchestrator.warm.ttl = Duration::from_secs(20);
    })
    .await;
    let ann = app.user("ann");
    prepared(&app, &ann).await;
    let of_ann = containers(&app).await[0].id.clone();
    let bob = app.user("bob");
    let launched = up(&bob, "fresh-bob", &notes("")).await;
    assert!(!is_warm(&command(&launched).await), "what waits for one user is not another's");
    let is_there = || async {
        let there = containers(&app).await;
        there.iter().any(|container| container.id == of_ann)
    };
    until(60, || async { (!is_there().await).then_some(()) }).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_leaves_none_and_keeps_the_preview_that_lives_in_one() {
    let mut app = TestApp::prepared(vec![("PREVIEW_WARM_MAX", "1".to_owned())]).await;
    let daemon = Daemon::start(&mut app).await;
    let ann = app.user("ann");
    prepared(&app, &ann).await;
    let launched = up(&ann, "fresh-kept", &notes("")).await;
    let before = command(&launched).await;
    assert!(is_warm(&before));
    wait_for(&app, 1).await;
    let all = containers(&app).await;
    assert_eq!(all.len(), 2, "{all:?}");
    daemon.kill().await;

    let daemon = Daemon::start(&mut app).await;
    let ann = app.user("ann");
    once(&ann, "fresh-kept", "healthy").await;
    until(30, || async { (containers(&app).await.len() == 1).then_some(()) }).await;
    let kept = visitor(&launched).get("/command").await.text().replace("\\u0000", " ");
    assert!(is_warm(&kept), "it is served by the process it had: {kept}");
    stop(&ann, "fresh-kept").await;
    stop(&ann, "fresh-first").await;
    until(30, || async { containers(&app).await.is_empty().then_some(()) }).await;
    daemon.end().await;
    app.finish().await;
}
