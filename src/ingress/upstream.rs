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
use super::direct::DirectConnection;
use super::fault::Fault;
use super::idle::Idle;

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
pub(super) struct State {
    upstream: Upstream,
    general: Idle<Connection>,
    direct: Idle<DirectConnection>,
}

/// A connection that can be kept for another request.
pub(super) trait Kept: Sized {
    fn idle(state: &mut State) -> &mut Idle<Self>;

    /// Whether the app has not closed it, as far as can be told at once.
    fn is_open(&self) -> bool;
}

/// An open connection to the container, for any request.
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
        Self { state: Mutex::new(State::new(Upstream::Returning)) }
    }

    pub(super) fn set(&self, upstream: Upstream) {
        let mut state = self.lock();
        if state.upstream != upstream {
            // Dropped after the lock is released: closing sockets takes time.
            let old = std::mem::replace(&mut *state, State::new(upstream));
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

    /// Whether this is the address to ask, still: for a connection that has just been opened. While it
    /// was, the container may have gone and its address become another preview's, but not before it
    /// was taken from here.
    pub(super) fn is_at(&self, address: SocketAddr) -> Result<(), Fault> {
        match self.lock().upstream.there()? {
            current if current == address => Ok(()),
            _ => Err(Fault::Down("it was started anew".to_owned())),
        }
    }

    /// The address to ask, and a kept connection to it if there is one.
    pub(super) fn take<C: Kept>(
        &self,
        now: Instant,
        config: &Config,
    ) -> Result<(SocketAddr, Option<C>), Fault> {
        let mut state = self.lock();
        let address = state.upstream.there()?;
        Ok((address, C::idle(&mut state).take(now, config.idle_timeout)))
    }

    /// Keeps the connection for another request, unless it is of no more use.
    pub(super) fn give_back(&self, lease: Lease, now: Instant, config: &Config) {
        let sent_to_its_end = lease.meter.as_ref().is_none_or(|meter| meter.has_ended());
        if sent_to_its_end && lease.connection.is_open() {
            self.keep(lease.connection, lease.address, now, config);
        }
    }

    /// Keeps a connection that is of further use, while its address is the recorded one.
    pub(super) fn keep<C: Kept>(&self, connection: C, address: SocketAddr, now: Instant, config: &Config) {
        let mut state = self.lock();
        let is_current = matches!(state.upstream, Upstream::At { address: current } if current == address);
        if is_current && state.general.len() + state.direct.len() < config.max_idle {
            C::idle(&mut state).put(connection, now);
        }
    }

    /// Closes the connections that have been idle for too long.
    pub(super) fn prune(&self, config: &Config) {
        let mut state = self.lock();
        let general = state.general.take_old(config.idle_timeout);
        let direct = state.direct.take_old(config.idle_timeout);
        drop(state);
        drop((general, direct));
    }

    /// A panic while it was held cannot have left it half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    /// Its address, or why it is not to be asked now.
    fn there(&self) -> Result<SocketAddr, Fault> {
        match self {
            Self::At { address } => Ok(*address),
            Self::Waiting { what } => Err(Fault::Waiting(what.clone())),
            Self::Returning => Err(Fault::Returning),
            Self::Asleep => Err(Fault::Asleep),
            Self::Paused => Err(Fault::Paused),
            Self::Down { reason } => Err(Fault::Down(reason.clone())),
        }
    }
}

impl State {
    const fn new(upstream: Upstream) -> Self {
        Self { upstream, general: Idle::new(), direct: Idle::new() }
    }
}

impl Kept for Connection {
    fn idle(state: &mut State) -> &mut Idle<Self> {
        &mut state.general
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Kept for DirectConnection {
    fn idle(state: &mut State) -> &mut Idle<Self> {
        &mut state.direct
    }

    fn is_open(&self) -> bool {
        Self::is_open(self)
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
        let mut until = patience.until();
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

    /// When it ends, unless more of the request is sent.
    pub(super) fn until(&self) -> Instant {
        self.started + self.limit
    }

    /// A later end, if the request was still being sent not long ago.
    fn more(&self, until: Instant) -> Option<Instant> {
        let later = self.meter.as_ref()?.latest() + self.limit;
        (later > until).then_some(later)
    }
}

/// How long a kept connection may take to be ready for its next request.
const SETTLE: Duration = Duration::from_millis(100);
