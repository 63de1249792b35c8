//! A request and its answer, start to end. This is the hot path.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode, Version};

use super::body::{Answered, Body, Outbound};
use super::direct;
use super::door;
use super::exchange::{exchange, exchange_afresh};
use super::fault::Fault;
use super::headers::{self, Seen};
use super::live;
use super::pages;
use super::record::Record;
use super::trace;
use super::tunnel;
use super::upstream::{Lease, Patience};
use super::visit::Visit;

/// Answers a visitor: with what the app says, or with a page that says why it says nothing.
pub(super) async fn answer(visit: &Arc<Visit>, mut request: Request<Outbound>) -> Response<Body> {
    if visit.gate.live.is_on()
        && let Some(own) = live::own_answer(visit, &request)
    {
        return own;
    }
    let seen = Seen::of(request.headers());
    let refreshes = visit.gate.live.is_on() && live::asks_for_page(&request, seen.accepts_html);
    if refreshes {
        live::uncompressed(&mut request);
    }
    let limit = visit.gate.shared.config.request_timeout;
    match door::pass(visit, &mut request) {
        Ok(None) => {}
        Ok(Some(way_on)) => return way_on,
        Err(fault) => {
            visit.refuse();
            return pages::page(&fault, seen.accepts_html);
        }
    }
    match forward(visit, request, &seen, limit).await {
        Ok(response) if refreshes => live::add(response),
        Ok(response) => response,
        Err(fault) => pages::page(&fault, seen.accepts_html),
    }
}

/// Passes a request on to the app, whose answer must begin within `limit` of the request's last byte.
pub(super) async fn forward(
    visit: &Arc<Visit>,
    mut request: Request<Outbound>,
    seen: &Seen,
    limit: Duration,
) -> Result<Response<Body>, Fault> {
    trace::give(&mut request);
    visit.serve();
    let mut record = Record::begin(visit, &request);
    match pass(visit, request, seen, record.started(), limit).await {
        Ok((response, lease)) => Ok(deliver(response, lease, record)),
        Err(fault) => {
            if let Some(kind) = fault.of_the_app() {
                record.failed(fault.status(), kind);
            }
            Err(fault)
        }
    }
}

async fn pass(
    visit: &Arc<Visit>,
    request: Request<Outbound>,
    seen: &Seen,
    started: Instant,
    limit: Duration,
) -> Result<(Response<Answered>, Option<Lease>), Fault> {
    let (mut head, body) = request.into_parts();
    let upgrade = headers::inward(&mut head, seen, visit)?;
    let client = head.extensions.remove::<OnUpgrade>();
    head.extensions.clear();
    let patience = Patience::new(started, limit, &body);
    if let (Some(protocol), Some(client), true) = (upgrade, client, body.is_empty()) {
        tunnel::ask(&mut head, protocol);
        let (mut response, lease) =
            Box::pin(exchange_afresh(&visit.gate, Request::from_parts(head, body), &patience)).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            tunnel::dig(visit, client, &mut response);
            return Ok((response.map(Answered::General), None));
        }
        return Ok((response.map(Answered::General), Some(lease)));
    }
    let (response, lease) = if body.is_empty() && !seen.takes_trailers() {
        (direct::exchange(&visit.gate, &head, &patience).await?.map(Answered::Direct), None)
    } else {
        let request = Request::from_parts(head, body);
        let (response, lease) = Box::pin(exchange(&visit.gate, request, &patience)).await?;
        (response.map(Answered::General), Some(lease))
    };
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            Err(Fault::BadAnswer("the app changed the protocol without being asked".to_owned()))
        }
        _ => Ok((response, lease)),
    }
}

fn deliver(response: Response<Answered>, lease: Option<Lease>, mut record: Box<Record>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    record.answered(head.status, lease);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Response::from_parts(head, Body::empty());
    }
    headers::outward(&mut head.headers, head.status);
    // What the app speaks ends here: an answer without a length must not cost the visitor's connection.
    head.version = Version::HTTP_11;
    Response::from_parts(head, Body::upstream(body, record))
}
