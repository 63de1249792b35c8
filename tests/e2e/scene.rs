//! Generations that are built in no time, and what many stories ask of a preview.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::app::until;
use crate::http::{Answer, Client};

/// A number that no other test, and no earlier run, has used.
pub fn nonce() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as u64;
    now * 1000 + COUNT.fetch_add(1, Ordering::Relaxed) % 1000
}

/// One page on the static base: nothing to install, nothing to wait for.
pub fn page(text: &str) -> Value {
    json!({ "files": { "index.html": format!("<!doctype html><title>page</title>{text}") } })
}

/// A program of Python's standard library, on a Dockerfile of its own.
pub fn python(program: &str) -> Value {
    let dockerfile = "FROM python:3.11-slim\nWORKDIR /app\nCOPY main.py .\nEXPOSE 8000\n\
                      CMD [\"python\", \"main.py\"]\n";
    json!({ "files": { "Dockerfile": dockerfile, "main.py": program } })
}

/// A build whose one step waits for `seconds`; every one of another content.
pub fn slow_build(seconds: u64) -> Value {
    let step = format!("RUN sleep {seconds} && true {}", nonce());
    let dockerfile = format!("FROM previewd/static:1\n{step}\nCOPY index.html /app/\n");
    json!({ "files": { "Dockerfile": dockerfile, "index.html": "built at last" } })
}

/// Answers `GET /` with its process id, does what a path says, and listens after `DELAY` seconds.
pub const OBEDIENT: &str = r#"
import http.server, os, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    hangs = False

    def do_GET(self):
        if self.path == "/exit":
            print("told to go", flush=True)
            os._exit(3)
        if self.path == "/hang":
            Handler.hangs = True
        while Handler.hangs:
            time.sleep(1)
        if self.path == "/eat":
            threading.Thread(target=eat).start()
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        print("visited", self.path, flush=True)

def eat():
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (8 << 20)))

print("awake", flush=True)
time.sleep(float(os.environ.get("DELAY", "0")))
if os.environ.get("HUNGRY"):
    eat()
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

pub fn path(id: &str, rest: &str) -> String {
    format!("/api/v2/generations/{id}/preview{rest}")
}

pub async fn put(client: &Client, id: &str, body: &Value) {
    let put = client.put(&format!("/api/v2/generations/{id}"), body).await;
    assert!(put.status == 201 || put.status == 200, "{put:?}");
}

/// Stores a generation and launches it, waiting until it is healthy.
pub async fn up(client: &Client, id: &str, body: &Value) -> Value {
    put(client, id, body).await;
    let launched = launch_with(client, id, json!({ "wait": true })).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    launched.json()
}

pub async fn launch_with(client: &Client, id: &str, body: Value) -> Answer {
    client.post(&path(id, "/launch"), &body).await
}

/// Launches without waiting.
pub async fn begin(client: &Client, id: &str) -> Value {
    let launched = launch_with(client, id, json!({})).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    launched.json()
}

pub async fn status(client: &Client, id: &str) -> Value {
    let status = client.get(&path(id, "/status")).await;
    assert_eq!(status.status, 200, "{status:?}");
    status.json()
}

/// The status once it is this word.
pub async fn once(client: &Client, id: &str, word: &str) -> Value {
    until(60, || async { Some(status(client, id).await).filter(|status| status["status"] == word) }).await
}

pub async fn stop(client: &Client, id: &str) {
    let stopped = client.delete(&path(id, "")).await;
    assert_eq!(stopped.status, 204, "{stopped:?}");
}

/// For the preview's own port.
pub fn visitor(launched: &Value) -> Client {
    Client::to(text(launched, "baseUrl"))
}

pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

/// Nobody listens on the preview's port any more.
pub async fn assert_port_closed(base_url: &str) {
    let address = base_url.strip_prefix("http://").expect("a URL");
    let dialled = tokio::net::TcpStream::connect(address).await;
    assert!(dialled.is_err(), "{base_url} is still served");
}

/// Whether a process of this host was started with these words. The engine's build steps and
/// containers are such processes.
pub fn runs(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("a /proc").flatten();
    let command = |dir: std::fs::DirEntry| std::fs::read(dir.path().join("cmdline")).ok();
    processes.filter_map(command).any(|line| {
        let line: String = String::from_utf8_lossy(&line).replace('\0', " ");
        line.trim_end() == words
    })
}
