//! Apps of each family, built and used: Django, a compiled Node server, Go, and pages with a
//! server behind one port.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::Method;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::app::{TestApp, launch_example};
use crate::scene::{text, visitor};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What stands between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split(end).next().unwrap_or_default()
}

/// Its settings allow no host, and production Django serves no static files: here it does both,
/// and accepts its own forms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn django_polls() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "django-polls", "polls").await;
    let polls = visitor(&launched);
    let home = polls.get("/").await;
    assert_eq!(home.status, 200, "{home:?}");
    let page = home.text();
    assert!(page.contains("ebb: 0"), "{page}");
    let style = polls.get(between(&page, "href=\"", "\"")).await;
    assert!(style.status == 200 && style.text().contains("#0b5c7a"), "{style:?}");
    let cookie = home.headers["set-cookie"].to_str().expect("text");
    let form =
        format!("csrfmiddlewaretoken={}", between(&page, "name=\"csrfmiddlewaretoken\" value=\"", "\""));
    let voter = polls.clone().header("cookie", cookie.split(';').next().expect("a cookie"));
    let voter = voter.header("origin", text(&launched, "baseUrl"));
    let voter = voter.header("content-type", "application/x-www-form-urlencoded");
    let voted = voter.send(Method::POST, "/vote/ebb/", form).await;
    assert_eq!(voted.status, 302, "{voted:?}");
    assert!(polls.get("/").await.text().contains("ebb: 1"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastify_in_typescript() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "fastify-quotes", "quotes").await;
    let quotes = visitor(&launched);
    assert_eq!(quotes.get("/").await.json(), json!({ "app": "fastify-quotes", "quotes": 1 }));
    let client = quotes.clone().header("content-type", "application/json");
    let added = client.post("/quotes", &json!({ "text": "Ebb and flow." })).await;
    assert_eq!((added.status, added.json()["id"].as_u64()), (201, Some(2)), "{added:?}");
    assert_eq!(quotes.get("/quotes/2").await.json()["text"], "Ebb and flow.");
    assert_eq!(quotes.get("/quotes/3").await.status, 404);
    app.finish().await;
}

/// Without a lockfile; what one visitor writes is in the page that the server makes for the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn next_guestbook() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "next-guestbook", "guests").await;
    let guests = visitor(&launched);
    let home = guests.get("/").await;
    assert!(home.status == 200 && home.text().contains("First here"), "{home:?}");
    let script = guests.get(&format!("/_next/{}", between(&home.text(), "src=\"/_next/", "\""))).await;
    assert_eq!(script.status, 200, "{script:?}");
    let client = guests.clone().header("content-type", "application/json");
    let added = client.post("/api/entries", &json!({ "text": "Ebb and flow" })).await;
    assert_eq!((added.status, added.json()["id"].as_u64()), (201, Some(2)), "{added:?}");
    assert!(guests.get("/").await.text().contains("Ebb and flow"));
    app.finish().await;
}

/// The development server finds its configuration in TypeScript and compiles what it is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vite_counter_in_development() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "vite-counter", "counter").await;
    let counter = visitor(&launched);
    let home = counter.clone().header("accept", "text/html").get("/").await;
    assert!(home.text().contains("/@vite/client"), "{home:?}");
    let script = counter.get("/src/main.ts").await.text();
    assert!(script.contains("/src/counter.ts") && !script.contains("HTMLButtonElement"), "{script}");
    app.finish().await;
}

/// The package it uses is built before it, by the manager the workspace names. Its pages, made on a
/// server of their own, ask it where the developer's was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pnpm_shop() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "pnpm-shop", "shop").await;
    let items = visitor(&launched).get("/api/items").await.json();
    assert_eq!(items, json!([{ "id": 1, "name": "Rope", "cents": 1250, "price": "€12.50" }]));
    let page = visitor(&launched).get("/").await.text();
    assert!(page.contains("Rope for €12.50"), "{page}");
    app.finish().await;
}

/// Each visitor of Flask-SocketIO holds a connection: more of them than a usual server has threads, on a
/// library that no usual server serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flask_lounge() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "flask-lounge", "lounge").await;
    let address = text(&launched, "baseUrl").replacen("http", "ws", 1);
    let mut guests = Vec::new();
    for _ in 0..8 {
        let address = format!("{address}/socket.io/?EIO=4&transport=websocket");
        let (mut guest, _) = connect_async(address).await.expect("a WebSocket");
        assert!(heard(&mut guest).await.starts_with("0{"), "engine.io opens");
        guest.send(Message::text("40")).await.expect("sent");
        assert!(heard(&mut guest).await.starts_with("40{"), "Socket.IO connects");
        guests.push(guest);
    }
    guests[0].send(Message::text(r#"420["say","ahoy"]"#)).await.expect("sent");
    for guest in &mut guests[1..] {
        assert_eq!(heard(guest).await, r#"42["said","ahoy"]"#);
    }
    assert_eq!(visitor(&launched).get("/").await.json(), json!({ "said": ["ahoy"] }));
    app.finish().await;
}

async fn heard(socket: &mut Socket) -> String {
    let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("soon");
    message.expect("open").expect("a message").into_text().expect("text").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_clock() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "go-clock", "clock").await;
    let clock = visitor(&launched);
    assert!(clock.get("/now").await.json()["now"].as_str().is_some_and(|now| now.ends_with('Z')));
    assert_eq!(clock.post("/sum", &json!([1, 2, 39])).await.json(), json!({ "sum": 42 }));
    assert_eq!(clock.post("/sum", &json!("no")).await.status, 400);
    app.finish().await;
}

/// Pages and API have one address; the developer's own is not in what was built.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_api_behind_one_port() {
    let app = TestApp::start().await;
    let launched = launch_example(&app.user("ann"), "full-stack-notes", "stack").await;
    let notes = visitor(&launched);
    let home = notes.get("/").await.text();
    assert!(home.contains("<h1>Notes</h1>"), "{home}");
    let script = notes.get(between(&home, "src=\"", "\"")).await;
    assert_eq!(script.status, 200, "{script:?}");
    assert!(script.text().contains("/api/notes") && !script.text().contains("localhost"), "{script:?}");
    let client = notes.clone().header("content-type", "application/json");
    assert_eq!(client.post("/api/notes", &json!({ "text": "spring tide" })).await.status, 201);
    assert_eq!(notes.get("/api/notes").await.json()[0]["text"], "spring tide");
    assert!(notes.get("/docs").await.text().contains("swagger"));
    // A browser that asks for a page the script knows gets it; a program gets the API's answer.
    let browser = notes.clone().header("accept", "text/html,*/*");
    assert!(browser.get("/notes/1").await.text().contains("<h1>Notes</h1>"));
    assert_eq!(notes.get("/notes/1").await.json(), json!({ "detail": "Not Found" }));
    let address = text(&launched, "baseUrl").replacen("http", "ws", 1);
    let (mut socket, _) = connect_async(format!("{address}/ws")).await.expect("a WebSocket");
    socket.send(Message::text("ahoy")).await.expect("sent");
    assert_eq!(socket.next().await.expect("open").expect("a message"), Message::text("ahoy"));
    app.finish().await;
}
