//! For tests: a console that is read back, and an HTTP server that answers as the test says.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::client::Client;
use super::context::Context;
use super::output::Console;
use super::settings::Token;

/// What was written to one of the console's streams.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

pub type Body = BoxBody<Bytes, std::io::Error>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
    /// Last path segments of the requests before this one.
    before: Vec<String>,
}

pub struct Server {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Seen>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("lock").clone()).expect("UTF-8")
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A console and what it writes to stdout and stderr.
pub fn captured(json: bool) -> (Console, Captured, Captured) {
    let (out, err) = (Captured::default(), Captured::default());
    (Console::to(Box::new(out.clone()), Box::new(err.clone()), json), out, err)
}

/// A context whose daemon is `server`, with the token `t0k3n`.
pub fn context(server: &Server, json: bool) -> (Context, Captured, Captured) {
    let (console, out, err) = captured(json);
    let client = Client::new(&server.url(), Token::new("t0k3n", "the token in PREVIEW_TOKEN"));
    (Context { client: client.expect("a URL"), console }, out, err)
}

impl Server {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn calls(&self) -> Vec<Seen> {
        self.calls.lock().expect("lock").clone()
    }

    pub fn count(&self, method: &str) -> usize {
        self.calls().iter().filter(|call| call.method == method).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// How many requests before this one ended in `segment`.
    pub fn seen_before(&self, segment: &str) -> usize {
        self.before.iter().filter(|last| *last == segment).count()
    }
}

/// Serves on a free port until it is dropped. A handler that panics breaks the connection, which
/// the command under test then reports.
pub async fn serve(handler: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let handler = Arc::new(handler);
    let seen = calls.clone();
    let accepting = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (handler, seen) = (handler.clone(), seen.clone());
            let service = service_fn(move |request| answer(request, handler.clone(), seen.clone()));
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
        }
    });
    Server { address, calls, accepting }
}

async fn answer<H: Fn(&Seen) -> Response<Body>>(
    request: Request<Incoming>,
    handler: Arc<H>,
    calls: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let call = {
        let mut calls = calls.lock().expect("lock");
        let last = |call: &Seen| call.path.rsplit('/').next().unwrap_or_default().to_owned();
        let call = Seen {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
            before: calls.iter().map(last).collect(),
        };
        calls.push(call.clone());
        call
    };
    Ok(handler(&call))
}

pub fn respond(status: u16, kind: &str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed();
    Response::builder().status(status).header("content-type", kind).body(body).expect("a response")
}

pub fn json_answer(status: u16, value: &Value) -> Response<Body> {
    respond(status, "application/json", value.to_string())
}

/// A problem; `status` is put into it.
pub fn problem(status: u16, value: &Value) -> Response<Body> {
    let mut value = value.clone();
    value["status"] = status.into();
    respond(status, "application/problem+json", value.to_string())
}

pub fn empty(status: u16) -> Response<Body> {
    respond(status, "application/json", "")
}

/// A stream of events that ends as it should after these chunks.
pub fn sse(chunks: &[&str]) -> Response<Body> {
    respond(200, "text/event-stream", chunks.concat())
}

/// A stream of events whose connection breaks after these chunks.
pub fn broken_sse(chunks: &[&str]) -> Response<Body> {
    let chunks = chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from((*chunk).to_owned()))));
    let mut frames: Vec<_> = chunks.collect();
    frames.push(Err(std::io::Error::other("cut")));
    // One frame a poll, so that what comes before the cut is written.
    let paced = stream::unfold(frames.into_iter(), |mut frames| async move {
        tokio::task::yield_now().await;
        frames.next().map(|frame| (frame, frames))
    });
    let body = BodyExt::boxed(StreamBody::new(Box::pin(paced)));
    Response::builder().header("content-type", "text/event-stream").body(body).expect("a response")
}

/// Splits a line as a shell would, as far as single and double quotes go.
pub fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
