//! One id for each request: taken from W3C `traceparent` when there is one, sent back in
//! `X-Trace-Id`, in every log line of the request, and in every problem.

use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::problem::{ApiError, Problem};

pub async fn trace(request: Request, next: Next) -> Response {
    let id = incoming(&request).unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let span = tracing::debug_span!("request", trace_id = id, method = %request.method(), path = request.uri().path());
    let method = request.method().clone();
    let response = next.run(request).instrument(span).await;
    let mut response = with_problem(response, &method, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-trace-id", value);
    }
    response
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, the id not all zeros.
fn incoming(request: &Request) -> Option<String> {
    let text = request.headers().get("traceparent")?.to_str().ok()?;
    let id = text.split('-').nth(1)?;
    let ok = id.len() == 32
        && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && id.bytes().any(|b| b != b'0');
    ok.then(|| id.to_owned())
}

/// Errors of ours get the id; errors of the framework become problems first.
fn with_problem(mut response: Response, method: &axum::http::Method, id: &str) -> Response {
    let own = response.extensions_mut().remove::<Problem>();
    let error = match (own, response.status()) {
        (Some(problem), _) => return reworded(response, problem, id),
        (None, StatusCode::NOT_FOUND) => ApiError::NoRoute,
        (None, StatusCode::METHOD_NOT_ALLOWED) => ApiError::Method(method.to_string()),
        (None, StatusCode::PAYLOAD_TOO_LARGE) => ApiError::TooLarge { limit: super::SMALL_BODY as u64 },
        _ => return response,
    };
    match error.into_response().extensions_mut().remove::<Problem>() {
        Some(problem) => reworded(response, problem, id),
        None => response,
    }
}

/// The same answer with another body: `Allow`, `Retry-After` and what layers inside have said of
/// it stay.
fn reworded(response: Response, mut problem: Problem, id: &str) -> Response {
    problem.trace_id = Some(id.to_owned());
    let (fresh, body) = problem.into_response().into_parts();
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    if let Some(kind) = fresh.headers.get(CONTENT_TYPE) {
        parts.headers.insert(CONTENT_TYPE, kind.clone());
    }
    Response::from_parts(parts, body)
}
