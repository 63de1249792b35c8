//! Previews that nobody uses: asleep until the next visitor, or ended.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::app::{TestApp, until};
use crate::scene::{OBEDIENT, once, page, path, put, python, status, stop, text, up, visitor};

/// A daemon whose previews fall asleep as soon as nobody looks.
async fn drowsy() -> TestApp {
    TestApp::tuned(vec![], |config| {
        config.orchestrator.idle_pause = Some(Duration::from_millis(400));
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_preview_sleeps_and_its_next_visitor_wakes_it() {
    let app = drowsy().await;
    let ann = app.user("ann");
    let launched = up(&ann, "drowsy", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    let asleep = once(&ann, "drowsy", "paused").await;
    assert_eq!((&asleep["pausedBy"], &asleep["containerStatus"]), (&json!("idleness"), &json!("paused")));
    // Many visitors at once, and all are served by the process that slept.
    let (visits, address, request) = (visitor(&launched), path("drowsy", "/request"), json!({ "path": "/" }));
    let owner = ann.clone().header("x-preview-token", text(&launched, "previewToken"));
    let (one, two, three) = tokio::join!(visits.get("/"), visits.get("/"), owner.post(&address, &request));
    assert_eq!((one.text(), two.text()), (pid.clone(), pid.clone()));
    assert_eq!((three.status, text(&three.json(), "body")), (200, &*pid));
    assert_eq!(status(&ann, "drowsy").await["status"], "healthy");
    // It sleeps again, and can be woken, held, restarted and stopped by its owner.
    once(&ann, "drowsy", "paused").await;
    let ask = |what: &'static str| {
        let ann = ann.clone();
        async move { ann.post(&path("drowsy", what), &json!({})).await.status }
    };
    assert_eq!(ask("/resume").await, 202);
    once(&ann, "drowsy", "paused").await;
    assert_eq!(ask("/pause").await, 202);
    assert_eq!(status(&ann, "drowsy").await["pausedBy"], "request");
    assert_eq!(visitor(&launched).get("/").await.status, 503, "a pause that was asked for lasts");
    assert_eq!(ask("/restart").await, 202);
    once(&ann, "drowsy", "healthy").await;
    once(&ann, "drowsy", "paused").await;
    stop(&ann, "drowsy").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeping_preview_sleeps_on_through_a_restart_of_the_daemon() {
    let mut app = drowsy().await;
    let launched = up(&app.user("ann"), "drowsy", &python(OBEDIENT)).await;
    let pid = visitor(&launched).get("/").await.text();
    once(&app.user("ann"), "drowsy", "paused").await;
    app.shutdown().await;
    app.boot().await;
    let visits = visitor(&launched);
    let woken = until(20, || async { visits.try_send(hyper::Method::GET, "/", "").await.ok() });
    assert_eq!(woken.await.text(), pid);
    app.finish().await;
}

/// Waits on its WebSocket for a line and says it again.
const ECHO: &str = r#"
import asyncio, base64, hashlib

async def answer(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "Upgrade: websocket" not in head and "upgrade: websocket" not in head:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return writer.close()
    key = next(line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while True:
        first, second = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(second & 127)))
        writer.write(bytes([0x81, len(body)]) + body)

async def main():
    server = await asyncio.start_server(answer, "0.0.0.0", 8000)
    await server.serve_forever()

asyncio.run(main())
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_websocket_keeps_a_preview_awake_and_a_new_one_wakes_it() {
    let app = drowsy().await;
    let ann = app.user("ann");
    let launched = up(&ann, "talker", &python(ECHO)).await;
    once(&ann, "talker", "paused").await;
    let address = text(&launched, "baseUrl").replacen("http", "ws", 1);
    let (mut socket, _) = tokio_tungstenite::connect_async(&address).await.expect("woken for a WebSocket");
    let mut say = async |words: &'static str| {
        socket.send(Message::text(words)).await.expect("sent");
        socket.next().await.expect("an answer").expect("a message").into_text().expect("text").to_string()
    };
    assert_eq!(say("hello").await, "hello");
    // Silent for longer than it takes to fall asleep; time is what this is about.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_ne!(status(&ann, "talker").await["status"], "paused");
    assert_eq!(say("still there").await, "still there");
    drop(socket);
    once(&ann, "talker", "paused").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_the_first_api_ends_when_nobody_comes() {
    let app = TestApp::tuned(vec![], |config| config.api.v1_idle = Duration::from_secs(2)).await;
    let ann = app.user("ann");
    put(&ann, "old", &page("first API")).await;
    let launched = ann.post("/api/v1/generations/old/preview/launch", &json!({})).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let running = || async {
        let status = ann.get("/api/v1/generations/old/preview/status").await.json();
        (status["status"] == "running").then_some(())
    };
    until(60, running).await;
    let visits = visitor(&json!({ "baseUrl": launched.json()["base_url"] }));
    for _ in 0..8 {
        assert_eq!(visits.get("/").await.status, 200, "visits keep it");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    once(&ann, "old", "stopped").await;
    let trail = ann.get(&path("old", "/events?limit=100")).await.json();
    let last = trail["events"].as_array().and_then(|all| all.last()).expect("an event").clone();
    assert_eq!((&last["eventType"], &last["data"]["reason"]), (&json!("expired"), &json!("idle")), "{trail}");
    app.finish().await;
}
