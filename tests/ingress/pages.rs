//! What visitors are told when the app says nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hyper::Response;
use previewd::ingress::{Config, Diagnosis, Hooks, Upstream};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Answer, App, Preview, Says, config, full, hooks, raw_app, read_head, until};

async fn both(preview: &Preview) -> (Answer, Value) {
    let ask = |accept: &str| format!("GET /<x> HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
    let page = preview.ask(&ask("text/html,*/*").replace("<x>", "x")).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let plain = preview.ask(&ask("*/*").replace("<x>", "x")).await;
    assert_eq!(plain.header("content-type"), Some("application/problem+json"));
    assert_eq!(plain.status, page.status);
    let problem: Value = serde_json::from_slice(&plain.body).expect("JSON");
    assert_eq!(problem["status"], page.status);
    (page, problem)
}

/// An address where nothing listens.
async fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("an address")
}

#[tokio::test]
async fn a_preview_in_the_making_asks_for_patience() {
    let preview = Preview::open(config(), hooks()).await;
    preview.set(Upstream::Waiting { what: "being <built>".to_owned() });
    let (page, problem) = both(&preview).await;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));
    assert!(page.text().contains(r#"http-equiv="refresh""#), "{}", page.text());
    assert!(
        page.text().contains("being &#60;built&#62;") && !page.text().contains("<built>"),
        "{}",
        page.text()
    );
    assert!(problem["detail"].as_str().expect("text").contains("the preview is being <built>"), "{problem}");
    assert_eq!((preview.traffic().requests, preview.traffic().errors), (0, 0));
}

#[tokio::test]
async fn a_refused_connection_is_explained() {
    for (diagnosis, words) in [
        (Diagnosis::NothingListens { port: 8000 }, "nothing listens on port 8000 yet"),
        (Diagnosis::LoopbackOnly { port: 8000 }, "the app listens on 127.0.0.1:8000 only: bind 0.0.0.0"),
        (Diagnosis::Exited { reason: "exit code 3".to_owned() }, "the app has ended: exit code 3"),
        (Diagnosis::Unknown, "the app refuses connections"),
    ] {
        let preview = Preview::of_with(nobody().await, config(), Hooks::new(Arc::new(Says(diagnosis)))).await;
        let (page, problem) = both(&preview).await;
        assert_eq!(page.status, 502);
        assert!(page.text().contains(words), "{}", page.text());
        assert!(problem["detail"].as_str().expect("text").starts_with(words), "{problem}");
        assert_eq!((preview.traffic().requests, preview.traffic().errors), (2, 2));
    }
}

#[tokio::test]
async fn a_preview_that_is_down_says_why() {
    let preview = Preview::open(config(), hooks()).await;
    preview.set(Upstream::Down { reason: "<script>alert(1)</script>".to_owned() });
    let (page, _) = both(&preview).await;
    assert_eq!(page.status, 502);
    assert!(!page.text().contains("<script>"), "{}", page.text());
}

#[tokio::test]
async fn an_app_that_does_not_answer_is_given_up_at_the_deadline() {
    let address = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
        let _ = socket.read(&mut [0]).await;
    })
    .await;
    let config = Config { request_timeout: Duration::from_millis(150), ..config() };
    let preview = Preview::of_with(address, config, hooks()).await;
    let (page, problem) = both(&preview).await;
    assert_eq!(page.status, 504);
    assert_eq!(problem["title"], "Gateway Timeout");
    assert!(preview.traffic().p50_ms >= 140.0);
}

#[tokio::test]
async fn a_request_that_is_still_being_sent_does_not_run_out_of_time() {
    let app = App::new(|request| async move {
        let body = http_body_util::BodyExt::collect(request.into_body()).await.expect("a body");
        Response::new(full(body.to_bytes()))
    })
    .await;
    let config = Config { request_timeout: Duration::from_millis(200), ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let mut visitor = preview.visitor().await;
    visitor.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n").await;
    for _ in 0..10 {
        // Slower in all than the limit, each piece well within it.
        tokio::time::sleep(Duration::from_millis(40)).await;
        visitor.send("x").await;
    }
    let answer = visitor.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "xxxxxxxxxx"));
}

#[tokio::test]
async fn an_answer_that_is_none_is_named_as_such() {
    let closes = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
    })
    .await;
    let mumbles = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
        let _ = socket.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    })
    .await;
    for (address, words) in [(closes, "closed the connection without an answer"), (mumbles, "is not HTTP")] {
        let preview = Preview::of(address).await;
        let (page, problem) = both(&preview).await;
        assert_eq!(page.status, 502);
        assert!(problem["detail"].as_str().expect("text").contains(words), "{problem}");
    }
}

#[tokio::test]
async fn a_preview_that_sleeps_is_woken_by_a_request_which_then_is_answered() {
    let app = App::hello().await;
    let (wakes, mut hooks) = (Arc::new(AtomicUsize::new(0)), hooks());
    let count = wakes.clone();
    hooks.wake = Some(Arc::new(move |_| {
        count.fetch_add(1, SeqCst);
    }));
    let preview = Preview::open(config(), hooks).await;
    preview.set(Upstream::Asleep);
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    until("it is woken", || wakes.load(SeqCst) == 1).await;
    preview.set(Upstream::At { address: app.address });
    assert_eq!(visitor.answer().await.text(), "hello");
}

#[tokio::test]
async fn a_paused_preview_that_nobody_wakes_says_so() {
    let preview = Preview::open(config(), hooks()).await;
    preview.set(Upstream::Paused);
    let (page, _) = both(&preview).await;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));

    let mut hooks = hooks();
    hooks.wake = Some(Arc::new(|_| {}));
    let config = Config { wake_timeout: Duration::from_millis(50), ..config() };
    let preview = Preview::open(config, hooks).await;
    preview.set(Upstream::Asleep);
    assert_eq!(preview.get("/").await.status, 503);
}

#[tokio::test]
async fn a_request_waits_for_a_preview_that_is_being_found_again() {
    let app = App::hello().await;
    let preview = Preview::open(config(), hooks()).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // It is waiting inside: a second one is served only after the upstream is set, too.
    let early = tokio::time::timeout(Duration::from_millis(100), preview.get("/")).await;
    assert!(early.is_err(), "answered before anything was known: {early:?}");
    preview.set(Upstream::At { address: app.address });
    assert_eq!(visitor.answer().await.text(), "hello");

    let config = Config { wake_timeout: Duration::from_millis(50), ..config() };
    let (page, problem) = both(&Preview::open(config, hooks()).await).await;
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")));
    assert!(problem["detail"].as_str().expect("text").contains("being found again"), "{problem}");
}
