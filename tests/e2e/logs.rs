//! A preview's log, as those who watch it see it: one story, live and afterwards.

use std::io::Read as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::app::{TestApp, until};
use crate::http::Client;
use crate::scene::{OBEDIENT, path, python, stop, text, up, visitor};
use crate::socket::Socket;

/// Prints what is hard to print well, then serves; `/flood?N` prints numbered lines.
const TALKATIVE: &str = r#"
import http.server, os, sys, threading

print("first line of all", flush=True)
sys.stdout.buffer.write(b"\x1b[31mred\x1b[0m and broken \xff\xfe\n")
sys.stdout.buffer.write(b"10%\r50%\r100%\n")
sys.stdout.buffer.write(b"x" * 200000 + b"\n")
sys.stdout.flush()
print("the key is " + os.environ["API_KEY"], flush=True)
print("at postgres://me:" + "hunter-22" + "@db/app", flush=True)
print('{"level":"warning","msg":"json","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}', flush=True)
try:
    {}["missing"]
except KeyError:
    import traceback
    traceback.print_exc()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/flood/"):
            count = int(self.path.rsplit("/", 1)[1])
            threading.Thread(target=flood, args=(count,)).start()
        self.send_response(200 if self.path != "/missing" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, form, *args):
        pass

def flood(count):
    for i in range(count):
        sys.stdout.write(f"numbered {i:06}\n")
    print("flood over", flush=True)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"#;

fn talkative() -> Value {
    let mut generation = python(TALKATIVE);
    generation["metadata"] = json!({ "environment": { "API_KEY": "0123456789-secret" } });
    generation
}

