//! Ports: given, kept, given back.

use std::time::{Duration, Instant};

use hyper::Response;
use previewd::domain::PreviewId;
use previewd::ingress::{Config, Ingress, IngressError, Upstream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{App, Preview, Visitor, config, full, hooks, port_range, soon, until};

#[tokio::test]
async fn a_range_that_is_used_up_gives_no_port() {
    let (port_min, port_max) = port_range(3);
    let ingress = Ingress::new(Config { port_min, port_max, ..config() }, hooks());
    let foreign = TcpListener::bind(("127.0.0.1", port_min + 1)).await.expect("another process's port");
    let (first, second, third) = (PreviewId::new(), PreviewId::new(), PreviewId::new());
    assert_eq!(ingress.open(first, None).await.expect("a port"), port_min);
    assert_eq!(ingress.open(first, None).await.expect("the same"), port_min);
    assert_eq!(ingress.open(second, Some(port_min + 1)).await.expect("another"), port_max);
    let none = ingress.open(third, None).await.expect_err("all are taken");
    assert!(
        matches!(none, IngressError::NoPort { min, max } if (min, max) == (port_min, port_max)),
        "{none}"
    );
    drop(foreign);
    assert_eq!(ingress.open(third, None).await.expect("a port"), port_min + 1);
}

#[tokio::test]
async fn the_wanted_port_is_had_and_a_closed_one_is_handed_on_last() {
    let (port_min, port_max) = port_range(3);
    let ingress = Ingress::new(Config { port_min, port_max, ..config() }, hooks());
    let (first, second) = (PreviewId::new(), PreviewId::new());
    assert_eq!(ingress.open(first, Some(port_max)).await.expect("a port"), port_max);
    ingress.close(first).await;
    assert_eq!(ingress.port(first), None);
    let mut next = Vec::new();
    for _ in 0..3 {
        next.push(ingress.open(PreviewId::new(), None).await.expect("a port"));
    }
    assert_eq!(next, [port_min, port_min + 1, port_max]);
    assert!(ingress.open(second, None).await.is_err());
}

#[tokio::test]
async fn closing_frees_the_port_while_connections_are_open() {
    let (started, mut starts) = mpsc::channel::<()>(8);
    let app = App::new(move |request| {
        let started = started.clone();
        async move {
            if request.uri().path() == "/hangs" {
                started.send(()).await.expect("the test listens");
                std::future::pending::<()>().await;
            }
            Response::new(full("hello"))
        }
    })
    .await;
    let config = Config { drain_timeout: Duration::from_millis(100), ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let mut idle = preview.visitor().await;
    idle.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    let mut busy = preview.visitor().await;
    busy.send("GET /hangs HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    soon(starts.recv()).await.expect("it has begun");

    let start = Instant::now();
    let again = preview.ingress.clone();
    tokio::join!(preview.ingress.close(preview.id), again.close(preview.id));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    TcpListener::bind(("127.0.0.1", preview.port)).await.expect("the port is free");
    assert!(idle.rest().await.is_empty() && busy.rest().await.is_empty(), "both were closed");
    assert!(preview.ingress.traffic(preview.id).is_none());
    preview.ingress.close(preview.id).await;
}

#[tokio::test]
async fn closing_lets_a_request_under_way_end() {
    let (started, mut starts) = mpsc::channel::<()>(1);
    let (finish, finishes) = tokio::sync::watch::channel(false);
    let app = App::new(move |_| {
        let (started, mut finishes) = (started.clone(), finishes.clone());
        async move {
            started.send(()).await.expect("the test listens");
            finishes.wait_for(|finish| *finish).await.expect("told to finish");
            Response::new(full("after all"))
        }
    })
    .await;
    let config = Config { drain_timeout: Duration::from_secs(10), ..config() };
    let preview = Preview::of_with(app.address, config, hooks()).await;
    let mut visitor = preview.visitor().await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    soon(starts.recv()).await.expect("it has begun");
    let (ingress, id) = (preview.ingress.clone(), preview.id);
    let closing = tokio::spawn(async move { ingress.close(id).await });
    let port = preview.port;
    until("nobody is let in any more", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err()).await;
    finish.send(true).expect("the app listens");
    assert_eq!(visitor.answer().await.text(), "after all");
    soon(closing).await.expect("closed");
}

#[tokio::test]
async fn a_preview_can_be_opened_again_where_it_was() {
    let app = App::hello().await;
    let preview = Preview::of(app.address).await;
    assert_eq!(preview.get("/").await.status, 200);
    preview.ingress.close(preview.id).await;
    let port = preview.ingress.open(preview.id, Some(preview.port)).await.expect("a port");
    assert_eq!(port, preview.port);
    let mut visitor = Visitor::to(port).await;
    visitor.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(visitor.answer().await.status, 503, "its upstream is not set yet");
    preview.set(Upstream::At { address: app.address });
    assert_eq!(preview.get("/").await.status, 200);
    assert_eq!(preview.traffic().requests, 1, "it counts anew");
}
