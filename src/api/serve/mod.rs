//! Connections to the API: accepted, bounded in number and in patience, drained at the end.
//!
//! Whoever sends half a head, or takes nothing of what is sent, is disconnected in bounded time
//! and has cost a bounded amount of memory meanwhile.

mod stall;
pub mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use self::stall::Impatient;
use self::tls::Tls;
use crate::ingress::{Encrypted, Judged};

/// What one connection may take.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_API_CONNECTIONS`, default 4096: open at once. Others wait to be accepted.
    pub connections: usize,
    /// `PREVIEW_API_HEADER_TIMEOUT`, seconds, default 30: for a whole head, and between requests.
    pub header_timeout: Duration,
    /// `PREVIEW_API_SEND_TIMEOUT`, seconds, default 60: the longest a client may take nothing of
    /// what is being sent.
    pub send_timeout: Duration,
    /// `PREVIEW_API_HEADER_KB`, KiB, default 64: a head that is longer is refused with 431.
    pub header_bytes: usize,
    /// Whether and with what connections are encrypted; default not.
    pub tls: Option<tls::Files>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(60),
            header_bytes: 64 * 1024,
            tls: None,
        }
    }
}

/// More than any client of ours sends.
const MOST_HEADERS: usize = 100;

/// Serves until `shutdown`, and then until requests under way have ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: Config,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(config.connections));
    let connections = TaskTracker::new();
    let follower = tls.clone().map(|tls| tokio::spawn(tls.follow(shutdown.clone())));
    let server = Arc::new(Server { router, config, tls });
    while let Some((socket, peer, slot)) = next(&listener, &slots, &shutdown).await {
        let connection = Arc::clone(&server).connection(socket, peer, shutdown.clone());
        connections.spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    if let Some(follower) = follower {
        follower.abort();
    }
}

/// The next connection, when there is room for one.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accept = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => return Some((socket, peer, slot)),
                Err(error) => {
                    // Out of descriptors, most likely: some connection has to end first.
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::select! {
        accepted = accept => accepted,
        () = shutdown.cancelled() => None,
    }
}

struct Server {
    router: Router,
    config: Config,
    tls: Option<Tls>,
}

impl Server {
    async fn connection(self: Arc<Self>, socket: TcpStream, peer: SocketAddr, shutdown: CancellationToken) {
        // Lines of log are small and come one by one: none waits for the acknowledgement of another.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "small writes may be held back");
        }
        let socket = Impatient::new(socket, self.config.send_timeout);
        let Some(tls) = &self.tls else { return self.http(socket, peer, false, shutdown).await };
        match timeout(self.config.header_timeout, tls.acceptor().accept(socket)).await {
            Ok(Ok(socket)) => self.http(socket, peer, true, shutdown).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn http<S>(&self, socket: S, peer: SocketAddr, is_encrypted: bool, shutdown: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let router = self.router.clone();
        let upgraded = Arc::new(AtomicBool::new(false));
        let socket = Judged::new(socket, Arc::clone(&upgraded));
        let service = service_fn(move |request| {
            let answer = answer(router.clone(), peer, is_encrypted, request);
            let upgraded = Arc::clone(&upgraded);
            async move {
                let answer = answer.await;
                if answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::SWITCHING_PROTOCOLS) {
                    upgraded.store(true, Relaxed);
                }
                answer
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_buf_size(self.config.header_bytes.max(LEAST_BUFFER))
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = shutdown.cancelled() => {
                // What is being answered still is; nothing new is read.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }
}

/// hyper takes no smaller one.
const LEAST_BUFFER: usize = 8192;

async fn answer(
    router: Router,
    peer: SocketAddr,
    is_encrypted: bool,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    if is_encrypted {
        request.extensions_mut().insert(Encrypted);
    }
    router.oneshot(request.map(Body::new)).await
}
