//! What passes in a head, what is replaced, and what is refused.

use std::sync::Arc;

use hyper::Response;
use hyper::header::HeaderValue;

use crate::support::{App, Hidden, Preview, config, full, hooks};

/// An app that answers with the head it was sent.
async fn mirror() -> App {
    App::new(|request| async move {
        let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\n", value.to_str().expect("text"));
        }
        Response::new(full(text))
    })
    .await
}

async fn mirrored(headers: &str) -> String {
    let app = mirror().await;
    let mut hooks = hooks();
    hooks.own_token = Some(Arc::new(|token| token.starts_with("ours")));
    let preview = Preview::of_with(app.address, config(), hooks).await;
    let answer =
        preview.ask(&format!("GET /a%20b?c=d HTTP/1.1\r\nHost: LocalHost:99\r\n{headers}\r\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    answer.text()
}

#[tokio::test]
async fn the_host_passes_unchanged_and_the_visitor_is_described_by_us() {
    let seen = mirrored(
        "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nx-forwarded-port: 1\r\n\
         Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n",
    )
    .await;
    // The trace begins here, so its ids are different each time.
    let (traces, mut lines): (Vec<&str>, Vec<&str>) =
        seen.lines().partition(|line| line.starts_with("traceparent: 00-"));
    lines[1..].sort_unstable();
    assert_eq!(traces.len(), 1, "{seen}");
    assert_eq!(
        lines,
        [
            "GET /a%20b?c=d HTTP/1.1",
            "host: LocalHost:99",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: LocalHost:99",
            "x-forwarded-proto: http",
        ]
    );
}

#[tokio::test]
async fn what_is_for_one_hop_does_not_go_further() {
    let seen = mirrored(
        "Connection: keep-alive, X-Secret, Host\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n\
         Proxy-Authorization: Basic eA==\r\nTE: gzip\r\nUpgrade: websocket\r\nX-Open: 1\r\n",
    )
    .await;
    for gone in ["connection:", "x-secret", "keep-alive", "proxy-", "te:", "upgrade"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(seen.contains("x-open: 1") && seen.contains("host: LocalHost:99"), "{seen}");
}

#[tokio::test]
async fn our_credentials_stay_out_and_the_apps_own_pass() {
    let ours = mirrored(
        "Authorization: bearer ours.a.b\r\nX-Preview-Token: t\r\n\
         Cookie: a=1; previewd_session=s; b=2\r\nCookie: previewd_x=1\r\n",
    )
    .await;
    assert!(
        !ours.contains("authorization") && !ours.contains("token") && !ours.contains("previewd"),
        "{ours}"
    );
    assert!(ours.contains("cookie: a=1; b=2\n"), "{ours}");
    let theirs = mirrored("Authorization: Bearer theirs\r\nCookie: a=1;b=\"previewd\"\r\n").await;
    assert!(theirs.contains("authorization: Bearer theirs"), "{theirs}");
    assert!(theirs.contains("cookie: a=1;b=\"previewd\"\n"), "{theirs}");
}

#[tokio::test]
async fn answers_lose_what_is_for_one_hop_and_nothing_else() {
    let app = App::new(|_| async {
        let mut answer = Response::new(full("x"));
        for (name, value) in [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=1"),
            ("upgrade", "h2"),
            ("set-cookie", "a=1"),
            ("set-cookie", "previewd_session=stolen"),
            ("set-cookie", "b=2"),
            ("x-frame-options", "DENY"),
            ("location", "/elsewhere"),
        ] {
            answer.headers_mut().append(name, HeaderValue::from_static(value));
        }
        answer
    })
    .await;
    let answer = Preview::of(app.address).await.get("/").await;
    let mut names: Vec<&str> = answer.head.lines().skip(1).filter(|line| !line.is_empty()).collect();
    names.retain(|line| !line.starts_with("date: "));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "content-length: 1",
            "location: /elsewhere",
            "set-cookie: a=1",
            "set-cookie: b=2",
            "x-frame-options: DENY"
        ]
    );
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let app = Hidden::new().await;
    let preview = Preview::of(app.address).await;
    let host = "Host: localhost";
    for (request, status) in [
        (
            format!(
                "POST / HTTP/1.1\r\n{host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), 400),
        (format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 5, 6\r\n\r\nhello"), 400),
        (format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: +5\r\n\r\nhello"), 400),
        (
            format!(
                "POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            400,
        ),
        (format!("POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501),
        (format!("POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("POST / HTTP/1.0\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\nX: a\rb\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\nX: a\r\n folded\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\n{host}\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET http://localhost/ HTTP/1.1\r\n{host}\r\n\r\n"), 400),
        (format!("GET http://10.0.0.1/ HTTP/1.1\r\n{host}\r\n\r\n"), 400),
        (format!("GET localhost:80 HTTP/1.1\r\n{host}\r\n\r\n"), 400),
        (format!("GET * HTTP/1.1\r\n{host}\r\n\r\n"), 400),
        (format!("CONNECT 10.0.0.1:22 HTTP/1.1\r\n{host}\r\n\r\n"), 405),
        (format!("GET / HTTP/1.1\r\n{host}\r\nX: {}\r\n\r\n", "x".repeat(70_000)), 431),
    ] {
        let mut visitor = preview.visitor().await;
        visitor.send(&request).await;
        let answer = visitor.try_answer().await.map(|answer| answer.status);
        assert_eq!(answer, Some(status), "{request:.200}");
    }
    assert_eq!(app.requests(), 0, "none of them reached the app");
    assert_eq!(preview.traffic().errors, 0);
}

#[tokio::test]
async fn a_second_request_hidden_in_a_body_stays_a_body() {
    let app = App::new(|request| async move {
        let path = request.uri().path().to_owned();
        let _ = http_body_util::BodyExt::collect(request.into_body()).await;
        Response::new(full(path))
    })
    .await;
    let preview = Preview::of(app.address).await;
    let hidden = "GET /hidden HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut visitor = preview.visitor().await;
    let open =
        format!("POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len());
    let chunked = format!(
        "POST /chunked HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n",
        hidden.len()
    );
    visitor.send(format!("{open}{chunked}{open}")).await;
    for path in ["/open", "/chunked", "/open"] {
        assert_eq!(visitor.answer().await.text(), path);
    }
    assert_eq!(preview.traffic().requests, 3);
}

#[tokio::test]
async fn a_foreign_host_gets_a_page_and_not_the_app() {
    let app = Hidden::new().await;
    let config = previewd::ingress::Config { domain: Some("previews.example".to_owned()), ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    for host in ["evil.example", "evil.example:3001", "10.0.0.1", "localhost.evil.example", ""] {
        let answer = preview.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.text().contains("evil"), "{}", answer.text());
    }
    assert_eq!(app.requests(), 0);
    for host in ["a.localhost:1", "[::1]:3001", "x.previews.example"] {
        let answer = preview.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn only_the_recorded_address_is_dialled() {
    let (app, other) = (mirror().await, Hidden::new().await);
    let preview = Preview::of(app.address).await;
    let path = format!("//{}/x", other.address);
    let answer = preview.get(&path).await;
    assert_eq!(answer.text().lines().next(), Some(format!("GET {path} HTTP/1.1").as_str()));
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn a_chunked_get_keeps_its_body() {
    let app = App::new(|request| async move {
        let body = http_body_util::BodyExt::collect(request.into_body()).await.expect("a body");
        Response::new(full(body.to_bytes()))
    })
    .await;
    let request =
        "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(Preview::of(app.address).await.ask(request).await.text(), "hi");
}
