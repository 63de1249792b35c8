//! Changed files in live previews: in place, with a new start, on a new image, and what becomes of
//! code that does not run.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::app::{TestApp, example, until};
use crate::browser::Browser;
use crate::http::{Answer, Client};
use crate::scene::{nonce, page, path, put, status, stop, text, up, visitor};

/// `null` takes a file away.
pub(crate) async fn patch(client: &Client, id: &str, files: Value) -> Answer {
    let body = json!({ "files": files }).to_string();
    client.send(hyper::Method::PATCH, &path(id, "/files"), body).await
}

/// Files that are brought in, and in which way.
async fn patched(client: &Client, id: &str, files: Value) -> Value {
    let answer = patch(client, id, files).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn app(says: &str) -> String {
    format!(
        "import os\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\ndef index():\n    return {{'says': '{says}', 'pid': os.getpid()}}\n"
    )
}

fn fastapi(mode: &str) -> Value {
    let mut body = example("fastapi-notes");
    body["files"]["app/main.py"] = json!(app("first"));
    // Content that comes only once: its image goes with the test.
    body["files"]["once.txt"] = json!(nonce().to_string());
    body["metadata"]["mode"] = json!(mode);
    body
}

async fn says(visits: &Client) -> String {
    let answer = visits.get("/").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.json(), "says").to_owned()
}

