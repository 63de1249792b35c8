//! Visitors that take their time, on purpose or not.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use previewd::ingress::Config;
use tokio::io::AsyncReadExt;

use crate::support::{App, Preview, config, hooks, raw_app, read_head, soon, until};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let app = App::hello().await;
    let config = Config { header_timeout: SHORT, ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let mut silent = preview.visitor().await;
    let mut slow = preview.visitor().await;
    let start = Instant::now();
    slow.send("GET / HTTP/1.1\r\nHost: localhost\r\n").await;
    let mut byte = [0];
    loop {
        // A byte now and then does not buy time.
        let wrote = tokio::io::AsyncWriteExt::write_all(&mut slow.socket, b"x").await;
        let read = tokio::time::timeout(Duration::from_millis(20), slow.socket.read(&mut byte)).await;
        if wrote.is_err() || matches!(read, Ok(Ok(0) | Err(_))) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "it is still open");
    }
    assert!(start.elapsed() >= SHORT);
    assert!(silent.rest().await.is_empty(), "one that says nothing at all is closed as well");
    until("both are gone", || preview.traffic().open_connections == 0).await;
    assert_eq!(preview.get("/").await.status, 200, "others are served");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_a_while_and_a_busy_one_is_not() {
    let app = App::new(|_| async {
        tokio::time::sleep(3 * SHORT).await;
        Response::new(crate::support::full("late"))
    })
    .await;
    let config = Config { keep_alive_timeout: SHORT, header_timeout: SHORT, body_timeout: SHORT, ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(visitor.answer().await.text(), "late", "waiting for the app is not idling");
    let idle_since = Instant::now();
    assert!(visitor.rest().await.is_empty());
    assert!(idle_since.elapsed() >= SHORT / 2, "{:?}", idle_since.elapsed());
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_the_connection() {
    let app = App::hello().await;
    let config = Config { body_timeout: SHORT, ..config() };
    let address = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    drop(app);
    let preview = Preview::of_with(address, config, hooks()).await;
    let mut visitor = preview.visitor().await;
    visitor.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf").await;
    visitor.rest().await;
    until("it is gone", || preview.traffic().open_connections == 0).await;
    assert_eq!(preview.traffic().errors, 0, "the app is not to blame");
}

#[tokio::test]
async fn a_visitor_that_does_not_read_is_closed() {
    let app = App::new(|_| async {
        let endless = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![0; 64 * 1024]))));
        Response::new(StreamBody::new(endless).boxed_unsync())
    })
    .await;
    let config = Config { send_timeout: SHORT, ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    visitor.head().await;
    until("it is gone", || preview.traffic().open_connections == 0).await;
    let sent = preview.traffic().bytes_out;
    assert!(sent < 32 << 20, "{sent} bytes were taken from the app for nobody");
}

#[tokio::test]
async fn there_are_only_so_many_connections() {
    let app = App::hello().await;
    let config = Config { max_connections: 2, ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let (mut first, second) = (preview.visitor().await, preview.visitor().await);
    first.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(first.answer().await.status, 200);
    until("both are counted", || preview.traffic().open_connections == 2).await;
    assert!(soon(preview.visitor().await.rest()).await.is_empty(), "a third is closed at once");
    drop(second);
    until("one has left", || preview.traffic().open_connections == 1).await;
    assert_eq!(preview.get("/").await.status, 200);
}
