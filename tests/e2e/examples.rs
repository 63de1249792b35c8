//! Every example is launched and used through its port.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::app::{TestApp, launch_example, until};
use crate::http::Client;
use crate::scene::{path, status, text, up, visitor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastapi_notes() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "fastapi-notes", "notes").await;
    assert_eq!(launched["status"], "launched");
    let notes = visitor(&launched);
    let home = notes.get("/").await;
    assert_eq!((home.status, home.json()["app"].as_str()), (200, Some("fastapi-notes")));
    let written = notes.clone().header("content-type", "application/json");
    let written = written.post("/notes", &json!({ "title": "tide", "text": "high at noon" })).await;
    assert_eq!((written.status, written.json()["id"].as_u64()), (201, Some(1)), "{written:?}");
    assert_eq!(notes.get("/notes/1").await.json()["text"], "high at noon");
    assert_eq!(notes.get("/notes/2").await.status, 404);
    uploads(&notes).await;
    streamed(&notes).await;
    echoes(&launched).await;
    let docs = notes.get("/openapi.json").await;
    assert_eq!(docs.json()["info"]["title"], "Notes");
    let seen = ann.get(&path("notes", "/endpoints")).await.json();
    let found = |method: &str, route: &str| {
        let all = seen["endpoints"].as_array().expect("a list");
        all.iter().any(|endpoint| endpoint["method"] == method && endpoint["path"] == route)
    };
    assert!(found("GET", "/notes/{note_id}") && found("PUT", "/upload"), "{seen}");
    app.finish().await;
}

/// A form, and a plain body larger than any buffer on the way.
async fn uploads(notes: &Client) {
    let form = "--tide\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                Content-Type: text/plain\r\n\r\nhello\r\n--tide--\r\n";
    let as_form = notes.clone().header("content-type", "multipart/form-data; boundary=tide");
    let counted = as_form.send(Method::POST, "/upload", form).await;
    assert_eq!(counted.json(), json!({ "name": "a.txt", "size": 5 }), "{counted:?}");
    let counted = notes.send(Method::PUT, "/upload", vec![b'x'; 6_000_000]).await;
    assert_eq!(counted.json()["size"], 6_000_000);
}

/// Four ticks with 0.3 s between them: an answer that was collected first would come at once.
async fn streamed(notes: &Client) {
    let answer = notes.open(Method::GET, "/events?count=4&interval=0.3", Bytes::new()).await;
    let mut body = answer.expect("an answer").into_body();
    let mut arrived = Vec::new();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.expect("a whole answer").data_ref() {
            arrived.push(Instant::now());
            text.push_str(std::str::from_utf8(data).expect("UTF-8"));
        }
    }
    assert!(text.contains("data: 1\n") && text.contains("data: 4\n"), "{text}");
    let (first, last) = (arrived[0], arrived[arrived.len() - 1]);
    assert!(last - first > Duration::from_millis(500), "all came within {:?}", last - first);
}

