//! What every request to the API passes before its handler: a rule for its operation, and a caller
//! who meets it. Where there is no rule there is no way in.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, HeaderValue, UPGRADE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Caller;
use super::rules::{Access, Rules, Verdict};
use crate::api::AppState;
use crate::api::problem::ApiError;

/// What the gate decides by; cheap to clone.
#[derive(Clone)]
pub struct Gate {
    pub state: AppState,
    pub rules: Arc<Rules>,
}

pub async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let access = match gate.rules.verdict(path, request.method()) {
        Verdict::Rule(access) => access,
        Verdict::WrongMethod(allowed) => return wrong_method(&request, &allowed),
        Verdict::None => return ApiError::NoRoute.into_response(),
    };
    match admit(&gate, access, &mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Leaves the caller in the request, when there has to be one.
fn admit(gate: &Gate, access: Access, request: &mut Request) -> Result<(), ApiError> {
    match access {
        Access::Public => Ok(()),
        // Who is no caller gets no further than the one handler that can do without.
        Access::OwnerOrPreviewToken if brings_preview_token(request) => Ok(()),
        Access::Caller | Access::Owner | Access::OwnerOrPreviewToken => {
            let caller = caller(gate, request)?;
            request.extensions_mut().insert(caller);
            Ok(())
        }
    }
}

fn caller(gate: &Gate, request: &Request) -> Result<Caller, ApiError> {
    let token = bearer(request).ok_or(ApiError::NoToken)?;
    gate.state.keys.verify(token).map_err(|error| ApiError::BadToken(error.to_string()))
}

fn bearer(request: &Request) -> Option<&str> {
    let text = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A browser cannot send a header with a WebSocket: the preview's own short-lived token comes in
/// the address instead, and is checked where the socket is opened.
fn brings_preview_token(request: &Request) -> bool {
    let upgrades =
        request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let query = request.uri().query().unwrap_or_default();
    upgrades
        && !request.headers().contains_key(AUTHORIZATION)
        && query.split('&').any(|pair| pair.starts_with("token="))
}

fn wrong_method(request: &Request, allowed: &str) -> Response {
    let mut response = ApiError::Method(request.method().to_string()).into_response();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
