//! Connections to the app: kept, used again, replaced when they have gone stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hyper::{Response, StatusCode};
use previewd::ingress::Upstream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::support::{App, Preview, full, raw_app, read_head, soon, until};

#[tokio::test]
async fn one_connection_to_the_app_serves_one_visitor_after_another() {
    let app = App::hello().await;
    let preview = Preview::of(app.address).await;
    for _ in 0..3 {
        let mut visitor = preview.visitor().await;
        for _ in 0..10 {
            visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            assert_eq!(visitor.answer().await.text(), "hello");
        }
    }
    assert_eq!(app.connections.load(SeqCst), 1);
    assert_eq!(preview.traffic().requests, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_visitors_at_once_each_get_their_own_answer() {
    let app = App::new(|request| async move { Response::new(full(request.uri().path().to_owned())) }).await;
    let preview = Arc::new(Preview::of(app.address).await);
    let visitors = (0..200).map(|number| {
        let preview = preview.clone();
        tokio::spawn(async move {
            let mut visitor = preview.visitor().await;
            for turn in 0..20 {
                let path = format!("/{number}/{turn}");
                visitor.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
                assert_eq!(visitor.answer().await.text(), path);
            }
        })
    });
    for visitor in visitors.collect::<Vec<_>>() {
        soon(visitor).await.expect("it was answered");
    }
    assert_eq!(preview.traffic().requests, 4000);
    assert_eq!(preview.traffic().errors, 0);
    // One for each visitor, and a few more where the machine is too busy to wait for a kept one.
    assert!(app.connections.load(SeqCst) <= 400, "{}", app.connections.load(SeqCst));
    until("all visitors have gone", || preview.traffic().open_connections == 0).await;
}

#[tokio::test]
async fn an_app_that_restarts_is_reached_again_by_kept_connections_visitors() {
    let app = App::hello().await;
    let address = app.address;
    let preview = Preview::of(address).await;
    let mut visitor = preview.visitor().await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    visitor.send(request).await;
    assert_eq!(visitor.answer().await.status, 200);
    app.stop().await;
    visitor.send(request).await;
    assert_eq!(visitor.answer().await.status, 502);
    let _again = App::at(address, |_| async { Response::new(full("again")) }).await;
    visitor.send(request).await;
    assert_eq!(visitor.answer().await.text(), "again");
}

/// Answers the first request of its first connection, and closes it when the second request has come.
async fn closes_on_the_second(requests: Arc<AtomicUsize>) -> std::net::SocketAddr {
    raw_app(move |mut socket, number| {
        let requests = requests.clone();
        async move {
            loop {
                if read_head(&mut socket).await.is_empty() {
                    return;
                }
                let seen = requests.fetch_add(1, SeqCst);
                if number == 0 && seen == 1 {
                    return;
                }
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_request_lost_on_a_stale_connection_is_sent_again_if_that_is_safe() {
    let requests = Arc::new(AtomicUsize::new(0));
    let preview = Preview::of(closes_on_the_second(requests.clone()).await).await;
    assert_eq!(preview.get("/").await.status, 200);
    assert_eq!(preview.get("/").await.status, 200);
    assert_eq!(requests.load(SeqCst), 3, "the second was sent twice");
}

#[tokio::test]
async fn a_post_that_may_have_arrived_is_not_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let preview = Preview::of(closes_on_the_second(requests.clone()).await).await;
    assert_eq!(preview.get("/").await.status, 200);
    let answer = preview.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(answer.status, 502, "{}", answer.head);
    assert_eq!(requests.load(SeqCst), 2);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_in_the_meantime_is_not_used() {
    let closed = Arc::new(Notify::new());
    let tell = closed.clone();
    let address = raw_app(move |mut socket, number| {
        let tell = tell.clone();
        async move {
            let head = read_head(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            if number == 0 {
                drop(socket);
                tell.notify_one();
            } else {
                assert!(head.starts_with("POST"));
                let _ = socket.read(&mut [0]).await;
            }
        }
    })
    .await;
    let preview = Preview::of(address).await;
    assert_eq!(preview.get("/").await.status, 200);
    soon(closed.notified()).await;
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi";
    // A POST, which would not be sent twice.
    assert_eq!(preview.ask(post).await.status, 200);
}

#[tokio::test]
async fn an_early_answer_does_not_poison_the_connection() {
    let address = raw_app(|mut socket, _| async move {
        loop {
            let head = read_head(&mut socket).await;
            if head.is_empty() {
                return;
            }
            let _ = socket.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
            if head.starts_with("POST") {
                let _ = socket.read_to_end(&mut Vec::new()).await;
            }
        }
    })
    .await;
    let preview = Preview::of(address).await;
    let mut visitor = preview.visitor().await;
    visitor.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf").await;
    assert_eq!(visitor.answer().await.status, 413);
    assert_eq!(preview.get("/").await.text(), "no");
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    let address = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.0 200 Fine\r\nX-Old: yes\r\n\r\nto the end").await;
    })
    .await;
    let preview = Preview::of(address).await;
    let mut visitor = preview.visitor().await;
    for _ in 0..2 {
        visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let answer = visitor.answer().await;
        assert_eq!(answer.text(), "to the end");
        assert!(answer.head.starts_with("HTTP/1.1 200 Fine\r\n"), "{}", answer.head);
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection() {
    let app = App::new(|request| async move {
        let status = request.uri().path()[1..].parse().expect("a status");
        let mut answer = Response::new(full(if status == 200 { "hello" } else { "" }));
        *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
        answer
    })
    .await;
    let preview = Preview::of(app.address).await;
    let mut visitor = preview.visitor().await;
    visitor.send("HEAD /200 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = visitor.head().await;
    assert!(head.contains("content-length: 5\r\n"), "{head}");
    for status in [204, 304, 200] {
        visitor.send(format!("GET /{status} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert_eq!(visitor.answer().await.status, status);
    }
    visitor.send("GET /200 HTTP/1.0\r\n\r\n").await;
    let old = visitor.answer().await;
    assert!(old.head.starts_with("HTTP/1.0 200"), "{}", old.head);
    assert!(visitor.rest().await.is_empty(), "the connection of an HTTP/1.0 client is closed");
    assert_eq!(app.connections.load(SeqCst), 1);
}

#[tokio::test]
async fn a_new_address_takes_the_next_request() {
    let (old, new) = (App::hello().await, App::new(|_| async { Response::new(full("new")) }).await);
    let preview = Preview::of(old.address).await;
    let mut visitor = preview.visitor().await;
    for (app, text) in [(&old, "hello"), (&new, "new")] {
        preview.set(previewd::ingress::Upstream::At { address: app.address });
        visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(visitor.answer().await.text(), text);
    }
}

/// The address may be another preview's by the time the connection is there.
#[tokio::test]
async fn a_connection_that_took_longer_than_the_preview_lived_is_not_written_to() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let slow = socket.listen(1).expect("it listens");
    let address = slow.local_addr().expect("an address");
    // Until its queue is full: from then on a connection waits for one to be taken.
    let mut queued = Vec::new();
    let patience = std::time::Duration::from_millis(200);
    while let Ok(connected) = tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await {
        queued.push(connected.expect("connected"));
    }
    let preview = Preview::of(address).await;
    for body in ["", "body"] {
        preview.set(Upstream::At { address });
        let mut visitor = preview.visitor().await;
        let length = body.len();
        visitor
            .send(format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"))
            .await;
        tokio::time::sleep(patience).await;
        preview.set(Upstream::Down { reason: "it was stopped".to_owned() });
        // All that wait are taken, the late one last.
        let mut taken = Vec::new();
        let answer = loop {
            tokio::select! {
                answer = visitor.answer() => break answer,
                next = slow.accept() => taken.push(next.expect("accepted").0),
            }
        };
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.text());
        assert!(answer.text().contains("it was stopped"), "{}", answer.text());
        for mut late in taken {
            let mut got = [0; 64];
            let read = tokio::time::timeout(std::time::Duration::from_millis(20), late.read(&mut got)).await;
            assert!(!matches!(read, Ok(Ok(1..))), "it was written to");
        }
        queued.clear();
        while let Ok(connected) =
            tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await
        {
            queued.push(connected.expect("connected"));
        }
    }
}
