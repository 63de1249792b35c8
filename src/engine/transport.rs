//! How bytes get to the engine: one connection a request, over a Unix socket or TCP.
//!
//! Our own, because the client library's opens sockets it never closes: the session that goes
//! with every BuildKit build would stay open for good. Here every connection ends, at the
//! latest, with the lifetime it was opened in.

use std::future::Future as _;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bollard::errors::Error as Bollard;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::EngineError;

/// The longest answer that is read whole: a hundred thousand records of the build cache.
const MOST_BYTES: usize = 64 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", place)) if is_host_and_port(place.trim_end_matches('/')) => {
                Ok(Self::Tcp(place.trim_end_matches('/').to_owned()))
            }
            _ => Err(EngineError::Address { address: text.to_owned() }),
        }
    }

    /// The engine is on this machine, so far as its address tells.
    pub fn is_local(&self) -> bool {
        let Self::Tcp(place) = self else { return true };
        let host = place.rsplit_once(':').map_or(place.as_str(), |(host, _)| host);
        let is_loopback = |host: &str| host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        host == "localhost" || is_loopback(host.trim_matches(['[', ']']))
    }

    /// A client whose connections all end with `lifetime`. Nothing is connected yet.
    pub fn client(&self, lifetime: CancellationToken) -> Result<Docker, Bollard> {
        // The library's own timeout must never strike first: it covers only response heads,
        // and a build or a stop may rightly take longer than any one value.
        const LIBRARY_TIMEOUT_S: u64 = 24 * 60 * 60;
        let base = match self {
            Self::Unix(_) => "http://localhost".to_owned(),
            Self::Tcp(place) => format!("http://{place}"),
        };
        let address = self.clone();
        let transport = move |request| address.clone().send(lifetime.clone(), request);
        Docker::connect_with_custom_transport(transport, Some(base), LIBRARY_TIMEOUT_S, API_DEFAULT_VERSION)
    }

    /// The body of an answer that the client library cannot read as all engines write it. `path` is
    /// from the root, so that the engine answers as its own version does.
    pub async fn get(&self, path: &str) -> Result<Bytes, Bollard> {
        let request = Request::get(path).body(bollard::body_full(Bytes::new()))?;
        let answer = self.clone().send(CancellationToken::new(), request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| Bollard::IOError { err: io::Error::other(error) })?.to_bytes();
        if !status.is_success() {
            let message = String::from_utf8_lossy(&body).into_owned();
            return Err(Bollard::DockerResponseServerError { status_code: status.as_u16(), message });
        }
        Ok(body)
    }

    async fn send(
        self,
        lifetime: CancellationToken,
        request: BollardRequest,
    ) -> Result<Response<Incoming>, Bollard> {
        match self {
            Self::Unix(path) => exchange(UnixStream::connect(path).await?, lifetime, request).await,
            Self::Tcp(place) => exchange(TcpStream::connect(place).await?, lifetime, request).await,
        }
    }
}

fn is_host_and_port(place: &str) -> bool {
    let parts = place.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && !place.contains('/') && port.parse::<u16>().is_ok())
}

/// One request and the head of its answer. The connection closes when the answer's body has
/// been read or dropped.
async fn exchange<T>(
    stream: T,
    lifetime: CancellationToken,
    mut request: BollardRequest,
) -> Result<Response<Incoming>, Bollard>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Mortal {
        stream,
        lifetime: lifetime.clone(),
        end: Box::pin(lifetime.cancelled_owned()),
    });
    let (mut sender, connection) = http1::handshake(io).await?;
    // Its errors are those of the request and of the body.
    tokio::spawn(connection.with_upgrades());
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    request.headers_mut().insert(HOST, host.unwrap_or(HeaderValue::from_static("localhost")));
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
    Ok(sender.send_request(request).await?)
}

/// A stream that is at its end once its lifetime is.
struct Mortal<T> {
    stream: T,
    lifetime: CancellationToken,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Mortal<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Mortal<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.lifetime.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_work_are_refused() {
        assert_eq!(Address::parse("unix:///run/e.sock"), Ok(Address::Unix("/run/e.sock".into())));
        assert_eq!(Address::parse("tcp://[::1]:2375"), Ok(Address::Tcp("[::1]:2375".into())));
        assert_eq!(Address::parse("http://engine:2375/"), Ok(Address::Tcp("engine:2375".into())));
        let bad = [
            "",
            "unix://",
            "unix://a",
            "ssh://host",
            "/run/e.sock",
            "npipe://x",
            "tcp://host",
            "tcp://:1",
            "tcp://host:x",
            "tcp://host:1/path",
            "https://host:2376",
        ];
        for text in bad {
            assert!(matches!(Address::parse(text), Err(EngineError::Address { .. })), "{text:?}");
        }
    }

    #[test]
    fn only_sockets_and_loopback_are_local() {
        let is_local = |text: &str| Address::parse(text).expect("well-formed").is_local();
        for text in ["unix:///a/b", "tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375"] {
            assert!(is_local(text), "{text}");
        }
        assert!(!is_local("tcp://10.0.0.5:2375"));
        assert!(!is_local("tcp://engine.example:2375"));
    }
}
