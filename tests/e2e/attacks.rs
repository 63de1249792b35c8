//! Previews that take what they can get: processes, memory, disk, CPU, log. Each is stopped or held
//! back, it is said by name what for, and its neighbours go on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::outside::is_root;
use crate::scene::{OBEDIENT, once, path, put, python, text, up, visitor};

/// `GET /WHAT` begins what it names, in the background.
const GREEDY: &str = r#"
import http.server, os, subprocess, threading, time

def fork():
    children = []
    while True:
        try:
            children.append(subprocess.Popen(["sleep", "600"]))
        except OSError:
            print("forked", len(children), flush=True)
            time.sleep(1)

def memory():
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (8 << 20)))

def disk():
    with open("filler", "wb") as file:
        while True:
            file.write(b"x" * (4 << 20))
            file.flush()
            time.sleep(0.02)

def scratch():
    try:
        with open("/tmp/filler", "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))
    except OSError as error:
        print("scratch ended:", error, flush=True)
        os.unlink("/tmp/filler")

def cpu():
    while True:
        pass

def log():
    while True:
        print("x" * 200, flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/")
        if name in WORKS:
            for _ in range(4 if name in ("cpu", "log") else 1):
                threading.Thread(target=WORKS[name], daemon=True).start()
        body = b"ok"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        pass

WORKS = {work.__name__: work for work in (fork, memory, disk, scratch, cpu, log)}
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

/// A Python program without a Dockerfile: its folder is one it may write to.
fn greedy() -> Value {
    json!({
        "files": { "main.py": GREEDY },
        "metadata": { "language": "python", "entryPoint": "python main.py", "port": 8000 },
    })
}

/// p50 and p99 of so many requests, one after the other, all of which must be answered.
async fn latency(client: &Client, requests: usize) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let begun = Instant::now();
        assert_eq!(client.get("/").await.status, 200, "the neighbour answers");
        times.push(begun.elapsed());
    }
    times.sort();
    (times[requests / 2], times[requests * 99 / 100])
}

async fn logs(client: &Client, id: &str, search: &str) -> String {
    client.get(&path(id, &format!("/logs?search={search}"))).await.text()
}

/// What the first event of a kind says.
async fn event(client: &Client, id: &str, kind: &str) -> Option<Value> {
    let events = client.get(&path(id, "/events")).await.json();
    events["events"]
        .as_array()?
        .iter()
        .find(|event| event["eventType"] == kind || event["type"] == kind)
        .cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_filler_is_warned_and_stopped_by_name() {
    let app = TestApp::tuned(vec![("PREVIEW_SAMPLE_INTERVAL", "1".to_owned())], |config| {
        config.orchestrator.tiers.pro.storage_mb = 400;
    })
    .await;
    let ann = app.user("ann");
    let launched = up(&ann, "filler", &greedy()).await;
    if !is_root() {
        // Where the engine's folders cannot be read nothing can be watched.
        return app.finish().await;
    }
    assert_eq!(visitor(&launched).get("/disk").await.status, 200);
    let failed = once(&ann, "filler", "failed").await;
    let reason = text(&failed["failure"], "reason").to_owned();
    assert!(reason.contains("storage limit is 400 MiB"), "{failed}");
    let wrote: u64 = reason.split(' ').nth(2).expect("a number").parse().expect("a number");
    assert!((400..4000).contains(&wrote), "{reason}");
    let event = event(&ann, "filler", "failed").await.expect("an event");
    assert!(event.to_string().contains("storage limit"), "{event}");
    println!("disk filler: {reason}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greedy_are_held_back_and_neighbours_go_on() {
    let app = TestApp::tuned(vec![("PREVIEW_SAMPLE_INTERVAL", "1".to_owned())], |config| {
        config.streams.flood = previewd::streams::Flood { at_once: 20_000, a_second: 1_000 };
    })
    .await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let neighbour = visitor(&up(&bob, "neighbour", &python(OBEDIENT)).await);
    put(&ann, "greedy", &greedy()).await;
    let quiet = latency(&neighbour, 200).await;
    println!("\n{:<10}{:>10}{:>10}  what became of it", "attack", "p50 ms", "p99 ms");
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("{:<10}{:>10.1}{:>10.1}", "none", ms(quiet.0), ms(quiet.1));
    for attack in ["fork", "scratch", "log", "cpu", "memory"] {
        let launched = up(&ann, "greedy", &greedy()).await;
        let begun = Instant::now();
        assert_eq!(visitor(&launched).get(&format!("/{attack}")).await.status, 200);
        let said = match attack {
            "fork" => {
                until(30, || async {
                    let said = logs(&ann, "greedy", "forked").await;
                    said.contains("forked").then_some("held at the limit of processes")
                })
                .await
            }
            "scratch" => {
                until(30, || async {
                    let said = logs(&ann, "greedy", "scratch").await;
                    said.contains("No space left").then_some("held at the size of its tmpfs")
                })
                .await
            }
            "memory" => {
                until(30, || async {
                    let said = logs(&ann, "greedy", "OOM").await;
                    said.contains("OOM").then_some("killed, and OOM said")
                })
                .await
            }
            "log" => {
                until(60, || async {
                    let said = logs(&ann, "greedy", "lines%20at%20once").await;
                    said.contains("a second are read").then_some("read more slowly")
                })
                .await
            }
            _ => "throttled",
        };
        let took = begun.elapsed();
        let beside = latency(&neighbour, 200).await;
        println!("{attack:<10}{:>10.1}{:>10.1}  {said}, {} ms", ms(beside.0), ms(beside.1), took.as_millis());
        // Two cores of the host and everything else on them: the goal of 20 % is for a quiet host, and
        // this bound is for any. An attack that is not held back makes this seconds.
        assert!(beside.1 < quiet.1 * 10 + Duration::from_millis(500), "{attack}: {beside:?} after {quiet:?}");
        if attack == "memory" {
            assert!(took < Duration::from_secs(15), "OOM was said after {took:?}");
        }
        assert_eq!(ann.delete(&path("greedy", "")).await.status, 204);
    }
    app.finish().await;
}

/// Answers its health endpoint in every way that wastes time.
const WEARY: &str = r#"
import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        way = os.environ["WAY"]
        if way == "hang":
            time.sleep(3600)
        if way == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_endpoint_wastes_nobodys_time() {
    let app = TestApp::with(vec![("PREVIEW_STARTUP_TIMEOUT", "10".to_owned())]).await;
    let ann = app.user("ann");
    for (way, wanted) in [("hang", "failed"), ("redirect", "healthy"), ("endless", "healthy")] {
        let mut body = python(WEARY);
        body["metadata"] = json!({ "environment": { "WAY": way } });
        put(&ann, way, &body).await;
        let begun = Instant::now();
        let launched = ann.post(&path(way, "/launch"), &json!({ "wait": true })).await;
        let status = ann.get(&path(way, "/status")).await.json();
        assert_eq!(status["status"], wanted, "{way}: {launched:?}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{way} took {:?}", begun.elapsed());
    }
    app.finish().await;
}
