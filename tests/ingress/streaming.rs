//! Bodies pass through; they are never held.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Mutex, mpsc};

use crate::support::{App, Preview, full, header_of, raw_app, read_head, soon};

#[tokio::test]
async fn the_first_piece_of_an_answer_arrives_before_the_last_is_made() {
    let (send, receive) = mpsc::channel::<&'static str>(1);
    let receive = Arc::new(Mutex::new(receive));
    let app = App::new(move |_| {
        let receive = receive.clone();
        async move {
            let pieces = stream::unfold(receive, |receive| async move {
                let piece = receive.lock().await.recv().await?;
                Some((Ok(Frame::data(Bytes::from(piece))), receive))
            });
            Response::new(StreamBody::new(pieces).boxed_unsync())
        }
    })
    .await;
    let preview = Preview::of(app.address).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    send.send("one").await.expect("taken");
    assert!(visitor.head().await.contains("transfer-encoding: chunked"));
    assert_eq!(visitor.chunk().await, Some(b"one".to_vec()));
    send.send("two").await.expect("taken");
    assert_eq!(visitor.chunk().await, Some(b"two".to_vec()));
    drop(send);
    assert_eq!(visitor.chunk().await, None);
}

#[tokio::test]
async fn the_app_sees_the_first_piece_of_a_request_before_the_last_is_sent() {
    let (seen, mut sees) = mpsc::channel::<Bytes>(8);
    let app = App::new(move |request| {
        let seen = seen.clone();
        async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                seen.send(frame.into_data().expect("data")).await.expect("the test listens");
            }
            Response::new(full("done"))
        }
    })
    .await;
    let preview = Preview::of(app.address).await;
    let mut visitor = preview.visitor().await;
    visitor
        .send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    assert_eq!(soon(sees.recv()).await.expect("a piece"), "one");
    visitor.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(soon(sees.recv()).await.expect("a piece"), "two");
    assert_eq!(visitor.answer().await.text(), "done");
    assert_eq!(preview.traffic().bytes_in, 6);
}

fn resident_mib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4 / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_pass_both_ways_in_flat_memory() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 1600;
    let app = App::new(|request| async move {
        let echo = request.into_body().map_err(std::io::Error::other);
        Response::new(echo.boxed_unsync())
    })
    .await;
    let preview = Preview::of(app.address).await;
    let visitor = preview.visitor().await;
    let before = resident_mib();
    let (mut from, mut to) = visitor.socket.into_split();
    let sender = tokio::spawn(async move {
        let head =
            format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", PIECE * PIECES);
        to.write_all(head.as_bytes()).await.expect("sent");
        for number in 0..PIECES {
            to.write_all(&[number as u8; PIECE]).await.expect("sent");
        }
        to
    });
    let (mut read, mut most, mut buffer) = (0usize, before, vec![0; PIECE]);
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(from.read_u8().await.expect("a head"));
    }
    let chunked = header_of(std::str::from_utf8(&text).expect("UTF-8"), "transfer-encoding").is_some();
    let goal = PIECE * PIECES;
    while read < goal {
        let length = soon(from.read(&mut buffer)).await.expect("more");
        assert!(length > 0, "ended after {read}");
        read += length;
        most = most.max(resident_mib());
    }
    assert!(chunked || read == goal);
    sender.await.expect("all was sent");
    assert!(most - before < 60, "{before} MiB grew to {most} MiB");
    assert!(preview.traffic().bytes_in == goal as u64);
}

#[tokio::test]
async fn a_visitor_that_expects_is_told_to_continue_once_the_app_is_there() {
    let app = App::new(|request| async move {
        assert!(!request.headers().contains_key("expect"));
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        Response::new(full(body))
    })
    .await;
    let preview = Preview::of(app.address).await;
    let mut visitor = preview.visitor().await;
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    visitor.send(head).await;
    assert_eq!(visitor.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    visitor.send("hello").await;
    assert_eq!(visitor.answer().await.text(), "hello");

    app.stop().await;
    let mut visitor = preview.visitor().await;
    visitor.send(head).await;
    assert_eq!(visitor.answer().await.status, 502, "nobody is there to take the body");
}

#[tokio::test]
async fn trailers_pass_when_the_visitor_takes_them() {
    let address = raw_app(|mut socket, _| async move {
        let head = read_head(&mut socket).await;
        assert!(header_of(&head, "te") == Some("trailers"), "{head}");
        let answer = "HTTP/1.1 200 OK\r\nTrailer: Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nSum: 7\r\n\r\n";
        let _ = socket.write_all(answer.as_bytes()).await;
    })
    .await;
    let preview = Preview::of(address).await;
    let mut visitor = preview.visitor().await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nTE: gzip, trailers\r\nConnection: close, TE\r\n\r\n";
    visitor.send(request).await;
    let answer = String::from_utf8(visitor.rest().await).expect("UTF-8");
    assert!(answer.ends_with("2\r\nhi\r\n0\r\nsum: 7\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_as_broken() {
    let address = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    })
    .await;
    let preview = Preview::of(address).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = String::from_utf8(visitor.rest().await).expect("UTF-8");
    assert!(answer.ends_with("half"), "{answer}");
    assert_eq!(preview.traffic().errors, 1);
}

#[tokio::test]
async fn an_endless_answer_ends_for_the_app_when_its_visitor_leaves() {
    let (gone, mut went) = mpsc::channel::<()>(1);
    let gone = Arc::new(Mutex::new(Some(gone)));
    let app = App::new(move |_| {
        let gone = gone.clone();
        async move {
            let held = gone.lock().await.take();
            let ticks = stream::unfold(held, |held| async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Some((Ok(Frame::data(Bytes::from("tick\n"))), held))
            });
            Response::new(StreamBody::new(ticks.boxed()).boxed_unsync())
        }
    })
    .await;
    let preview = Preview::of(app.address).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    visitor.head().await;
    visitor.chunk().await.expect("a tick");
    drop(visitor);
    assert!(soon(went.recv()).await.is_none(), "the app's stream was dropped");
}
