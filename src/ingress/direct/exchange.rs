//! One request over a kept socket, or over a new one where the kept one turns out to have been closed.

use hyper::http::request::Parts;
use hyper::{Method, Response};

use super::body::DirectBody;
use super::connection::{DirectConnection, Failure};
use super::head::Head;
use crate::ingress::exchange::{lost, not_reached};
use crate::ingress::fault::Fault;
use crate::ingress::gate::Gate;
use crate::ingress::upstream::Patience;

/// As [`crate::ingress::exchange::exchange`], for a request without a body.
pub(in crate::ingress) async fn exchange(
    gate: &Gate,
    request: &Parts,
    patience: &Patience,
) -> Result<Response<DirectBody>, Fault> {
    let (address, kept) = gate.checkout(patience.started).await?;
    let deadline = patience.until();
    if let Some(mut connection) = kept {
        match DirectConnection::ask(&mut connection, request, deadline).await {
            Ok(head) => return Ok(answer(connection, head, address)),
            Err(Failure::Unsent) => {}
            Err(Failure::Lost) if is_safe_twice(&request.method) => {}
            Err(failure) => return Err(fault(failure)),
        }
    }
    Box::pin(async {
        let mut connection = match DirectConnection::open(address, gate.shared.config.connect_timeout).await {
            Ok(connection) => connection,
            Err(error) => return Err(not_reached(gate, error).await),
        };
        gate.upstreams.is_at(address)?;
        match connection.ask(request, deadline).await {
            Ok(head) => Ok(answer(connection, head, address)),
            Err(failure @ (Failure::Lost | Failure::Unsent)) => Err(lost(gate, fault(failure)).await),
            Err(failure) => Err(fault(failure)),
        }
    })
    .await
}

fn answer(connection: DirectConnection, head: Head, address: std::net::SocketAddr) -> Response<DirectBody> {
    let Head { response, framing, keeps } = head;
    response.map(|()| DirectBody::new(connection, framing, keeps, address))
}

/// RFC 9110, 9.2.2.
fn is_safe_twice(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}

fn fault(failure: Failure) -> Fault {
    match failure {
        Failure::TimedOut => Fault::Timeout,
        Failure::Garbage(wrong) => Fault::BadAnswer(format!("the app's answer is not HTTP: {wrong}")),
        Failure::Lost | Failure::Unsent => {
            Fault::BadAnswer("the app closed the connection without an answer".to_owned())
        }
    }
}
