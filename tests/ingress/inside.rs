//! The ways in that are not the port: requests from the API, probes, and requests handed over. And the
//! account that is kept of all of them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use previewd::domain::PreviewId;
use previewd::ingress::{
    Config, Diagnosis, Finished, Observer, ProbeResult, ProxiedRequest, RequestError, Upstream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{App, Preview, config, full, hooks, raw_app, read_head, soon, until};

fn asking(method: Method, path: &str) -> ProxiedRequest {
    ProxiedRequest {
        method,
        path_and_query: path.to_owned(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        timeout: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn a_request_from_inside_goes_the_visitors_way() {
    let app = App::new(|request| async move {
        let text = format!(
            "{} {} {}",
            request.method(),
            request.uri(),
            request.headers()["x-forwarded-for"].to_str().expect("text")
        );
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let mut answer = Response::new(full([text.as_bytes(), b" ", &body].concat()));
        *answer.status_mut() = StatusCode::FOUND;
        answer.headers_mut().insert("location", HeaderValue::from_static("/elsewhere"));
        answer
    })
    .await;
    let preview = Preview::of(app.address).await;
    let mut asked = asking(Method::POST, "/a?b=c");
    asked.body = Bytes::from_static(b"body");
    asked.headers.insert("content-length", HeaderValue::from_static("999"));
    asked.headers.insert("connection", HeaderValue::from_static("upgrade"));
    asked.headers.insert("upgrade", HeaderValue::from_static("websocket"));
    let answer = soon(preview.ingress.request(preview.id, asked)).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::FOUND, "redirects are not followed");
    assert_eq!(answer.body, "POST /a?b=c 127.0.0.1 body");
    assert!(!answer.truncated);
    let traffic = preview.traffic();
    assert_eq!((traffic.requests, traffic.errors, traffic.bytes_out), (1, 0, answer.body.len() as u64));
}

#[tokio::test]
async fn a_request_from_inside_says_why_it_failed() {
    // Shorter than the request's own patience: who waits for the app hears why in vain.
    let config = Config { wake_timeout: Duration::from_millis(100), ..config() };
    let preview = Preview::open(config, hooks()).await;
    let ask = |request| preview.ingress.request(preview.id, request);
    assert!(matches!(ask(asking(Method::GET, "/")).await, Err(RequestError::NotRunning(_))));
    assert!(matches!(ask(asking(Method::GET, "http://10.0.0.1/")).await, Err(RequestError::Invalid(_))));
    assert!(matches!(ask(asking(Method::GET, "/a\r\nb")).await, Err(RequestError::Invalid(_))));
    assert!(matches!(ask(asking(Method::CONNECT, "/")).await, Err(RequestError::Invalid(_))));
    let unknown = preview.ingress.request(PreviewId::new(), asking(Method::GET, "/")).await;
    assert!(matches!(unknown, Err(RequestError::NotOpen)));

    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .and_then(|listener| listener.local_addr())
        .expect("an address");
    preview.set(Upstream::At { address: nobody });
    assert!(matches!(ask(asking(Method::GET, "/")).await, Err(RequestError::Refused(Diagnosis::Unknown))));

    let silent = raw_app(|mut socket, _| async move {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    preview.set(Upstream::At { address: silent });
    let mut hasty = asking(Method::GET, "/");
    hasty.timeout = Duration::from_millis(100);
    assert!(matches!(ask(hasty).await, Err(RequestError::Timeout)));
}

#[tokio::test]
async fn an_answer_from_inside_is_bounded_in_size_and_time() {
    let app = App::new(|request| async move {
        let is_endless = request.uri().path() == "/endless";
        let pieces = stream::unfold(0, move |number| async move {
            if !is_endless && number > 0 {
                std::future::pending::<()>().await;
            }
            Some((Ok(Frame::data(Bytes::from(vec![b'x'; 1 << 20]))), number + 1))
        });
        Response::new(StreamBody::new(pieces).boxed_unsync())
    })
    .await;
    let preview = Preview::of(app.address).await;
    let endless =
        soon(preview.ingress.request(preview.id, asking(Method::GET, "/endless"))).await.expect("an answer");
    assert_eq!((endless.body.len(), endless.truncated), (10 << 20, true));
    let mut stalls = asking(Method::GET, "/stalls");
    stalls.timeout = Duration::from_millis(500);
    let stalls = soon(preview.ingress.request(preview.id, stalls)).await.expect("an answer");
    assert_eq!((stalls.body.len(), stalls.truncated), (1 << 20, true));
}

#[tokio::test]
async fn a_probe_tells_answers_from_their_absence() {
    let preview = Preview::open(config(), hooks()).await;
    let limit = Duration::from_millis(300);
    let app = App::new(|request| async move {
        assert_eq!(request.headers()["host"], "localhost");
        let endless = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![0; 1024]))));
        let body = if request.uri().path() == "/endless" {
            StreamBody::new(endless).boxed_unsync()
        } else {
            full("")
        };
        let mut answer = Response::new(body);
        *answer.status_mut() = if request.uri().path() == "/" { StatusCode::FOUND } else { StatusCode::OK };
        answer
    })
    .await;
    let probe = |address, path| preview.ingress.probe(address, path, limit);
    assert_eq!(probe(app.address, "/").await, ProbeResult::Status(302), "redirects are not followed");
    assert_eq!(probe(app.address, "/endless").await, ProbeResult::Status(200));
    let silent = raw_app(|mut socket, _| async move {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert_eq!(probe(silent, "/").await, ProbeResult::Timeout);
    let mumbles = raw_app(|mut socket, _| async move {
        read_head(&mut socket).await;
        let _ = socket.write_all(b"hello\r\n\r\n").await;
    })
    .await;
    assert_eq!(probe(mumbles, "/").await, ProbeResult::Garbage);
    let address = app.address;
    app.stop().await;
    assert_eq!(probe(address, "/").await, ProbeResult::Refused);
    assert_eq!(preview.traffic().requests, 0, "probes are not traffic");
}

#[tokio::test]
async fn a_request_handed_over_is_served_whatever_its_host() {
    let app = App::new(|request| async move {
        let headers = request.headers();
        Response::new(full(format!("{:?} {:?}", headers["host"], headers["x-forwarded-for"])))
    })
    .await;
    let preview = Preview::of(app.address).await;
    let peer: IpAddr = "192.0.2.7".parse().expect("an address");
    let request = Request::get("/")
        .header("host", "some.previews.example")
        .body(Full::new(Bytes::new()))
        .expect("a request");
    let answer = preview.ingress.serve_host(preview.id, peer, request.clone()).await;
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(body, r#""some.previews.example" "192.0.2.7""#);
    assert_eq!(preview.ingress.serve_host(PreviewId::new(), peer, request).await.status(), 404);
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn finished(&self, request: &Finished<'_>) {
        assert!(request.duration >= request.latency);
        let Finished { method, path, status, bytes_in, bytes_out, .. } = request;
        let note = format!("{method} {path} {} {bytes_in} {bytes_out}", status.as_u16());
        self.0.lock().expect("unpoisoned").push(note);
    }
}

#[tokio::test]
async fn every_finished_request_is_shown_to_the_observer() {
    let app = App::new(|request| async move {
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        Response::new(full([&body[..], b"!"].concat()))
    })
    .await;
    let (notes, mut hooks) = (Arc::new(Notes::default()), hooks());
    hooks.observer = Some(notes.clone());
    let preview = Preview::of_with(app.address, config(), hooks).await;
    preview.get("/one?secret=1").await;
    preview.ask("POST /two HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc").await;
    preview.ask("GET /refused HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    app.stop().await;
    preview.get("/three").await;
    until("three were noted", || notes.0.lock().expect("unpoisoned").len() == 3).await;
    let notes = notes.0.lock().expect("unpoisoned").clone();
    assert_eq!(notes, ["GET /one 200 0 1", "POST /two 200 3 4", "GET /three 502 0 0"]);
    let traffic = preview.traffic();
    assert_eq!((traffic.requests, traffic.errors, traffic.bytes_in, traffic.bytes_out), (3, 1, 3, 5));
    let (moment, time) = traffic.last_activity.expect("there was some");
    assert!(moment.elapsed() < Duration::from_secs(20));
    assert!((chrono::Utc::now() - time).num_seconds() < 20);
}
