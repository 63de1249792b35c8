//! One request over one connection, or a second one where the first turns out to have been closed.

use std::io;
use std::net::SocketAddr;

use hyper::body::Incoming;
use hyper::{Method, Request, Response};

use super::body::Outbound;
use super::fault::Fault;
use super::gate::Gate;
use super::hooks::Diagnosis;
use super::upstream::{Connection, Failure, Lease, Patience};

type Exchanged = Result<(Response<Incoming>, Lease), Fault>;

/// Sends the request over a kept connection, or a new one.
///
/// An app closes kept connections when it likes, also at the moment a request is on its way. Such a
/// request is sent once more, over a new connection, if none of it had left, or if it has no body and
/// means the same when done twice (RFC 9110, 9.2.2).
pub(super) async fn exchange(gate: &Gate, mut request: Request<Outbound>, patience: &Patience) -> Exchanged {
    let (address, kept) = gate.checkout::<Connection>(patience.started).await?;
    if let Some(mut connection) = kept
        && connection.is_usable().await
    {
        let again = replay(&request);
        match connection.send(request, patience).await {
            Ok(response) => return Ok((response, lease(connection, address, patience))),
            Err(Failure::Unsent(unsent)) => request = *unsent,
            Err(failure @ Failure::Lost) => request = again.ok_or_else(|| fault(failure, patience))?,
            Err(failure) => return Err(fault(failure, patience)),
        }
    }
    Box::pin(send_afresh(gate, address, request, patience)).await
}

/// Sends the request over a connection of its own, for what may not be tried twice.
pub(super) async fn exchange_afresh(
    gate: &Gate,
    request: Request<Outbound>,
    patience: &Patience,
) -> Exchanged {
    let (address, _) = gate.checkout::<Connection>(patience.started).await?;
    send_afresh(gate, address, request, patience).await
}

async fn send_afresh(
    gate: &Gate,
    address: SocketAddr,
    request: Request<Outbound>,
    patience: &Patience,
) -> Exchanged {
    let limit = gate.shared.config.connect_timeout;
    let mut connection = match Connection::open(address, limit).await {
        Ok(connection) => connection,
        Err(error) => return Err(not_reached(gate, error).await),
    };
    gate.upstreams.is_at(address)?;
    match connection.send(request, patience).await {
        Ok(response) => Ok((response, lease(connection, address, patience))),
        Err(failure @ Failure::Lost) => Err(lost(gate, fault(failure, patience)).await),
        Err(failure) => Err(fault(failure, patience)),
    }
}

fn lease(connection: Connection, address: SocketAddr, patience: &Patience) -> Lease {
    Lease { connection, address, meter: patience.meter.clone() }
}

/// A second copy of a request that may be sent twice.
fn replay(request: &Request<Outbound>) -> Option<Request<Outbound>> {
    let is_safe_twice = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    );
    (is_safe_twice && request.body().is_empty()).then(|| {
        let mut copy = Request::new(Outbound::Empty);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

pub(super) async fn not_reached(gate: &Gate, error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::Refused(gate.diagnose().await),
        io::ErrorKind::TimedOut => Fault::Timeout,
        _ => Fault::Unreachable(error),
    }
}

/// A new connection that ended without an answer. Where the engine forwards a published port, its proxy
/// accepts for an app that does not listen, and this is how that looks.
pub(super) async fn lost(gate: &Gate, fault: Fault) -> Fault {
    if !matches!(fault, Fault::BadAnswer(_)) {
        return fault;
    }
    match gate.diagnose().await {
        Diagnosis::Unknown => fault,
        diagnosis => Fault::Refused(diagnosis),
    }
}

fn fault(failure: Failure, patience: &Patience) -> Fault {
    let meter = patience.meter.as_ref();
    if meter.is_some_and(|meter| meter.has_failed()) {
        return Fault::ClientGone;
    }
    match failure {
        Failure::TimedOut if meter.is_some_and(|meter| !meter.has_ended()) => Fault::StalledBody,
        Failure::TimedOut => Fault::Timeout,
        Failure::Garbage(error) => Fault::BadAnswer(format!("the app's answer is not HTTP: {error}")),
        Failure::Lost | Failure::Unsent(_) => {
            Fault::BadAnswer("the app closed the connection without an answer".to_owned())
        }
    }
}
