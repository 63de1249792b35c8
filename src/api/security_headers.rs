//! What browsers are told to be careful about with our own answers. An app's answers are the
//! app's to word, and never come through here.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::Next;
use axum::response::Response;

use crate::ingress::Encrypted;

/// An answer of the API is data: nothing in it may be run or shown in a frame.
const DATA: &str = "default-src 'none'; frame-ancestors 'none'";

/// The page that reads the API's description brings its own scripts and styles.
const DOCS: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                    img-src 'self' data:; frame-ancestors 'none'";

pub async fn add(request: Request, next: Next) -> Response {
    let policy = if request.uri().path().starts_with("/docs") { DOCS } else { DATA };
    let encrypted = request.extensions().get::<Encrypted>().is_some();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(X_FRAME_OPTIONS, "DENY");
    say(REFERRER_POLICY, "no-referrer");
    say(CONTENT_SECURITY_POLICY, policy);
    // Answers hold tokens, and what one user may see.
    say(CACHE_CONTROL, "no-store");
    if encrypted {
        say(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
