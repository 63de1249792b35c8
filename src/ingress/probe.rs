//! Whether an app answers, and what it says of itself: one request over a connection of its own,
//! counted nowhere.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What a probe met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// An HTTP answer with this status; redirects are not followed.
    Status(u16),
    /// No connection: nothing listens, or the address cannot be reached.
    Refused,
    /// Connected or not, there was no answer in time.
    Timeout,
    /// A connection that ended without an answer, or with one that is not HTTP.
    Garbage,
}

/// Asks for `path`. The status is the finding: of the body at most 64 KiB are read, and only so that an
/// app does not complain of a connection that closed early.
pub(super) async fn probe(address: SocketAddr, path: &str, limit: Duration) -> ProbeResult {
    let started = Instant::now();
    let Ok(uri) = path.parse::<Uri>() else { return ProbeResult::Garbage };
    match timeout(limit, ask(address, uri)).await {
        Err(_) => ProbeResult::Timeout,
        Ok(Err(result)) => result,
        Ok(Ok((status, body, _connection))) => {
            let rest = limit.saturating_sub(started.elapsed()).min(POLITENESS);
            // What is left unread, and whether it ever ends, does not matter.
            let _ = timeout(rest, read_a_little(body)).await;
            ProbeResult::Status(status)
        }
    }
}

/// Asks for `path` and brings the body of an answer that is a success, whole: none when there is no
/// such answer in time, or more of it than `most` bytes.
pub(super) async fn fetch(address: SocketAddr, path: &str, limit: Duration, most: usize) -> Option<Bytes> {
    let uri = path.parse::<Uri>().ok()?;
    let whole = async {
        let (status, mut body, _connection) = ask(address, uri).await.ok()?;
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.ok()?.into_data() else { continue };
            if read.len() + data.len() > most {
                return None;
            }
            read.extend_from_slice(&data);
        }
        (status == 200).then(|| read.freeze())
    };
    timeout(limit, whole).await.ok().flatten()
}

async fn ask(address: SocketAddr, uri: Uri) -> Result<(u16, Incoming, Driver), ProbeResult> {
    let socket = TcpStream::connect(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => ProbeResult::Timeout,
        _ => ProbeResult::Refused,
    })?;
    let handshake = http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = handshake.map_err(|_| ProbeResult::Garbage)?;
    // Its outcome shows in the answer.
    let driver = Driver(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let answer = sender.send_request(request(uri)).await.map_err(|_| ProbeResult::Garbage)?;
    Ok((answer.status().as_u16(), answer.into_body(), driver))
}

/// `localhost`, because that is what visitors say, and what frameworks that check hosts allow.
fn request(uri: Uri) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("previewd-probe"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    request
}

async fn read_a_little(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read >= MOST_READ {
            return;
        }
    }
}

/// Closes the connection when the probe is over, however it ends.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const MOST_READ: usize = 64 * 1024;
const POLITENESS: Duration = Duration::from_secs(1);