async fn lines(client: &Client, id: &str, query: &str) -> Vec<Value> {
    let answer = client.get(&path(id, &format!("/logs?{query}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["logs"].as_array().expect("a list").clone()
}

fn seqs(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["seq"].as_u64().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_tells_the_story_and_does_what_it_is_told() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "obedient", &python(OBEDIENT)).await;
    let token = text(&launched, "previewToken");
    let logs = path("obedient", "/logs");
    let mut socket = Socket::open(app.address, &format!("{logs}?token={token}&buffer=1000")).await;
    let state = socket.next_of("state").await;
    assert_eq!(state["status"], "healthy");
    // One story, without a hole, from the launch to the first answer and the app's first words.
    let mut story = vec![socket.next_of("log").await];
    let tells = |story: &[Value], what: &str| story.iter().any(|line| line["message"] == what);
    while !tells(&story, "healthy") || !tells(&story, "awake") {
        story.push(socket.next_of("log").await);
    }
    assert_eq!(seqs(&story), (1..=story.len() as u64).collect::<Vec<_>>());
    assert!(story.iter().any(|line| line["source"] == "startup"), "{story:#?}");

    assert_eq!(
        visitor(&launched)
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .get("/hello")
            .await
            .status,
        200
    );
    // The app's words and the proxy's come by different ways, in either order.
    let mut heard = Vec::new();
    let find = |heard: &[Value], words: &str| {
        heard.iter().find(|line| text(line, "message").contains(words)).cloned()
    };
    let (said, request) = loop {
        heard.push(socket.next_of("log").await);
        if let (Some(said), Some(request)) = (find(&heard, "visited /hello"), find(&heard, "GET /hello 200"))
        {
            break (said, request);
        }
    };
    assert_eq!(said["source"], "app");
    assert_eq!(request["source"], "request");
    assert_eq!(request["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let data = &request["metadata"];
    assert_eq!(
        (&data["method"], &data["path"], &data["statusCode"]),
        (&json!("GET"), &json!("/hello"), &json!(200))
    );
    assert!(data["duration"].as_f64().is_some_and(|ms| ms > 0.0), "{request}");

    // Another filter goes on where it was.
    socket.send(r#"{"action":"subscribe","filters":{"source":["request"],"search":"SECOND"}}"#).await;
    socket.send(r#"{"action":"ping"}"#).await;
    socket.next_of("pong").await;
    visitor(&launched).get("/first").await;
    visitor(&launched).get("/second").await;
    let only = socket.next_of("log").await;
    assert!(text(&only, "message").starts_with("GET /second 200"), "{only}");
    socket.send(r#"{"action":"unsubscribe"}"#).await;
    socket.send(r#"{"action":"subscribe","filters":{"levle":"INFO"}}"#).await;
    assert_eq!(socket.next_of("error").await["code"], "invalid");
    visitor(&launched).get("/unseen").await;
    socket.send(r#"{"action":"ping"}"#).await;
    while let Some(message) = socket.next().await {
        assert_ne!(message["type"], "log", "it is not subscribed");
        if message["type"] == "pong" {
            break;
        }
    }

    // Resumed, it goes on with the next line, and the owner's token is as good as the preview's.
    let bearer = [("authorization", format!("Bearer {}", app.token("ann")))];
    let since = said["seq"].as_u64().expect("a number");
    let mut resumed =
        Socket::try_open(app.address, &format!("{logs}?since={since}"), &bearer).await.expect("opens");
    assert_eq!(resumed.next_of("log").await["seq"], since + 1);
    stop(&ann, "obedient").await;
    let rest = resumed.rest().await;
    assert!(
        rest.iter().any(|message| message["type"] == "state" && message["status"] == "stopped"),
        "{rest:#?}"
    );
    assert_eq!(resumed.closed, Some(1000));
    // Its lines stay, and the token goes.
    let late = Socket::try_open(app.address, &format!("{logs}?token={token}"), &[]).await;
    assert_eq!(late.err(), Some(401));
    let mut ended = Socket::try_open(app.address, &format!("{logs}?since=0"), &bearer).await.expect("opens");
    let all = ended.rest().await;
    let told: Vec<_> = all.into_iter().filter(|message| message["type"] == "log").collect();
    assert_eq!(seqs(&told), (1..=told.len() as u64).collect::<Vec<_>>());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_for_who_may_and_closes_on_nonsense_with_the_right_code() {
    let app = TestApp::with(vec![("CORS_ORIGINS", "https://ide.example.org".to_owned())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "guarded", &python(OBEDIENT)).await;
    let logs = path("guarded", "/logs");
    let good = format!("{logs}?token={}", text(&launched, "previewToken"));
    let open = async |path: &str, headers: Vec<(&'static str, String)>| {
        Socket::try_open(app.address, path, &headers).await.err()
    };
    assert_eq!(open(&logs, vec![]).await, Some(401));
    assert_eq!(open(&format!("{logs}?token=pvt_wrong"), vec![]).await, Some(401));
    let bob = format!("Bearer {}", app.token("bob"));
    assert_eq!(open(&logs, vec![("authorization", bob)]).await, Some(403));
    assert_eq!(open(&format!("{good}&buffer=1001"), vec![]).await, Some(422));
    assert_eq!(open(&format!("{good}&levle=INFO"), vec![]).await, Some(422));
    assert_eq!(
        open(&path("other", &format!("/logs?{}", good.split_once('?').expect("a query").1)), vec![]).await,
        Some(401)
    );
    assert_eq!(open(&good, vec![("origin", "https://evil.example.org".to_owned())]).await, Some(403));
    assert_eq!(open(&good, vec![("origin", "https://ide.example.org".to_owned())]).await, None);
    assert_eq!(open(&good, vec![("origin", format!("http://{}", app.address))]).await, None);
    // The token opens the socket and nothing else.
    let elsewhere = app.stranger().get(&good).await;
    assert_eq!(elsewhere.status, 401, "{elsewhere:?}");

    let nonsense = [(Message::binary(vec![1_u8]), 1003), (Message::text("x".repeat(20_000)), 1009)];
    for (message, code) in nonsense {
        let mut socket = Socket::open(app.address, &good).await;
        socket.send_raw(message).await;
        socket.rest().await;
        assert_eq!(socket.closed, Some(code));
    }
    let mut chatty = Socket::open(app.address, &good).await;
    for _ in 0..30 {
        chatty.send("nonsense").await;
    }
    chatty.rest().await;
    assert_eq!(chatty.closed, Some(1008));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_printed_comes_out_well_formed_and_without_secrets() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    up(&ann, "talkative", &talkative()).await;
    // The last it prints before it serves.
    until(20, || async { lines(&ann, "talkative", "search=Traceback").await.pop() }).await;
    let all = lines(&ann, "talkative", "limit=1000").await;
    assert_eq!(seqs(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    let said: Vec<_> = all.iter().filter(|line| line["source"] == "app").collect();
    let messages: Vec<_> = said.iter().map(|line| text(line, "message")).collect();
    assert_eq!(messages[0], "first line of all");
    assert_eq!(messages[1], "red and broken \u{fffd}\u{fffd}");
    assert_eq!(messages[2], "100%");
    let is_long = |message: &&&str| message.chars().all(|c| matches!(c, 'x' | '…'));
    let long: String = messages[3..].iter().take_while(is_long).map(|line| line.replace('…', "")).collect();
    assert_eq!(long.len(), 200_000);
    assert!(messages.iter().all(|message| message.chars().count() <= 2000));
    assert!(messages.contains(&"the key is [masked]"), "{messages:?}");
    assert!(messages.contains(&"at postgres://me:[masked]@db/app"));
    let json = said.iter().find(|line| text(line, "message").starts_with('{')).expect("the JSON line");
    assert_eq!(
        (&json["level"], &json["traceId"]),
        (&json!("WARNING"), &json!("4bf92f3577b34da6a3ce929d0e0e4736"))
    );
    let traceback = said.iter().find(|line| text(line, "message").contains("Traceback")).expect("one");
    assert_eq!(traceback["level"], "ERROR");
    assert!(text(traceback, "message").ends_with("KeyError: 'missing'"), "it stays together: {traceback}");
    let everything = ann.get(&path("talkative", "/logs?limit=1000")).await.text();
    assert!(!everything.contains("0123456789-secret") && !everything.contains("hunter-22"));
    let errors = lines(&ann, "talkative", "level=ERROR&source=app,error").await;
    assert_eq!(errors.len(), 1, "{errors:#?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_viewers_of_a_flood_nine_miss_nothing_and_the_stalled_one_is_told_what() {
    const LINES: usize = 300_000;
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = up(&ann, "flood", &talkative()).await;
    let token = text(&launched, "previewToken");
    let address = format!("{}?token={token}&source=app&buffer=0&frames=many", path("flood", "/logs"));
    let mut readers = Vec::new();
    for _ in 0..9 {
        let mut socket = Socket::open(app.address, &address).await;
        readers.push(tokio::spawn(async move {
            let mut next = 0;
            loop {
                let frame = socket.frame().await.expect("it goes on");
                for message in frame.lines() {
                    assert!(!message.contains("\"dropped\""), "after {next}: {message}");
                    if message.contains("flood over") {
                        return next;
                    }
                    if message.contains("\"numbered ") {
                        assert!(
                            message.contains(&format!("\"numbered {next:06}\"")),
                            "{next} was next: {message}"
                        );
                        next += 1;
                    }
                }
            }
        }));
    }
    let mut stalled = Socket::open(app.address, &address).await;
    visitor(&launched).get(&format!("/flood/{LINES}")).await;
    for reader in readers {
        let read = tokio::time::timeout(Duration::from_secs(240), reader).await.expect("in time");
        assert_eq!(read.expect("complete and in order"), LINES);
    }
    // Only now it reads: what it gets and what it is told it lost are all there was.
    let (mut seen, mut lost, mut last) = (0, 0, None::<u64>);
    'reading: loop {
        let frame = stalled.frame().await.expect("it goes on");
        for message in frame.lines() {
            let message: Value = serde_json::from_str(message).expect("JSON");
            let (from, to) = match message["type"].as_str() {
                Some("log") => (message["seq"].as_u64(), message["seq"].as_u64()),
                Some("dropped") => (message["fromSeq"].as_u64(), message["toSeq"].as_u64()),
                _ => continue,
            };
            let (from, to) = from.zip(to).expect("numbers");
            // The request for the flood is a line of another source, and filtered out.
            assert!(last.is_none_or(|last| from > last && from <= last + 2), "{last:?} then {message}");
            last = Some(to);
            if message["type"] == "dropped" {
                assert_eq!(message["count"].as_u64(), Some(to - from + 1));
                lost += to - from + 1;
            } else if text(&message, "message").starts_with("numbered") {
                seen += 1;
            } else if message["message"] == "flood over" {
                break 'reading;
            }
        }
    }
    assert!(lost > 0, "it was stalled");
    let all = lost + seen;
    assert!((LINES as u64..=LINES as u64 + 1).contains(&all), "{seen} seen, {lost} lost");
    // What is kept is the newest of it.
    let kept = lines(&ann, "flood", "source=app&limit=1000").await;
    assert_eq!(kept.last().map(|line| text(line, "message")), Some("flood over"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_kept_after_the_end_and_a_restart_found_and_exported() {
    kept_and_found("database").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_in_files_are_kept_after_the_end_and_a_restart_found_and_exported() {
    kept_and_found("file").await;
}

async fn kept_and_found(backend: &str) {
    let mut app = TestApp::with(vec![("PREVIEW_LOG_BACKEND", backend.to_owned())]).await;
    let ann = app.user("ann");
    let launched = up(&ann, "kept", &talkative()).await;
    visitor(&launched).get("/flood/3000").await;
    visitor(&launched).get("/missing").await;
    until(20, || async { (!lines(&ann, "kept", "search=flood+over").await.is_empty()).then_some(()) }).await;
    stop(&ann, "kept").await;
    let before = lines(&ann, "kept", "limit=1000").await;
    app.shutdown().await;
    app.boot().await;
    let ann = app.user("ann");
    assert_eq!(lines(&ann, "kept", "limit=1000").await, before, "the same, line for line");

    // All of it, page by page, forwards and backwards.
    let last = *seqs(&before).last().expect("lines");
    let (mut forwards, mut cursor) = (Vec::new(), 0);
    while cursor < last {
        let page = seqs(&lines(&ann, "kept", &format!("limit=700&cursor={cursor}")).await);
        cursor = *page.last().expect("more");
        forwards.extend(page);
    }
    assert_eq!(forwards, (1..=last).collect::<Vec<_>>());
    let back = seqs(&lines(&ann, "kept", "limit=10&before=500").await);
    assert_eq!(back, (490..500).collect::<Vec<_>>());
    let found = lines(&ann, "kept", "search=NUMBERED+002999&source=app").await;
    assert_eq!(found.len(), 1);
    let missing = lines(&ann, "kept", "source=request&level=WARNING").await;
    assert_eq!(missing.len(), 1, "{missing:#?}");

    let export = async |query: &str| ann.get(&path("kept", &format!("/logs/export?{query}"))).await;
    let json = export("format=json").await;
    assert_eq!(json.headers["content-type"], "application/json");
    let array: Vec<Value> = serde_json::from_slice(&json.body).expect("an array");
    assert_eq!(seqs(&array), forwards);
    let csv = export("format=csv&search=numbered").await.text();
    assert_eq!(csv.lines().count(), 3001);
    assert!(csv.lines().nth(1).expect("a row").ends_with(",INFO,app,numbered 000000,,"), "{csv:.300}");
    let gzip = export("format=gzip&level=WARNING").await;
    assert_eq!(gzip.headers["content-type"], "application/gzip");
    assert!(gzip.headers["content-disposition"].to_str().expect("text").contains("kept-logs.json.gz"));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut unpacked).expect("whole");
    let severe: Vec<Value> = serde_json::from_str(&unpacked).expect("an array");
    assert!(
        !severe.is_empty() && severe.iter().all(|line| ["WARNING", "ERROR"].contains(&text(line, "level")))
    );
    assert_eq!(export("format=xml").await.status, 422);
    let theirs = app.user("bob").get(&path("kept", "/logs/export")).await;
    assert_eq!(theirs.status, 403);
    app.finish().await;
}
