//! Where a preview's requests go, and the connections kept for them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Config;
use super::alarm::Alarm;
use super::body::{Meter, Outbound};
use super::fault::Fault;

/// What is behind a preview's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// Nothing yet; what is being done about it, as in "being built".
    Waiting { what: String },
    /// Nothing is known yet, as of a preview that an earlier run of the daemon left serving: a request
    /// waits until it is.
    Returning,
    /// The container's recorded address: the only one that is ever dialled.
    At { address: SocketAddr },
    /// A container that is frozen because nobody used it: a request has it woken, and waits.
    Asleep,
    /// A container that somebody wants frozen.
    Paused,
    /// It has ended; why, in words.
    Down { reason: String },
}

/// The upstream and its idle connections. One short lock, because they change together.
#[derive(Debug)]
pub(super) struct Upstreams {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    upstream: Upstream,
    /// The one used last is at the end, and used first: the others may grow old.
    idle: Vec<Idle>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// An open connection to the container.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Outbound>,
    alarm: Alarm,
}

/// A connection while it carries a request.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) connection: Connection,
    pub(super) address: SocketAddr,
    /// Says whether the request has been sent to its end.
    pub(super) meter: Option<Arc<Meter>>,
}

/// Why a connection brought no answer.
pub(super) enum Failure {
    /// Nothing of the request was sent; here it is.
    Unsent(Box<Request<Outbound>>),
    /// The connection ended, or broke, before an answer.
    Lost,
    /// An answer that is not HTTP.
    Garbage(hyper::Error),
    TimedOut,
}

/// How long to wait for an answer: the limit starts anew with each piece of the request's body.
pub(super) struct Patience {
    pub(super) started: Instant,
    limit: Duration,
    pub(super) meter: Option<Arc<Meter>>,
}

impl Upstreams {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { upstream: Upstream::Returning, idle: Vec::new() }) }
    }

    pub(super) fn set(&self, upstream: Upstream) {
        let mut state = self.lock();
        if state.upstream != upstream {
            state.upstream = upstream;
            // Dropped after the lock is released: closing sockets takes time.
            let old = std::mem::take(&mut state.idle);
            drop(state);
            drop(old);
        }
    }

    /// The recorded address, while there is one that answers.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self.lock().upstream {
            Upstream::At { address } => Some(address),
            _ => None,
        }
    }

    /// The address to ask, and a kept connection to it if there is one.
    pub(super) fn take(
        &self,
        now: Instant,
        config: &Config,
    ) -> Result<(SocketAddr, Option<Connection>), Fault> {
        let mut state = self.lock();
        let address = match &state.upstream {
            Upstream::At { address } => *address,
            Upstream::Waiting { what } => return Err(Fault::Waiting(what.clone())),
            Upstream::Returning => return Err(Fault::Returning),
            Upstream::Asleep => return Err(Fault::Asleep),
            Upstream::Paused => return Err(Fault::Paused),
            Upstream::Down { reason } => return Err(Fault::Down(reason.clone())),
        };
        while let Some(idle) = state.idle.pop() {
            if now.saturating_duration_since(idle.since) >= config.idle_timeout {
                state.idle.clear();
            } else if !idle.connection.sender.is_closed() {
                return Ok((address, Some(idle.connection)));
            }
        }
        Ok((address, None))
    }

    /// Keeps the connection for another request, unless it is of no more use.
    pub(super) fn give_back(&self, lease: Lease, now: Instant, config: &Config) {
        let sent_to_its_end = lease.meter.as_ref().is_none_or(|meter| meter.has_ended());
        if !sent_to_its_end || lease.connection.sender.is_closed() {
            return;
        }
        let mut state = self.lock();
        let is_current = matches!(state.upstream, Upstream::At { address } if address == lease.address);
        if is_current && state.idle.len() < config.max_idle {
            state.idle.push(Idle { connection: lease.connection, since: now });
        }
    }

    /// Closes the connections that have been idle for too long.
    pub(super) fn prune(&self, config: &Config) {
        let mut state = self.lock();
        let fresh = |idle: &Idle| idle.since.elapsed() < config.idle_timeout;
        let old = state.idle.iter().position(fresh).unwrap_or(state.idle.len());
        let old: Vec<Idle> = state.idle.drain(..old).collect();
        drop(state);
        drop(old);
    }

    /// A panic while it was held cannot have left it half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Opens a connection. The error tells a refusal from a time-out.
    pub(super) async fn open(address: SocketAddr, limit: Duration) -> io::Result<Self> {
        let socket = timeout(limit, TcpStream::connect(address)).await??;
        socket.set_nodelay(true)?;
        let handshake = http1::handshake(TokioIo::new(socket)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%address, %error, "connection to the app");
            }
        });
        Ok(Self { sender, alarm: Alarm::default() })
    }

    /// Whether a kept connection can carry a request. Its last answer may have been read a moment
    /// before the connection itself took notice of that.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.sender.is_ready() || matches!(timeout(SETTLE, self.sender.ready()).await, Ok(Ok(())))
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Outbound>,
        patience: &Patience,
    ) -> Result<Response<Incoming>, Failure> {
        let Self { sender, alarm } = self;
        let mut answer = pin!(sender.try_send_request(request));
        let mut until = patience.started + patience.limit;
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(|mut error| match error.take_message() {
                    Some(request) => Failure::Unsent(Box::new(request)),
                    None if error.error().is_parse() => Failure::Garbage(error.into_error()),
                    None => Failure::Lost,
                }));
            }
            loop {
                ready!(alarm.poll(cx, until));
                match patience.more(until) {
                    Some(later) => until = later,
                    None => return Poll::Ready(Err(Failure::TimedOut)),
                }
            }
        })
        .await
    }
}

impl Patience {
    pub(super) fn new(started: Instant, limit: Duration, body: &Outbound) -> Self {
        Self { started, limit, meter: body.meter() }
    }

    /// A later end, if the request was still being sent not long ago.
    fn more(&self, until: Instant) -> Option<Instant> {
        let later = self.meter.as_ref()?.latest() + self.limit;
        (later > until).then_some(later)
    }
}

/// How long a kept connection may take to be ready for its next request.
const SETTLE: Duration = Duration::from_millis(100);