async fn events(client: &Client, id: &str) -> Vec<Value> {
    let trail = client.get(&path(id, "/events?limit=200")).await.json();
    trail["events"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_shows_new_files_at_once_and_for_as_long_as_it_lives() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "fresh-site", &page(&format!("first {}", nonce()))).await;
    let visits = visitor(&launched);
    let files = json!({ "index.html": "second", "a/b/note.txt": "deep", "gone.txt": null });
    let answer = patched(&ann, "fresh-site", files).await;
    assert_eq!((&answer["reloaded"], &answer["applied"]), (&json!("hot"), &json!(2)), "{answer}");
    assert_eq!(visits.get("/").await.text(), "second");
    assert_eq!(visits.get("/a/b/note.txt").await.text(), "deep");
    // A file becomes a folder, a folder goes, and what differs from nothing is no change.
    let answer =
        patched(&ann, "fresh-site", json!({ "a/b/note.txt": null, "a/b/note.txt/x": "in it" })).await;
    assert_eq!(answer["reloaded"], "hot", "{answer}");
    assert_eq!(visits.get("/a/b/note.txt/x").await.text(), "in it");
    let same = patched(&ann, "fresh-site", json!({ "index.html": "second" })).await;
    assert_eq!(same["applied"], 0, "{same}");
    let listed = ann.get(&path("fresh-site", "/files")).await.json();
    assert_eq!(listed["files"]["index.html"]["size"], 6, "{listed}");
    assert!(listed["files"].get("a/b/note.txt").is_none(), "{listed}");
    // The generation is what it was, and the preview is not: also when it is started anew.
    let stored = ann.get("/api/v2/generations/fresh-site").await.json();
    assert_ne!(stored["contentHash"], listed["contentHash"]);
    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    until(20, || async { (status(&ann, "fresh-site").await["status"] == "healthy").then_some(()) }).await;
    assert_eq!(visits.get("/").await.text(), "second");
    assert_eq!(ann.post(&path("fresh-site", "/restart"), &json!({})).await.status, 202);
    until(60, || async { (status(&ann, "fresh-site").await["status"] == "healthy").then_some(()) }).await;
    assert_eq!(visits.get("/").await.text(), "second");
    assert_eq!(visits.get("/a/b/note.txt/x").await.text(), "in it");
    stop(&ann, "fresh-site").await;
    assert_eq!(patch(&ann, "fresh-site", json!({ "index.html": "third" })).await.status, 409);
    // A new preview of the same generation begins where that one began.
    let launched = ann.post(&path("fresh-site", "/launch"), &json!({ "wait": true })).await.json();
    assert!(visitor(&launched).get("/").await.text().contains("first"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_started_anew_in_its_container_and_nobody_is_turned_away() {
    let app_ = TestApp::start().await;
    let ann = app_.user("ann");
    let launched = up(&ann, "fresh-served", &fastapi("run")).await;
    let (visits, token) = (visitor(&launched), text(&launched, "previewToken").to_owned());
    let container = container_of(&app_).await;
    // Visitors come all the time, and each gets an answer.
    let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
    let visitors = visits.clone();
    let visiting = tokio::spawn(async move {
        let mut seen = Vec::new();
        while ended.try_recv().is_err() {
            seen.push(visitors.get("/").await.status);
        }
        seen
    });
    let answer = patched(&ann, "fresh-served", json!({ "app/main.py": app("second") })).await;
    assert_eq!(answer["reloaded"], "restart", "{answer}");
    assert_eq!(says(&visits).await, "second");
    // Two at once are done one after the other.
    let (one, two) = tokio::join!(
        patched(&ann, "fresh-served", json!({ "app/main.py": app("third") })),
        patched(&ann, "fresh-served", json!({ "app/extra.py": "x = 1\n" })),
    );
    assert_eq!((&one["reloaded"], &two["reloaded"]), (&json!("restart"), &json!("restart")));
    assert_eq!(says(&visits).await, "third");
    let _ = end.send(());
    let seen = visiting.await.expect("no panic");
    assert!(seen.len() > 3 && seen.iter().all(|status| *status == 200), "{seen:?}");
    assert_eq!(container_of(&app_).await, container, "the same container");
    assert_eq!(text(&status(&ann, "fresh-served").await, "status"), "healthy");
    // The address and the token are the same.
    let owner = ann.clone().header("x-preview-token", token);
    let asked = owner.post(&path("fresh-served", "/request"), &json!({ "path": "/" })).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let ways: Vec<_> = events(&ann, "fresh-served").await;
    let ways: Vec<_> = ways.iter().filter(|event| event["eventType"] == "reloaded").collect();
    assert_eq!(ways.len(), 3, "{ways:?}");
    assert_eq!(ways[0]["data"]["way"], "restart");
    app_.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_development_server_takes_notice_by_itself() {
    let app_ = TestApp::start().await;
    let ann = app_.user("ann");
    let launched = up(&ann, "fresh-dev", &fastapi("dev")).await;
    let visits = visitor(&launched);
    for words in ["second", "third!"] {
        let answer = patched(&ann, "fresh-dev", json!({ "app/main.py": app(words) })).await;
        assert_eq!(answer["reloaded"], "hot", "{answer}");
        assert_eq!(says(&visits).await, words);
    }
    app_.finish().await;
}

/// From an app's last words to the event that it does not run.
async fn time_to_tell(client: &Client, id: &str) -> Duration {
    let moment = |of: &Value| chrono::DateTime::parse_from_rfc3339(text(of, "timestamp")).expect("a time");
    let log = client.get(&path(id, "/logs?limit=500&source=app")).await.json();
    let said = moment(log["logs"].as_array().expect("lines").last().expect("a line"));
    let trail = events(client, id).await;
    let told = trail.iter().rev().find(|event| event.to_string().contains("\"unhealthy\""));
    (moment(told.expect("an event")) - said).to_std().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_that_does_not_run_is_said_and_mended_by_what_comes_next() {
    let app_ = TestApp::start().await;
    let ann = app_.user("ann");
    let launched = up(&ann, "fresh-broken", &fastapi("run")).await;
    let visits = visitor(&launched);
    let broken = format!("{}\n\nraise RuntimeError('it leads nowhere')\n", app("broken"));
    let answer = patch(&ann, "fresh-broken", json!({ "app/main.py": broken })).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["stage"], "startup", "{problem}");
    assert!(problem["logTail"].to_string().contains("nowhere"), "{problem}");
    assert_eq!(status(&ann, "fresh-broken").await["status"], "unhealthy");
    let unsaid = time_to_tell(&ann, "fresh-broken").await;
    assert!(unsaid < Duration::from_secs(2), "its end was not told for {unsaid:?}");
    assert_eq!(visits.get("/").await.status, 502);
    // It is not started again and again; the next files mend it.
    let answer = patched(&ann, "fresh-broken", json!({ "app/main.py": app("mended") })).await;
    assert_eq!(answer["reloaded"], "restart", "{answer}");
    assert_eq!(says(&visits).await, "mended");
    let mended = status(&ann, "fresh-broken").await;
    assert_eq!((&mended["status"], &mended["failure"]), (&json!("healthy"), &Value::Null), "{mended}");
    // What is no tree, or no app, changes nothing.
    for (files, status) in [
        (json!({ "app/main.py/x": "1" }), 422),
        (json!({ "../x": "1" }), 422),
        (json!({}), 422),
        (json!({ "a": 1 }), 422),
    ] {
        let refused = patch(&ann, "fresh-broken", files).await;
        assert_eq!(refused.status, status, "{refused:?}");
    }
    assert_eq!(says(&visits).await, "mended");
    let stranger = patch(&app_.user("bob"), "fresh-broken", json!({ "app/main.py": "" })).await;
    assert_eq!(stranger.status, 403);
    app_.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_dependencies_come_with_another_image() {
    let app_ = TestApp::start().await;
    let ann = app_.user("ann");
    let launched = up(&ann, "fresh-deps", &fastapi("run")).await;
    let visits = visitor(&launched);
    let container = container_of(&app_).await;
    let requirements = text(&fastapi("run")["files"], "requirements.txt").to_owned();
    // Cannot be installed: what is there serves on.
    let bad = format!("{requirements}\nno-such-package-of-ours==99.99\n");
    let answer = patch(&ann, "fresh-deps", json!({ "requirements.txt": bad })).await;
    assert_eq!((answer.status, text(&answer.json(), "stage")), (502, "build"), "{answer:?}");
    assert_eq!(says(&visits).await, "first");
    assert_eq!(status(&ann, "fresh-deps").await["status"], "degraded");
    let files = json!({ "requirements.txt": format!("{requirements}\n"), "app/main.py": app("rebuilt") });
    let answer = patched(&ann, "fresh-deps", files).await;
    assert_eq!(answer["reloaded"], "rebuild", "{answer}");
    assert_eq!(says(&visits).await, "rebuilt");
    assert_ne!(container_of(&app_).await, container);
    assert_eq!(status(&ann, "fresh-deps").await["baseUrl"], launched["baseUrl"]);
    app_.finish().await;
}

/// The only container there is.
async fn container_of(app: &TestApp) -> String {
    let containers = app.engine.owned_containers().await.expect("a list");
    assert_eq!(containers.len(), 1, "{containers:?}");
    containers[0].id.clone()
}

/// Makes links out of its own folder before it serves.
const LINKS: &str = r#"
import os, http.server
for target, name in (("/etc", "/app/etc"), ("/", "/app/root"), ("../../../../../../etc/passwd", "/app/passwd")):
    if not os.path.lexists(name):
        os.symlink(target, name)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = [path for path in ("/etc/planted", "/planted", "/app/etc/planted", "/app/passwd") if os.path.exists(path)]
        found = ",".join(f"{name}:{'link' if os.path.islink(name) else 'own'}" for name in names)
        body = f"{found};{os.path.islink('/app/etc')};{os.path.exists('/etc/hostname')}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_an_app_has_made_lead_nowhere() {
    let app_ = TestApp::start().await;
    let ann = app_.user("ann");
    let program = format!("{LINKS}# {}\n", nonce());
    let body = json!({ "metadata": { "port": 8000 }, "files": { "main.py": program } });
    put(&ann, "fresh-links", &body).await;
    let launched = ann.post(&path("fresh-links", "/launch"), &json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let visits = visitor(&launched.json());
    assert!(visits.get("/").await.text().ends_with(";True;True"));
    let before = std::fs::metadata("/etc/planted").is_ok() || std::fs::metadata("/planted").is_ok();
    assert!(!before, "this host is clean");
    // A folder of ours takes the place of a link of its name; a file of ours that of a link.
    let files =
        json!({ "etc/planted": "x", "root/planted": "x", "passwd": "ours", "root/etc/hostname": null });
    let answer = patched(&ann, "fresh-links", files).await;
    let planted = std::fs::metadata("/etc/planted").is_ok() || std::fs::metadata("/planted").is_ok();
    assert!(!planted, "a file of an app has come onto the host");
    assert!(std::fs::read_to_string("/etc/passwd").expect("the host's").contains("root:"));
    assert!(std::path::Path::new("/etc/hostname").exists());
    let text = visits.get("/").await.text();
    let planted_in_its_own = |name: &str| name.starts_with("/etc/planted") || name.starts_with("/planted");
    assert!(!text.split([',', ';']).any(planted_in_its_own), "{text} {answer}");
    assert!(text.ends_with(";True"), "{text}");
    app_.finish().await;
}

/// What a browser says when somebody goes to a page.
fn browser(launched: &Value) -> Client {
    let to = visitor(launched).header("accept", "text/html,*/*").header("accept-encoding", "gzip, br");
    to.header("sec-fetch-dest", "document")
}

/// Nobody reloads it, and it goes on doing what it did where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_shows_each_change_by_itself() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let said = |text: &str| json!({ "index.html": format!("<title>a page</title><p id=said>{text}</p>") });
    let launched = up(&ann, "fresh-seen", &page(&format!("first {}", nonce()))).await;
    patched(&ann, "fresh-seen", said("second")).await;
    let mut seen = Browser::open(&format!("{}/?at=1#there", text(&launched, "baseUrl"))).await;
    let shown = "document.querySelector('#said')?.textContent";
    seen.shows(shown, "second").await;
    for change in ["third", "fourth"] {
        // A page of before would still have it.
        seen.value("window.old = true").await;
        patched(&ann, "fresh-seen", said(change)).await;
        seen.shows(shown, change).await;
        assert_eq!(seen.value("window.old === undefined").await, true, "the page was loaded anew");
        assert_eq!(seen.value("location.search + location.hash").await, "?at=1#there");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_refresh_themselves_once_files_are_being_changed() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "fresh-live", &page(&format!("first {}", nonce()))).await;
    let before = browser(&launched).get("/").await.text();
    assert!(!before.contains("__previewd"), "nobody changes anything: {before}");
    assert_eq!(visitor(&launched).get("/__previewd/reload.js").await.status, 404, "the app's own");
    patched(&ann, "fresh-live", json!({ "index.html": "second" })).await;
    let shown = browser(&launched).get("/").await;
    let line = "\n<script src=\"/__previewd/reload.js\" async></script>\n";
    assert_eq!(shown.text(), format!("second{line}"));
    assert_eq!(shown.headers["content-length"], shown.body.len().to_string().as_str());
    let script = visitor(&launched).get("/__previewd/reload.js").await;
    assert!(script.text().contains("EventSource"), "{script:?}");
    // What scripts fetch, and who wants to be left alone, get the page as it is.
    for (name, value) in [("sec-fetch-dest", "empty"), ("x-preview-reload", "off")] {
        let plain = visitor(&launched).header("accept", "text/html").header(name, value).get("/").await;
        assert_eq!(plain.text(), "second", "{name}: {value}");
    }
    // An open page is told of the next change.
    let events =
        visitor(&launched).open(hyper::Method::GET, "/__previewd/reload", "").await.expect("a stream");
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut events = events.into_body();
    assert!(next_piece(&mut events).await.contains("event: hello"));
    patched(&ann, "fresh-live", json!({ "index.html": "third" })).await;
    assert!(next_piece(&mut events).await.contains("event: reload"));
    assert_eq!(browser(&launched).get("/").await.text(), format!("third{line}"));
    // It ends with the preview.
    stop(&ann, "fresh-live").await;
    let rest = tokio::time::timeout(std::time::Duration::from_secs(5), events.frame()).await;
    assert!(!matches!(rest, Ok(Some(Ok(_))) | Err(_)), "{rest:?}");
    app.finish().await;
}

async fn next_piece(body: &mut hyper::body::Incoming) -> String {
    let frame = tokio::time::timeout(std::time::Duration::from_secs(10), body.frame()).await;
    let frame = frame.expect("in time").expect("goes on").expect("unbroken");
    String::from_utf8_lossy(&frame.into_data().unwrap_or_default()).into_owned()
}