async fn echoes(launched: &Value) {
    let mut socket = dial(launched, "/ws").await;
    for message in [Message::text("hello"), Message::binary(vec![0, 255, 7])] {
        socket.send(message.clone()).await.expect("sent");
        assert_eq!(heard(&mut socket).await, message);
    }
    socket.close(None).await.expect("closed");
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn dial(launched: &Value, path: &str) -> Socket {
    let address = text(launched, "baseUrl").replacen("http", "ws", 1);
    connect_async(format!("{address}{path}")).await.expect("a WebSocket").0
}

async fn heard(socket: &mut Socket) -> Message {
    let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
    message.expect("a message in time").expect("an open socket").expect("a message")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flask_todo() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "flask-todo", "todo").await;
    let todo = visitor(&launched);
    let home = todo.get("/").await;
    assert!(home.text().contains("<li>nothing</li>"), "{home:?}");
    let client = todo.clone().header("content-type", "application/json");
    let added = client.post("/api/todos", &json!({ "title": "buy rope" })).await;
    assert_eq!((added.status, added.json()["done"].as_bool()), (201, Some(false)), "{added:?}");
    let done = client.send(Method::PATCH, "/api/todos/1", "{}").await;
    assert_eq!(done.json()["done"], true);
    assert!(todo.get("/").await.text().contains("✓ buy rope"));
    assert_eq!(todo.delete("/api/todos/1").await.status, 204);
    assert_eq!(todo.get("/api/todos").await.json(), json!([]));
    assert_eq!(client.post("/api/todos", &json!({})).await.status, 400);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_chat() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "express-chat", "chat").await;
    let chat = visitor(&launched);
    let home = chat.get("/").await;
    assert!(home.text().contains("new WebSocket"), "{home:?}");
    let (mut one, mut two) = (dial(&launched, "/ws").await, dial(&launched, "/ws").await);
    one.send(Message::text("ahoy")).await.expect("sent");
    for socket in [&mut one, &mut two] {
        let said: Value = serde_json::from_str(heard(socket).await.to_text().expect("text")).expect("JSON");
        assert_eq!(said["text"], "ahoy");
    }
    let client = chat.clone().header("content-type", "application/json");
    assert_eq!(client.post("/api/messages", &json!({ "text": "land" })).await.status, 201);
    assert!(heard(&mut two).await.to_text().expect("text").contains("land"));
    let history = chat.get("/api/messages").await.json();
    assert_eq!((history[0]["text"].as_str(), history[1]["text"].as_str()), (Some("ahoy"), Some("land")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn static_site() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "static-site", "site").await;
    let site = visitor(&launched);
    for (path, kind, content) in [
        ("/", "text/html", "<h1>Tide table</h1>"),
        ("/css/site.css", "text/css", "#0b5c7a"),
        ("/js/site.js", "application/javascript", "const PERIOD"),
    ] {
        let answer = site.get(path).await;
        let said = answer.headers["content-type"].to_str().expect("text");
        assert!(answer.status == 200 && said.starts_with(kind), "{path}: {answer:?}");
        assert!(answer.text().contains(content), "{path}: {answer:?}");
    }
    let missing = site.get("/nowhere").await;
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("Low water"), "{missing:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_dockerfile_and_the_count_of_its_requests() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let launched = launch_example(&ann, "own-dockerfile", "own").await;
    let own = visitor(&launched);
    let before = status(&ann, "own").await["performance"].clone();
    assert_eq!((&before["requestCount"], &before["errorCount"]), (&json!(0), &json!(0)), "{before}");
    let home = own.get("/").await.json();
    assert_eq!((home["app"].as_str(), home["uid"].as_u64()), (Some("own-dockerfile"), Some(10001)));
    assert_eq!(own.get("/nowhere").await.status, 404);
    // The server knows no POST, and says so with 501.
    assert_eq!(own.post("/", &json!({})).await.status, 501);
    let counted = until(10, || async {
        let now = status(&ann, "own").await["performance"].clone();
        (now["requestCount"] == 3).then_some(now)
    });
    let counted = counted.await;
    assert_eq!(counted["errorCount"], 1, "{counted}");
    assert!(counted["avgResponseTime"].as_f64() > Some(0.0), "{counted}");
    let series = app.stranger().get("/metrics").await.text();
    let id = text(&launched, "previewInstanceId");
    let line = format!("preview_requests_total{{preview=\"{id}\",result=\"error\"}} 1");
    assert!(series.contains(&line), "{series}");
    app.finish().await;
}

/// The bytes of the smallest GIF: no UTF-8.
const DOT: &str = "R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_through_the_api_need_the_preview_token() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    let site = json!({ "files": {
        "index.html": "<p>dots</p>",
        "dot.gif": { "content": DOT, "encoding": "base64" },
    } });
    let launched = up(&ann, "dots", &site).await;
    let request = path("dots", "/request");
    let ask = json!({ "method": "GET", "path": "/index.html", "query": { "a": "b c" } });
    let without = ann.post(&request, &ask).await;
    assert_eq!((without.status, without.json()["code"].as_str()), (401, Some("preview_token_invalid")));
    let wrong = ann.clone().header("x-preview-token", "pvt_wrong").post(&request, &ask).await;
    assert_eq!(wrong.status, 401);
    let token = text(&launched, "previewToken");
    let alone = app.stranger().header("x-preview-token", token).post(&request, &ask).await;
    assert_eq!(alone.status, 401, "the preview token does not stand for the bearer's");
    let bob = app.user("bob").header("x-preview-token", token).post(&request, &ask).await;
    assert_eq!(bob.status, 403);
    let platform = ann.clone().header("x-preview-token", token);
    let answer = platform.post(&request, &ask).await.json();
    assert_eq!((answer["statusCode"].as_u64(), answer["bodyEncoding"].as_str()), (Some(200), Some("utf-8")));
    assert_eq!(answer["body"], "<p>dots</p>");
    let dot = platform.post(&request, &json!({ "path": "/dot.gif" })).await.json();
    assert_eq!((dot["bodyEncoding"].as_str(), dot["body"].as_str()), (Some("base64"), Some(DOT)));
    assert_eq!(dot["headers"]["content-type"], "image/gif");
    let bad = platform.post(&request, &json!({ "path": "no slash" })).await;
    assert_eq!((bad.status, bad.json()["field"].as_str()), (422, Some("path")));
    app.finish().await;
}
