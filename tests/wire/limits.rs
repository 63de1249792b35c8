//! How much is let in: rates with their headers, heads and bodies that never end, answers nobody
//! takes.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{TestApp, until};
use crate::http::Answer;
use crate::refusal::refused;

fn number(answer: &Answer, header: &str) -> u64 {
    let value = answer.headers.get(header).unwrap_or_else(|| panic!("no {header}: {answer:?}"));
    value.to_str().expect("text").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_minute_is_counted_by_token_and_by_user_and_says_so() {
    let settings = vec![
        ("PREVIEW_TOKEN_RATE_PER_MINUTE", "4".to_owned()),
        ("PREVIEW_USER_RATE_PER_MINUTE", "6".to_owned()),
    ];
    let app = TestApp::with(settings).await;
    let ann = app.user("ann");
    let list = "/api/v2/generations";
    for left in [3, 2, 1, 0] {
        let answer = ann.get(list).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((number(&answer, "ratelimit-limit"), number(&answer, "ratelimit-remaining")), (4, left));
        assert_eq!(answer.headers["ratelimit-policy"], "4;w=60");
        assert!((1..=60).contains(&number(&answer, "ratelimit-reset")));
    }
    let over = ann.get(list).await;
    refused(&over, 429, "rate_limited");
    assert!((1..=15).contains(&number(&over, "retry-after")), "{over:?}");
    assert_eq!(number(&over, "ratelimit-remaining"), 0);
    // Another token of hers has its own minute, within hers. It must be another second's.
    let other = app.client("ann", previewd::api::auth::Role::User, previewd::domain::UserTier::Free);
    assert_eq!((other.get(list).await.status, other.get(list).await.status), (200, 200));
    refused(&other.get(list).await, 429, "rate_limited");
    assert_eq!(app.user("ben").get(list).await.status, 200, "nobody else pays for it");
    let waited = Duration::from_secs(number(&over, "retry-after"));
    assert!(waited <= Duration::from_secs(15));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_come_to_be_known_is_counted_by_address() {
    let app = TestApp::with(vec![("PREVIEW_ANONYMOUS_RATE_PER_MINUTE", "3".to_owned())]).await;
    let stranger = app.stranger();
    assert_eq!(stranger.get("/health").await.status, 200);
    refused(&stranger.get("/api/v2/generations").await, 401, "token_missing");
    refused(&stranger.clone().bearer("guess").get("/api/v2/generations").await, 401, "token_invalid");
    refused(&stranger.bearer("another").get("/api/v2/generations").await, 429, "rate_limited");
    assert_eq!(app.user("ann").get("/api/v2/generations").await.status, 200, "who is known goes on");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_head_and_half_a_body_are_waited_for_only_so_long() {
    let settings =
        vec![("PREVIEW_API_HEADER_TIMEOUT", "1".to_owned()), ("PREVIEW_API_BODY_TIMEOUT", "1".to_owned())];
    let app = TestApp::with(settings).await;
    let mut half_head = TcpStream::connect(app.address).await.expect("a connection");
    half_head.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-never").await.expect("sent");
    let mut silent = TcpStream::connect(app.address).await.expect("a connection");
    let token = app.token("ann");
    let mut half_body = TcpStream::connect(app.address).await.expect("a connection");
    let head = format!(
        "PUT /api/v2/generations/slow HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n{{"
    );
    half_body.write_all(head.as_bytes()).await.expect("sent");
    assert!(!ended(&mut half_head).await.contains("200 OK"));
    assert_eq!(ended(&mut silent).await, "");
    let told = ended(&mut half_body).await;
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("body_timeout"), "{told}");
    assert_eq!(app.user("ann").get("/api/v2/generations").await.status, 200, "others are served meanwhile");
    app.finish().await;
}

/// What is said on a connection until it ends.
async fn ended(socket: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let within = Duration::from_secs(20);
    tokio::time::timeout(within, socket.read_to_end(&mut said)).await.expect("it ends").ok();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_byte_by_byte_is_waited_for_only_so_long() {
    let app = TestApp::with(vec![("PREVIEW_API_BODY_DEADLINE", "1".to_owned())]).await;
    let token = app.token("ann");
    for kind in ["application/json", "multipart/form-data; boundary=XX"] {
        let head = format!(
            "PUT /api/v2/generations/slow HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\ncontent-length: 100000\r\n\r\n"
        );
        let mut socket = TcpStream::connect(app.address).await.expect("a connection");
        socket.write_all(head.as_bytes()).await.expect("sent");
        let (mut from, mut to) = socket.split();
        let trickle = async {
            while to.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut said = Vec::new();
        let heard = async {
            tokio::select! {
                _ = from.read_to_end(&mut said) => {}
                () = trickle => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.expect("it ends");
        let told = String::from_utf8_lossy(&said);
        assert!(told.starts_with("HTTP/1.1 408") && told.contains("body_timeout"), "{kind}: {told}");
    }
    app.finish().await;
}

/// An upload of so many bytes, of which none comes.
async fn begun(app: &TestApp, user: &str, bytes: usize) -> TcpStream {
    let token = app.token(user);
    let head = format!(
        "PUT /api/v2/generations/begun HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {bytes}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(app.address).await.expect("a connection");
    socket.write_all(head.as_bytes()).await.expect("sent");
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_do_not_come_hold_no_more_memory_than_their_users_part() {
    const MIB: usize = 1024 * 1024;
    let settings = vec![("PREVIEW_MAX_GENERATION_MB", "4".to_owned())];
    let tune = |config: &mut previewd::config::Config| {
        config.api.room.bytes = 24 * MIB;
        config.api.room.patience = Duration::from_millis(200);
    };
    let app = TestApp::tuned(settings, tune).await;
    let (ann, ben) = (app.user("ann"), app.user("ben"));
    // Her part is 6 MiB: whichever comes second is told so.
    let (mut one, mut two) = (begun(&app, "ann", 5 * MIB).await, begun(&app, "ann", 5 * MIB).await);
    let told = tokio::select! {
        told = ended(&mut one) => told,
        told = ended(&mut two) => told,
    };
    assert!(told.starts_with("HTTP/1.1 429") && told.contains("\"quota\""), "{told}");
    assert!(told.to_ascii_lowercase().contains("retry-after: 5\r\n"), "{told}");
    let large = json!({ "files": { "a": "x".repeat(3 * MIB) } });
    let small = json!({ "files": { "a": "x" } });
    assert_eq!(ben.put("/api/v2/generations/of-ben", &large).await.status, 201, "nobody else waits");
    assert_eq!(ann.put("/api/v2/generations/small", &small).await.status, 201, "what is small needs none");
    drop((one, two));
    // Twice through one room: a key has the body read before its handler does.
    let keyed = ann.header("idempotency-key", "large");
    until(20, async || {
        let body = large.to_string();
        let answer = keyed.try_send(Method::PUT, "/api/v2/generations/of-ann", body).await.ok()?;
        (answer.status == 201).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_takes_ends() {
    let app = TestApp::with(vec![("PREVIEW_API_SEND_TIMEOUT", "1".to_owned())]).await;
    let ann = app.user("ann");
    // Larger than what the system's buffers hold when it comes back a hundred times.
    let body = json!({ "metadata": { "name": "long" }, "files": { "index.html": "x" } });
    assert_eq!(ann.put("/api/v2/generations/long", &body).await.status, 201);
    let mut greedy = TcpStream::connect(app.address).await.expect("a connection");
    let request = format!(
        "GET /openapi.json HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        app.token("ann")
    );
    // Asks on and on, and reads nothing.
    let sent = async {
        loop {
            if greedy.write_all(request.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), sent).await.expect("the connection is ended");
    assert_eq!(ann.get("/api/v2/generations").await.status, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_a_size() {
    let app = TestApp::with(vec![("PREVIEW_API_HEADER_KB", "16".to_owned())]).await;
    let fits = app.user("ann").header("x-long", "y".repeat(8 * 1024));
    assert_eq!(fits.get("/health").await.status, 200);
    let long = app.user("ann").header("x-long", "y".repeat(32 * 1024));
    assert_eq!(long.get("/health").await.status, 431);
    let many = (0..150).fold(app.stranger(), |client, n| client.header(&format!("x-{n}"), "y"));
    assert_eq!(many.get("/health").await.status, 431);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_stores_as_much_as_is_allowed_and_no_other_pays_for_it() {
    let app = TestApp::with(vec![("PREVIEW_USER_SOURCES_MAX_MB", "1".to_owned())]).await;
    let (ann, ben) = (app.user("ann"), app.user("ben"));
    let large = |mark: &str| json!({ "files": { "index.html": mark.repeat(400_000) } });
    for id in ["large-a", "large-b"] {
        assert_eq!(ann.put(&format!("/api/v2/generations/{id}"), &large(&id[6..])).await.status, 201);
    }
    let over = ann.put("/api/v2/generations/large-c", &large("c")).await;
    refused(&over, 429, "quota");
    assert!(
        over.json()["detail"].as_str().expect("words").contains("PREVIEW_USER_SOURCES_MAX_MB"),
        "{over:?}"
    );
    // What is there already is no more than it was.
    assert_eq!(ann.put("/api/v2/generations/large-b", &large("b")).await.status, 200);
    assert_eq!(ben.put("/api/v2/generations/large-d", &large("d")).await.status, 201);
    assert_eq!(ann.delete("/api/v2/generations/large-a").await.status, 204);
    assert_eq!(ann.put("/api/v2/generations/large-c", &large("c")).await.status, 201);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stored_on_a_disk_that_is_full() {
    // More than any disk has.
    let app = TestApp::with(vec![("PREVIEW_DISK_FLOOR_MB", "10485760".to_owned())]).await;
    let ann = app.user("ann");
    let full = ann.put("/api/v2/generations/none", &json!({ "files": { "index.html": "none" } })).await;
    refused(&full, 503, "disk_full");
    assert!(number(&full, "retry-after") > 0);
    assert_eq!(ann.get("/api/v2/generations/none").await.status, 404);
    app.finish().await;
}
