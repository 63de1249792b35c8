//! Who is calling: bearer tokens, signed with the installation's key.
//!
//! Every protected route sits behind [`require`], which puts a [`Caller`] into the request. A
//! handler takes the `Caller`; the router of a face adds the layer once for all its routes.

mod keys;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, UPGRADE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

pub use keys::{Keys, Role, TokenRequest, write_private};

use super::AppState;
use super::problem::ApiError;
use crate::domain::{UserId, UserTier};

/// The bearer of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user: UserId,
    pub role: Role,
    pub tier: UserTier,
}

impl Caller {
    /// Owners may, and admins may all.
    pub fn may_use(&self, owner: &UserId) -> bool {
        self.role == Role::Admin || self.user == *owner
    }
}

/// Refuses a request without a valid bearer token with 401.
pub async fn require(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if brings_preview_token(&request) {
        // Who is no caller gets no further than the one handler that takes none.
        return Ok(next.run(request).await);
    }
    let header = request.headers().get(AUTHORIZATION).ok_or(ApiError::NoToken)?;
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(ApiError::NoToken)?;
    let caller = state.keys.verify(token).map_err(|error| ApiError::BadToken(error.to_string()))?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// A browser cannot send a header with a WebSocket: the preview's own short-lived token comes in
/// the address instead, and is checked where the socket is opened.
fn brings_preview_token(request: &Request) -> bool {
    let upgrades =
        request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let query = request.uri().query().unwrap_or_default();
    upgrades
        && !request.headers().contains_key(AUTHORIZATION)
        && request.uri().path().ends_with("/preview/logs")
        && query.split('&').any(|pair| pair.starts_with("token="))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::NoToken)
    }
}
