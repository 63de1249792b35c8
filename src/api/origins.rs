//! Which origins' pages may talk to us: the one answer for answers and for WebSockets.

use std::time::Duration;

use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HOST, HeaderName, LOCATION, ORIGIN, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::problem::ApiError;

/// What `CORS_ORIGINS` names; none but our own when it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// What browsers may remember an answer to a preflight for.
const PREFLIGHT_LASTS: Duration = Duration::from_secs(600);

impl Origins {
    pub const fn new(named: Vec<String>) -> Self {
        Self(named)
    }

    /// Browsers say scheme and host in lower case; `*` is any origin, `null` that of a file.
    fn names(&self, origin: &str) -> bool {
        self.0.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(origin))
    }

    /// Lets a page of these origins call and read; tokens travel in a header, so that cookies, which
    /// a browser would send on its own, are not asked for. `None` when there are no such origins.
    pub fn layer(&self) -> Option<CorsLayer> {
        if self.0.is_empty() {
            return None;
        }
        let origins = self.clone();
        let named = move |origin: &HeaderValue, _: &axum::http::request::Parts| {
            origin.to_str().is_ok_and(|origin| origins.names(origin))
        };
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(named))
            .allow_methods([Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE])
            .allow_headers(
                [ACCEPT, AUTHORIZATION, CONTENT_TYPE]
                    .into_iter()
                    .chain(ASKED.map(HeaderName::from_static))
                    .collect::<Vec<_>>(),
            )
            .expose_headers(
                [CONTENT_DISPOSITION, LOCATION, RETRY_AFTER]
                    .into_iter()
                    .chain(TOLD.map(HeaderName::from_static))
                    .collect::<Vec<_>>(),
            )
            .max_age(PREFLIGHT_LASTS);
        Some(layer)
    }

    /// For a WebSocket, which browsers open without asking first: a page of another origin is told
    /// no unless it is named. Who is no browser says no origin.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_own = origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
        match is_own || self.names(origin) {
            true => Ok(()),
            false => Err(ApiError::Origin(origin.to_owned())),
        }
    }
}

/// Headers of requests that pages may set.
const ASKED: [&str; 7] = [
    "idempotency-key",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-on-behalf-of",
    "x-preview-token",
    "x-request-id",
];

/// Headers of answers that pages may read.
const TOLD: [&str; 10] = [
    "deprecation",
    "idempotent-replay",
    "link",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "sunset",
    "x-request-id",
    "x-trace-id",
];
