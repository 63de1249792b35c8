//! `Idempotency-Key`: a mutating call that is repeated is answered with what the first was
//! answered with, and nothing is done twice.
//!
//! The key belongs to its user and to one call: method, address and body. It is claimed in the
//! store before the handler runs, so that of calls at once one acts and the others wait. The
//! first runs to its end even if its client goes away; that is what the next will be told of.
//! What a client is asked to try again (429, 503, a fault of ours) is not kept.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::response::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hyper::body::Body as _;
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::auth::Caller;
use super::problem::{ApiError, Problem};
use super::room::{self, Held};
use super::{AppState, body};
use crate::domain::Invalid;
use crate::seal::Purpose;
use crate::store::{AnswerClaim, AnswerKey, KeptAnswer};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// A longer answer is given once; a repeated call acts again.
const LONGEST_ANSWER: u64 = 1024 * 1024;

const LONGEST_KEY: usize = 255;

/// How long a repeated call waits for the first one's answer before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);

static KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

pub async fn once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match repeatable(&state, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => keyed(state, key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        Err(refusal) => refusal.into_response(),
    }
}

/// The key of a call that changes something, when it has one.
fn repeatable(state: &AppState, request: &Request) -> Result<Option<AnswerKey>, ApiError> {
    let changes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(request.method());
    let (Some(key), Some(caller)) = (request.headers().get(&KEY), request.extensions().get::<Caller>())
    else {
        return Ok(None);
    };
    if !changes || !state.config.idempotency {
        return Ok(None);
    }
    let is_key = |text: &&str| !text.is_empty() && text.len() <= LONGEST_KEY;
    let key = key.to_str().ok().filter(is_key).ok_or_else(|| {
        Invalid::new("Idempotency-Key", format!("expected 1 to {LONGEST_KEY} visible characters of ASCII"))
    })?;
    // Two platforms that act for one user have keys of their own. No name of a user has a blank.
    let caller = format!("{} {}", caller.by, caller.user);
    Ok(Some(AnswerKey { caller, key: key.to_owned() }))
}

async fn keyed(state: AppState, key: AnswerKey, request: Request, next: Next) -> Result<Response, ApiError> {
    let (request, fingerprint) = read(&state, request).await?;
    match claim(&state, &key, &fingerprint).await? {
        AnswerClaim::First => match state.allowance.missing(&key.caller) {
            None => act(state, key, request, next).await,
            Some(wait) => {
                state.store.forget_answer(&key).await?;
                Err(full(wait))
            }
        },
        AnswerClaim::Kept(answer) => replayed(&state, &key, answer),
        AnswerClaim::Other => Err(ApiError::KeyReused),
        AnswerClaim::UnderWay => Err(ApiError::UnderWay),
    }
}

fn full(wait: Duration) -> ApiError {
    let reason = "too many answers to calls with an Idempotency-Key are kept for you; go on without one";
    let retry_after = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    ApiError::Quota { reason: reason.to_owned(), retry_after }
}

/// The request with its body in memory, and what tells it from another.
async fn read(state: &AppState, request: Request) -> Result<(Request, String), ApiError> {
    let (head, body) = request.into_parts();
    let limit = room::longest(&state.config, &head.method);
    let body = to_bytes(body, limit).await.map_err(|error| body::refusal(&error, limit))?;
    let mut hash = Sha256::new();
    for part in [head.method.as_str().as_bytes(), head.uri.to_string().as_bytes(), &body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let fingerprint = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((Request::from_parts(head, Body::from(body)), fingerprint))
}

/// Waits for another call that is at it.
async fn claim(state: &AppState, key: &AnswerKey, fingerprint: &str) -> Result<AnswerClaim, ApiError> {
    let patience = tokio::time::Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(20);
    loop {
        let now = Utc::now();
        let claim = state.store.claim_answer(key, fingerprint, now, oldest_kept(now)).await?;
        if claim != AnswerClaim::UnderWay || tokio::time::Instant::now() >= patience {
            return Ok(claim);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

pub fn oldest_kept(now: DateTime<Utc>) -> DateTime<Utc> {
    now - KEPT_FOR
}

/// In a task of its own: a client that goes away does not end it, and the body stays in memory.
async fn act(state: AppState, key: AnswerKey, request: Request, next: Next) -> Result<Response, ApiError> {
    let work = async move {
        let _held = Held::of(&request);
        let claimed = Claimed { state, key: Some(Arc::new(key)) };
        let response = next.run(request).await;
        claimed.settle(response).await
    };
    let done = tokio::spawn(work.in_current_span()).await;
    done.map_err(|error| ApiError::Internal(format!("a call with a key ended early: {error}")))
}

/// A claim that has to come to an answer, or be given up: also when the handler panics.
struct Claimed {
    state: AppState,
    key: Option<Arc<AnswerKey>>,
}

impl Claimed {
    async fn settle(mut self, response: Response) -> Response {
        let Some(key) = self.key.clone() else { return response };
        if !is_final(response.status()) {
            return response;
        }
        // A body without a length in memory is a stream, and none of ours that changes something.
        let is_short = response.body().size_hint().upper().is_some_and(|most| most <= LONGEST_ANSWER);
        if !is_short {
            return response;
        }
        let (head, body) = response.into_parts();
        let bytes = match to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return ApiError::Internal(error.to_string()).into_response(),
        };
        match self.keep(&key, &head, &bytes).await {
            Ok(()) => self.key = None,
            Err(error) => tracing::warn!(%error, "an answer is not kept"),
        }
        Response::from_parts(head, Body::from(bytes))
    }
}

impl Claimed {
    async fn keep(&self, key: &AnswerKey, head: &Parts, body: &Bytes) -> Result<(), ApiError> {
        let headers = head.headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH);
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let sealed = self.state.seal.close(Purpose::Answer, owner(key), &STANDARD.encode(body));
        let sealed_body = sealed.map_err(|error| ApiError::Internal(error.to_string()))?;
        self.state.allowance.take(&key.caller, sealed_body.len());
        let answer = KeptAnswer { status: head.status.as_u16(), headers, sealed_body };
        Ok(self.state.store.keep_answer(key, &answer).await?)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let store = self.state.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.forget_answer(&key).await {
                tracing::warn!(%error, "a claim stays until the next start");
            }
        });
    }
}

/// Whether the same call would be answered the same again.
fn is_final(status: StatusCode) -> bool {
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    // 502 is a launch that failed: that is how it went.
    (!status.is_server_error() || status == StatusCode::BAD_GATEWAY) && !again.contains(&status)
}

fn replayed(state: &AppState, key: &AnswerKey, answer: KeptAnswer) -> Result<Response, ApiError> {
    let unreadable = || ApiError::Internal("a kept answer cannot be read".to_owned());
    let body = state.seal.open(Purpose::Answer, owner(key), &answer.sealed_body).ok_or_else(unreadable)?;
    let body = STANDARD.decode(body).map_err(|_| unreadable())?;
    let status = StatusCode::from_u16(answer.status).map_err(|_| unreadable())?;
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = status;
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind == Some(b"application/problem+json")
        && let Ok(problem) = serde_json::from_slice::<Problem>(&body)
    {
        // So that it gets the traceId of this request.
        response.extensions_mut().insert(problem);
    }
    response.headers_mut().insert(REPLAY.clone(), HeaderValue::from_static("true"));
    Ok(response)
}

fn owner(key: &AnswerKey) -> String {
    format!("{}\n{}", key.caller, key.key)
}
