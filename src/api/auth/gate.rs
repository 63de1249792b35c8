//! What every request to the API passes before its handler: a rule for its operation, and a caller
//! who meets it. Where there is no rule there is no way in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ALLOW, AUTHORIZATION, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tower_http::timeout::{DeadlineBody, TimeoutBody};

use super::rules::{Access, Rule, Rules, Verdict};
use super::{Caller, Role, api_keys};
use crate::api::AppState;
use crate::api::admission::Place;
use crate::api::audit::{self, Begun};
use crate::api::problem::ApiError;
use crate::api::rates::{Standing, TokenId};
use crate::domain::{AuditEntry, Invalid, UserId};

/// What the gate decides by; cheap to clone.
#[derive(Clone)]
pub struct Gate {
    pub state: AppState,
    pub rules: Arc<Rules>,
}

pub async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let path = matched.as_ref().map(MatchedPath::as_str).unwrap_or_default();
    let rule = match gate.rules.verdict(path, request.method()) {
        Verdict::Rule(rule) => rule,
        Verdict::WrongMethod(allowed) => return wrong_method(&request, &allowed),
        Verdict::None => return ApiError::NoRoute.into_response(),
    };
    let from = address(&request);
    let mut entry = audit::begin(&request, rule, path, from);
    let (silence, whole) = (gate.state.config.body_timeout, gate.state.config.body_deadline);
    // Who sends a byte now and then is never silent for long, and would never be done.
    let mut request =
        request.map(|body| Body::new(DeadlineBody::new(whole, TimeoutBody::new(silence, body))));
    let (standing, admitted) = admit(&gate, rule, &mut request, &mut entry).await;
    let mut response = match admitted {
        Ok(place) => {
            let response = next.run(request).await;
            drop(place);
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    // What a limit refuses is not written down: it is there for those who send more than is taken.
    let is_over = standing.is_some_and(|standing| standing.is_over());
    if let Some(entry) = entry.filter(|_| !is_over) {
        write_down(&gate.state, entry.ended(response.status()), from).await;
    }
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    response
}

/// Refusals of who did not come to be known are gathered.
async fn write_down(state: &AppState, entry: AuditEntry, from: Option<IpAddr>) {
    let is_refused = entry.actor.is_none() && entry.status >= 400;
    let entry = if is_refused { state.refusals.first(from, entry) } else { Some(entry) };
    if let Some(entry) = entry {
        state.audit.record(entry).await;
    }
}

/// Leaves the caller in the request, when there has to be one. Whoever does not come to be known
/// is counted by address, so that guessing has its limit too.
async fn admit(
    gate: &Gate,
    rule: Rule,
    request: &mut Request,
    entry: &mut Option<Begun>,
) -> (Option<Standing>, Result<Option<Place>, ApiError>) {
    let admission = &gate.state.admission;
    let known = match rule.access {
        Access::Public => Ok(None),
        // Who is no caller gets no further than the one handler that can do without.
        _ if brings_preview_token(rule, request) => {
            if let Some(entry) = entry {
                entry.by_preview_token();
            }
            Ok(None)
        }
        _ => known(gate, request.headers()).await.map(Some),
    };
    let standing = match &known {
        Ok(Some((caller, token))) => admission.rates.caller(caller.by.as_str(), *token),
        Ok(None) | Err(_) => address(request).and_then(|address| admission.rates.anonymous(address)),
    };
    if let Some(over) = standing.filter(Standing::is_over) {
        let refusal = ApiError::RateLimited { limit: over.limit(), retry_after: over.retry_after() };
        return (standing, Err(refusal));
    }
    let admitted = known.and_then(|known| {
        let Some((caller, _)) = known else { return Ok(None) };
        if let Some(entry) = entry {
            entry.by(&caller);
        }
        let caller = authorised(caller, rule.access, request)?;
        if let Some(entry) = entry {
            entry.by(&caller);
        }
        let place = admission.enter(caller.by.as_str())?;
        request.extensions_mut().insert(caller);
        Ok(Some(place))
    });
    (standing, admitted)
}

/// Whose token or key it is.
async fn known(gate: &Gate, headers: &HeaderMap) -> Result<(Caller, TokenId), ApiError> {
    let token = bearer(headers).ok_or(ApiError::NoToken)?;
    let caller = match api_keys::is_key(token) {
        true => Caller::key(gate.state.api_keys.verify(token).await?),
        false => {
            let verified = gate.state.tokens.verify(token).await;
            verified.map_err(|error| ApiError::BadToken(error.to_string()))?
        }
    };
    Ok((caller, token_id(token)))
}

/// The caller as it acts in this request, if it may.
fn authorised(caller: Caller, access: Access, request: &Request) -> Result<Caller, ApiError> {
    let scope = access.scope(request.method());
    if !caller.has(scope) {
        return Err(ApiError::Scope(scope.as_str()));
    }
    if access == Access::Admin && caller.role != Role::Admin {
        return Err(ApiError::AdminsOnly);
    }
    let Some(user) = request.headers().get(ON_BEHALF_OF) else { return Ok(caller) };
    let user = UserId::parse(user.to_str().unwrap_or_default());
    caller.acting_for(user.map_err(|invalid| Invalid::new("X-On-Behalf-Of", invalid.message))?)
}

/// Names the user for whom a platform does something.
const ON_BEHALF_OF: &str = "x-on-behalf-of";

fn token_id(token: &str) -> TokenId {
    let mut id = TokenId::default();
    id.copy_from_slice(&Sha256::digest(token)[..16]);
    id
}

/// Absent only where there is no connection, as in tests of the router alone.
fn address(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A browser cannot send a header with a WebSocket: the preview's own short-lived token comes in
/// the address instead, and is checked where the socket is opened.
fn brings_preview_token(rule: Rule, request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    rule.opens_socket(request.headers())
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
