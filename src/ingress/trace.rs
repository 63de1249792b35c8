//! Every request that reaches an app belongs to a trace: the visitor's, when it says so right, or one
//! that begins here.

use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};

use crate::domain::TraceContext;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Leaves a right `traceparent` as it is and replaces everything else.
pub(super) fn give<B>(request: &mut Request<B>) {
    let headers = request.headers_mut();
    let mut said = headers.get_all(&TRACEPARENT).iter();
    let is_right = |value: &HeaderValue| value.to_str().ok().and_then(TraceContext::parse).is_some();
    let is_one = said.next().is_some_and(is_right) && said.next().is_none();
    if is_one {
        return;
    }
    headers.remove("tracestate");
    if let Ok(fresh) = HeaderValue::from_str(TraceContext::fresh().header()) {
        headers.insert(&TRACEPARENT, fresh);
    }
}
