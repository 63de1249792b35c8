//! What a line of log costs on its way to those who watch, beside `docker logs -f`.

mod fanout;
mod latency;
mod throughput;
mod viewer;

pub use fanout::measure as fanout;
pub use latency::measure as latency;
pub use throughput::measure as throughput;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::docker;

/// An app that prints what it is told to: `/tick/MS` a line with its time every so many
/// milliseconds, `/flood/N` numbered lines as fast as it can, and how long that took.
const APP: &str = r#"
import http.server, sys, threading, time

def tick(pause):
    while True:
        print(f"tick {time.time_ns()}", flush=True)
        time.sleep(pause)

def flood(count):
    begun = time.time()
    for i in range(count):
        sys.stdout.write(f"numbered {i:06}\n")
    print(f"over after {time.time() - begun}", flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        parts = self.path.split("/")
        if parts[1] == "tick":
            threading.Thread(target=tick, args=(int(parts[2]) / 1000,), daemon=True).start()
        if parts[1] == "flood":
            threading.Thread(target=flood, args=(int(parts[2]),), daemon=True).start()
        body = b"GENERATION"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, form, *args):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

fn app(generation: &str) -> Value {
    let dockerfile = "FROM python:3.11-slim\nWORKDIR /app\nCOPY main.py .\nCMD [\"python\", \"main.py\"]\n";
    let program = APP.replace("GENERATION", generation);
    json!({ "metadata": { "port": 8000 }, "files": { "Dockerfile": dockerfile, "main.py": program } })
}

/// A preview of the app, and its token.
async fn launched(daemon: &Daemon, generation: &str) -> anyhow::Result<(SocketAddr, String)> {
    daemon.put(generation, &app(generation)).await?;
    // The image itself is compared, not the environment it may share with others.
    daemon.image(generation).await?;
    let address = daemon.launch_and_wait(generation).await?;
    Ok((address, daemon.preview_token(generation).await?))
}

/// The id of a preview's container.
fn container(generation: &str) -> anyhow::Result<String> {
    docker::container_of(&format!("previewd.generation={generation}"))
}

/// How long ago a `tick` was printed.
fn age_of(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once("tick ")?;
    let digits = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
    let printed = Duration::from_nanos(digits.parse().ok()?);
    SystemTime::now().duration_since(UNIX_EPOCH).ok()?.checked_sub(printed)
}

/// The number of a flood's line.
fn number_of(line: &str) -> Option<usize> {
    behind(line, "numbered ")?.get(..6)?.parse().ok()
}

/// What follows a word. Who reads three million lines on the cores of those that send them must not
/// take much of these.
fn behind<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let at = memchr::memmem::find(line.as_bytes(), word.as_bytes())?;
    line.get(at + word.len()..)
}
