//! Apps, visitors and previews for these tests.

use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use previewd::domain::PreviewId;
use previewd::ingress::{Config, Diagnose, Diagnosis, Hooks, Ingress, Traffic, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Longer than anything here takes, shorter than the patience of whoever waits for the tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Fails a test that hangs.
pub async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what).await.expect("it took too long")
}

/// Waits for a condition.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A range of ports that no other test uses, in whatever process it runs. Files that are locked
/// for as long as this process lives say which are taken.
pub fn port_range(count: u16) -> (u16, u16) {
    const EACH: u16 = 8;
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    assert!(count <= EACH, "ranges are of {EACH}");
    let folder = std::env::temp_dir().join("previewd-test-ports");
    std::fs::create_dir_all(&folder).expect("a folder for locks");
    for first in (10_000..18_000).step_by(usize::from(EACH)) {
        let lock = File::create(folder.join(first.to_string())).expect("a lock file");
        if lock.try_lock().is_ok() {
            TAKEN.lock().expect("a lock that nobody broke").push(lock);
            return (first, first + count - 1);
        }
    }
    panic!("every range of ports is taken");
}

pub fn config() -> Config {
    let (port_min, port_max) = port_range(4);
    Config { port_min, port_max, ..Config::default() }
}

pub struct Says(pub Diagnosis);

impl Diagnose for Says {
    fn refused(&self, _preview: PreviewId) -> BoxFuture<'_, Diagnosis> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

pub fn hooks() -> Hooks {
    Hooks::new(Arc::new(Says(Diagnosis::Unknown)))
}

/// An open preview.
pub struct Preview {
    pub ingress: Ingress,
    pub id: PreviewId,
    pub port: u16,
}

impl Preview {
    pub async fn open(config: Config, hooks: Hooks) -> Self {
        let (ingress, id) = (Ingress::new(config, hooks), PreviewId::new());
        let port = ingress.open(id, None).await.expect("a port");
        Self { ingress, id, port }
    }

    pub async fn of(address: SocketAddr) -> Self {
        Self::of_with(address, config(), hooks()).await
    }

    pub async fn of_with(address: SocketAddr, config: Config, hooks: Hooks) -> Self {
        let preview = Self::open(config, hooks).await;
        preview.set(Upstream::At { address });
        preview
    }

    pub fn set(&self, upstream: Upstream) {
        self.ingress.set_upstream(self.id, upstream);
    }

    pub fn traffic(&self) -> Traffic {
        self.ingress.traffic(self.id).expect("an open preview")
    }

    pub async fn visitor(&self) -> Visitor {
        Visitor::to(self.port).await
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, request: &str) -> Answer {
        let mut visitor = self.visitor().await;
        visitor.send(request).await;
        visitor.answer().await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }
}

pub type AppBody = UnsyncBoxBody<Bytes, std::io::Error>;
type Handler =
    dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Response<AppBody>> + Send>> + Send + Sync;

/// A real HTTP server in the place of a container. Dropped, it takes its connections with it.
pub struct App {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

pub fn full(text: impl Into<Bytes>) -> AppBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

impl App {
    pub async fn new<F, R>(handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<AppBody>> + Send + 'static,
    {
        Self::at("127.0.0.1:0".parse().expect("an address"), handler).await
    }

    pub async fn at<F, R>(address: SocketAddr, handler: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<AppBody>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a listener");
        let address = listener.local_addr().expect("its address");
        let connections = Arc::new(AtomicUsize::new(0));
        let handler: Arc<Handler> = Arc::new(move |request| Box::pin(handler(request)));
        let task = tokio::spawn(serve(listener, handler, connections.clone()));
        Self { address, connections, task }
    }

    /// Says `hello` to everything.
    pub async fn hello() -> Self {
        Self::new(|_| async { Response::new(full("hello")) }).await
    }

    pub async fn stop(self) {
        self.task.abort();
        until("the app has stopped", || self.task.is_finished()).await;
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, connections: Arc<AtomicUsize>) {
    let mut tasks = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        connections.fetch_add(1, SeqCst);
        let handler = handler.clone();
        tasks.spawn(async move {
            let service = service_fn(move |request| {
                let answer = handler(request);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            });
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(socket), service).with_upgrades().await;
        });
    }
}

/// An app that speaks bytes: what it is given is run for each connection.
pub async fn raw_app<F, R>(each: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.expect("a connection");
            tokio::spawn(each(socket, number));
        }
    });
    address
}

/// Reads one head, up to and with the empty line.
pub async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match soon(socket.read_u8()).await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("a head in UTF-8")
}

/// A browser of few words.
pub struct Visitor {
    pub socket: TcpStream,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and headers, as they came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        header_of(&self.head, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub fn header_of<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

impl Visitor {
    pub async fn to(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        Self { socket }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.socket.write_all(bytes.as_ref())).await.expect("sent");
    }

    pub async fn head(&mut self) -> String {
        read_head(&mut self.socket).await
    }

    pub async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer")
    }

    /// None when the connection ends without one.
    pub async fn try_answer(&mut self) -> Option<Answer> {
        let head = self.head().await;
        let status = head.get(9..12)?.parse().ok()?;
        let body = self.body(&head, status).await;
        Some(Answer { status, head, body })
    }

    async fn body(&mut self, head: &str, status: u16) -> Vec<u8> {
        if status == 204 || status == 304 || status < 200 {
            return Vec::new();
        }
        if let Some(length) = header_of(head, "content-length") {
            let mut body = vec![0; length.parse().expect("a length")];
            soon(self.socket.read_exact(&mut body)).await.expect("the body");
            return body;
        }
        if header_of(head, "transfer-encoding").is_some() {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
            return body;
        }
        self.rest().await
    }

    /// One chunk; none for the last one.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line().await, 16).expect("a chunk size");
        let mut chunk = vec![0; size + 2];
        soon(self.socket.read_exact(&mut chunk)).await.expect("a chunk");
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    pub async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(soon(self.socket.read_u8()).await.expect("more of the line"));
        }
        String::from_utf8(line).expect("UTF-8").trim_end().to_owned()
    }

    /// Everything until the connection is closed.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = soon(self.socket.read_to_end(&mut rest)).await;
        rest
    }
}

/// An app that nothing should reach: it counts what does.
pub struct Hidden {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
    _app: App,
}

impl Hidden {
    pub async fn new() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let app = App::new(move |_| {
            count.fetch_add(1, SeqCst);
            async { Response::new(full("reached")) }
        })
        .await;
        Self { address: app.address, requests, _app: app }
    }

    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}
