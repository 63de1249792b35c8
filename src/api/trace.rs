//! One id for each request: taken from W3C `traceparent` when there is a right one, sent back in
//! `X-Trace-Id`, in every log line of the request, and in every problem. What the caller says in
//! `X-Request-Id` comes back in it; without one the trace's id does.

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::AppState;
use super::problem::{ApiError, Problem};
use crate::domain::TraceContext;

pub async fn trace(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let context =
        incoming(&request).filter(|_| state.config.trace_context).unwrap_or_else(TraceContext::fresh);
    pass_on(&context, &mut request);
    let id = context.trace_id().to_owned();
    let request_id = request_id(&request).unwrap_or_else(|| id.clone());
    let span = tracing::info_span!("request", trace_id = id, request_id, method = %request.method(), path = request.uri().path());
    let method = request.method().clone();
    let response = next.run(request).instrument(span).await;
    let mut response = with_problem(response, &method, &id);
    for (name, value) in [("x-trace-id", &id), ("x-request-id", &request_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// What the caller calls its request, when that is short and plain.
fn request_id(request: &Request) -> Option<String> {
    let text = request.headers().get("x-request-id")?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    ((1..=128).contains(&text.len()) && text.bytes().all(is_plain)).then(|| text.to_owned())
}

/// What the caller says, when it says it once and right.
fn incoming(request: &Request) -> Option<TraceContext> {
    let mut said = request.headers().get_all(TRACEPARENT).iter();
    let context = TraceContext::parse(said.next()?.to_str().ok()?)?;
    said.next().is_none().then_some(context)
}

/// What was wrong is replaced, and nothing is left that belongs to it.
fn pass_on(context: &TraceContext, request: &mut Request) {
    let headers = request.headers_mut();
    let was = headers.get(TRACEPARENT).and_then(|said| said.to_str().ok());
    if was != Some(context.header()) {
        headers.remove("tracestate");
    }
    if let Ok(value) = HeaderValue::from_str(context.header()) {
        headers.insert(TRACEPARENT, value);
    }
}

/// Also what a request to an app is sent on with.
pub const TRACEPARENT: &str = "traceparent";

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
