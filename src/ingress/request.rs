//! A request made from inside on a user's behalf: the same way as a visitor's, the answer in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use tokio::time::{Instant as Deadline, timeout_at};

use super::answer::forward;
use super::body::{Body, Outbound};
use super::fault::RequestError;
use super::gate::Gate;
use super::headers::Seen;
use super::visit::Visit;

/// What to ask of an app.
#[derive(Debug, Clone)]
pub struct ProxiedRequest {
    pub method: Method,
    /// Begins with `/`.
    pub path_and_query: String,
    /// `Host` is set to the preview's own address unless it is here; framing headers are ours.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// For the whole answer.
    pub timeout: Duration,
}

/// What it answered. Redirects are answers; they are not followed.
#[derive(Debug, Clone)]
pub struct ProxiedResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// At most 10 MiB.
    pub body: Bytes,
    /// There was more of the body than fits, or than came in time.
    pub truncated: bool,
    pub elapsed: Duration,
}

pub(super) async fn request(
    gate: Arc<Gate>,
    request: ProxiedRequest,
) -> Result<ProxiedResponse, RequestError> {
    let started = Instant::now();
    let limit = request.timeout;
    let deadline = Deadline::now() + limit;
    let outbound = prepare(&gate, request)?;
    let seen = Seen::of(outbound.headers());
    let visit = Arc::new(Visit::from_inside(gate));
    let answer = timeout_at(deadline, forward(&visit, outbound, &seen, limit)).await;
    let (head, body) = answer.map_err(|_| RequestError::Timeout)??.into_parts();
    let (body, truncated) = collect(body, deadline).await?;
    Ok(ProxiedResponse {
        status: head.status,
        headers: head.headers,
        body,
        truncated,
        elapsed: started.elapsed(),
    })
}

fn prepare(gate: &Gate, request: ProxiedRequest) -> Result<Request<Outbound>, RequestError> {
    let ProxiedRequest { method, path_and_query, mut headers, body, .. } = request;
    if !path_and_query.starts_with('/') {
        return Err(RequestError::Invalid("the path must begin with /"));
    }
    let target: Uri =
        path_and_query.parse().map_err(|_| RequestError::Invalid("the path is not valid in a URL"))?;
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::UPGRADE);
    headers.remove(header::CONTENT_LENGTH);
    if body.is_empty() && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if !headers.contains_key(header::HOST) {
        let host = HeaderValue::try_from(format!("localhost:{}", gate.port));
        headers.insert(header::HOST, host.map_err(|_| RequestError::Invalid("the host is not valid"))?);
    }
    let mut outbound = Request::new(Outbound::whole(body));
    *outbound.method_mut() = method;
    *outbound.uri_mut() = target;
    *outbound.headers_mut() = headers;
    Ok(outbound)
}

/// The body, and whether it was cut: at the bound, or at the deadline (a stream has no end to wait for).
async fn collect(mut body: Body, deadline: Deadline) -> Result<(Bytes, bool), RequestError> {
    let mut collected = BytesMut::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Ok((collected.freeze(), true)),
            Ok(None) => return Ok((collected.freeze(), false)),
            Ok(Some(frame)) => frame.map_err(|error| RequestError::BadAnswer(error.to_string()))?,
        };
        let Ok(data) = frame.into_data() else { continue };
        let room = MOST_KEPT - collected.len();
        collected.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((collected.freeze(), true));
        }
    }
}

const MOST_KEPT: usize = 10 * 1024 * 1024;
