//! One id for each request: taken from W3C `traceparent` when there is one, sent back in
//! `X-Trace-Id`, in every log line of the request, and in every problem.

use axum::extract::Request;
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
    let status = response.status();
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.trace_id = Some(id.to_owned());
        return with_headers_of(problem.into_response(), &response);
    }
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::NoRoute,
        StatusCode::METHOD_NOT_ALLOWED => ApiError::Method(method.to_string()),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge { limit: super::SMALL_BODY as u64 },
        _ => return response,
    };
    let mut fresh = error.into_response();
    if let Some(mut problem) = fresh.extensions_mut().remove::<Problem>() {
        problem.trace_id = Some(id.to_owned());
        fresh = problem.into_response();
    }
    with_headers_of(fresh, &response)
}

/// Keeps `Retry-After`, `WWW-Authenticate` and `Allow` of the answer that is replaced.
fn with_headers_of(mut fresh: Response, old: &Response) -> Response {
    use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
    for name in [ALLOW, RETRY_AFTER, WWW_AUTHENTICATE] {
        if let Some(value) = old.headers().get(&name) {
            fresh.headers_mut().insert(name, value.clone());
        }
    }
    fresh
}
