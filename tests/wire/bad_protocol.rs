//! Methods, addresses, sizes and framing: every error is a problem, and a request's trace id
//! comes back.

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::bad_input::store;
use crate::refusal::{problem, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_and_methods_that_are_none() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    for path in [
        "/",
        "/nothing",
        "/api",
        "/api/",
        "/api/v2",
        "/api/v3/generations",
        "/api/v2/generations/",
        "/api/v2/generation",
        "/api/v2/generations/a/b",
        "/api/v2//generations",
        "/API/v2/generations",
        "/api/v2/generations/a/preview",
        "/api/v1/generations",
        "/api/v1/previews",
        "/docs/nothing",
        "/metrics/",
        "/api/v2/../../etc/passwd",
    ] {
        let answer = ann.get(path).await;
        assert!([404, 405].contains(&answer.status), "{path}: {}", answer.text());
        problem(&answer);
    }
    let table = [
        ("/api/v2/generations", vec!["GET", "HEAD"]),
        ("/api/v2/generations/a", vec!["GET", "HEAD", "PUT", "DELETE"]),
        ("/api/v2/generations/a/preview", vec!["DELETE"]),
        ("/api/v2/generations/a/preview/launch", vec!["POST"]),
        ("/api/v1/generations/a/preview/status", vec!["GET", "HEAD"]),
        ("/api/generations/a/build", vec!["GET", "HEAD", "POST", "DELETE"]),
        ("/health", vec!["GET", "HEAD"]),
    ];
    for (path, allowed) in table {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = ann.send(Method::from_bytes(method.as_bytes()).unwrap(), path, "").await;
            refused(&answer, 405, "method_not_allowed");
            let said = answer.headers["allow"].to_str().unwrap().replace(' ', "");
            let mut said: Vec<&str> = said.split(',').collect();
            let mut allowed = allowed.clone();
            said.sort_unstable();
            allowed.sort_unstable();
            assert_eq!(said, allowed, "{method} {path}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_answers_as_get_without_a_body() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    store(&ann, "whole").await;
    for (path, status) in [
        ("/health", 200),
        ("/openapi.json", 200),
        ("/api/v2/generations", 200),
        ("/api/v2/generations/whole", 200),
        ("/api/v2/generations/absent", 404),
        ("/nothing", 404),
    ] {
        let answer = ann.send(Method::HEAD, path, "").await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_body_stays_small() {
    let app = TestApp::start().await;
    let ann = app.user("ann");
    store(&ann, "whole").await;
    let fat = json!({ "projectId": "x".repeat(1024 * 1024) });
    for path in ["/api/v2/generations/whole/preview/launch", "/api/v1/generations/whole/preview/launch"] {
        refused(&ann.post(path, &fat).await, 413, "too_large");
    }
    app.finish().await;
}

/// What comes in pieces counts as it comes, and is read like any other body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunked_bodies_are_read_and_counted() {
    let app = TestApp::with(vec![("PREVIEW_MAX_GENERATION_MB", "1".to_owned())]).await;
    let token = app.token("ann");
    let body = br#"{"files": {"a": "x"}}"#;
    let (status, text) = chunked(&app, &token, &[body.as_slice(), b""]).await;
    assert_eq!(status, 201, "{text}");
    let piece = vec![b' '; 100_000];
    let (status, text) = chunked(&app, &token, &vec![piece.as_slice(); 17]).await;
    assert_eq!(status, 413, "{text}");
    app.finish().await;
}

async fn chunked(app: &TestApp, token: &str, pieces: &[&[u8]]) -> (u16, String) {
    let stream = TcpStream::connect(app.address).await.expect("connected");
    let (mut read, mut write) = stream.into_split();
    let head = format!(
        "PUT /api/v2/generations/chunks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    // The daemon may close before it has read what it refuses.
    let send = tokio::spawn(async move {
        let _ = write.write_all(&bytes).await;
        write
    });
    let mut answer = Vec::new();
    let _ = read.read_to_end(&mut answer).await;
    drop(send.await.expect("sent"));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_trace_id_comes_back() {
    let app = TestApp::start().await;
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = app.user("ann").header("traceparent", format!("00-{id}-00f067aa0ba902b7-01"));
    let absent = traced.get("/api/v2/generations/absent").await;
    assert_eq!(refused(&absent, 404, "not_found")["traceId"], id);
    assert_eq!(traced.get("/health").await.headers["x-trace-id"], id);
    for broken in [
        "garbage",
        "00-0-0-0",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ] {
        let answer = app.user("ann").header("traceparent", broken).get("/nothing").await;
        let fresh = refused(&answer, 404, "not_found")["traceId"].as_str().unwrap().to_owned();
        assert!(!broken.to_lowercase().contains(&fresh), "{broken}");
    }
    app.finish().await;
}

/// Two parsers could read it as one request or as two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_two_lengths_is_refused() {
    let app = TestApp::start().await;
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 5",
    ] {
        let mut socket = TcpStream::connect(app.address).await.unwrap();
        let sent = format!(
            "POST /api/v2/generations HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        socket.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // To its end: the connection is closed, and what stood behind is no request.
        let read = socket.read_to_string(&mut answer);
        tokio::time::timeout(std::time::Duration::from_secs(10), read).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lengths}: {answer}");
    }
    app.finish().await;
}
