//! A preview's port: the listening socket, and what is served on each connection.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::answer::answer;
use super::body::Outbound;
use super::client_stream::ClientStream;
use super::gate::Gate;
use super::visit::Visit;

/// Listens on a port.
pub(super) fn listen(bind: IpAddr, port: u16) -> io::Result<TcpListener> {
    let socket = match bind {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port just closed has connections in TIME_WAIT; this does not share a port that is listened on.
    socket.set_reuseaddr(true)?;
    // Inherited by what is accepted: ends tunnels whose visitor has vanished.
    socket.set_keepalive(true)?;
    socket.bind(SocketAddr::new(bind, port))?;
    socket.listen(BACKLOG)
}

/// Accepts until the gate closes. The port is free when this returns.
pub(super) async fn accept_all(gate: Arc<Gate>, listener: TcpListener) {
    let mut tick = interval(gate.shared.config.idle_timeout.max(SHORTEST_TICK));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = gate.closed.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => admit(&gate, socket, peer.ip()),
                Err(error) => refused_by_the_system(&gate, &error).await,
            },
            _ = tick.tick() => gate.upstreams.prune(&gate.shared.config),
        }
    }
}

/// Out of descriptors, most likely: to try again at once would only burn the processor.
async fn refused_by_the_system(gate: &Gate, error: &io::Error) {
    tracing::warn!(preview = %gate.preview, port = gate.port, %error, "accepting a connection");
    sleep(Duration::from_millis(50)).await;
}

fn admit(gate: &Arc<Gate>, socket: TcpStream, peer: IpAddr) {
    if !gate.tally.connect(gate.shared.config.max_connections) {
        tracing::debug!(preview = %gate.preview, %peer, "too many connections");
        return;
    }
    let visit = Arc::new(Visit::on_port(gate.clone(), peer));
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    let stream = ClientStream::new(socket, visit.clone());
    gate.tasks.spawn(serve(visit, stream));
}

async fn serve(visit: Arc<Visit>, stream: ClientStream) {
    let mut member = visit.gate.join();
    let drain = visit.gate.shared.config.drain_timeout;
    let service = service_fn(move |request: Request<Incoming>| {
        let visit = visit.clone();
        async move {
            let request = request.map(|body| Outbound::incoming(body, &visit));
            Ok::<_, Infallible>(answer(&visit, request).await)
        }
    });
    let connection = server().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        outcome = &mut connection => note(outcome),
        () = member.ended() => {
            connection.as_mut().graceful_shutdown();
            if let Ok(outcome) = timeout(drain, connection).await {
                note(outcome);
            }
        }
    }
}

fn server() -> http1::Builder {
    let mut server = http1::Builder::new();
    // `ClientStream` has all the deadlines, and needs no timer for each request. `pipeline_flush` stays off:
    // with it, the 400 for a head that cannot be parsed is never sent.
    server.header_read_timeout(None).max_header_size(MAX_HEAD);
    server
}

/// A connection that broke is the visitor's affair; what the app did is accounted for with the answer.
fn note(outcome: hyper::Result<()>) {
    if let Err(error) = outcome {
        tracing::trace!(%error, "a visitor's connection");
    }
}

const BACKLOG: u32 = 1024;
/// Bytes of a request head.
const MAX_HEAD: usize = 64 * 1024;
const SHORTEST_TICK: Duration = Duration::from_millis(100);
