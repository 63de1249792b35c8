//! The one error of the API, and its face: `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{Failure, Invalid};
use crate::orchestrator::{AskError, DatabaseError, ImageError, LaunchError};
use crate::store::StoreError;
use crate::streams::ArchiveError;

/// What a handler may fail with; picks the status code and the stable `code` word.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("send a bearer token in the Authorization header")]
    NoToken,
    #[error("the bearer token is not valid: {0}")]
    BadToken(String),
    #[error("{0}")]
    BadPreviewToken(&'static str),
    #[error("this belongs to another user")]
    NotOwner,
    #[error("this is for admins alone")]
    AdminsOnly,
    #[error("this key is not for that; it lacks the scope {0}")]
    Scope(&'static str),
    #[error("only admins, and API keys with the scope act, may act for others")]
    MayNotAct,
    #[error("pages of {0:?} may not connect here; CORS_ORIGINS names those that may")]
    Origin(String),
    #[error("there is no {what} {name}")]
    NotFound { what: &'static str, name: String },
    #[error("there is no such address here; /docs lists those there are")]
    NoRoute,
    #[error("this address does not take {0}")]
    Method(String),
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("the body is not the JSON expected here: {0}")]
    Malformed(String),
    #[error("expected at most {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    Conflict(String),
    #[error("this Idempotency-Key was used for another call; use a new one")]
    KeyReused,
    #[error("the first call with this Idempotency-Key is not answered yet")]
    UnderWay,
    #[error("more than {limit} requests a minute")]
    RateLimited { limit: u32, retry_after: u32 },
    #[error("the rest of the body did not come")]
    SlowBody,
    #[error("{reason}")]
    Unavailable { code: &'static str, reason: String, retry_after: u32 },
    #[error("{reason}")]
    Quota { reason: String, retry_after: u32 },
    #[error("the preview failed at {}: {}", .0.stage, .0.reason)]
    Failed(Failure),
    #[error("the preview was stopped before it was healthy")]
    Stopped,
    #[error("the preview is not healthy yet; it goes on, ask for its status")]
    StillLaunching,
    #[error("the app did not answer: {reason}")]
    Upstream { status: StatusCode, code: &'static str, reason: String },
    #[error("something went wrong here; the daemon's log has it under this traceId")]
    Internal(String),
}

/// The body of every error.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `about:blank`: the status code says it all, `code` says which.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// A stable machine word.
    pub code: String,
    /// The field that was wrong, as the caller wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// `stage`, `reason` and `logTail` of a failed launch.
    #[serde(flatten)]
    #[schema(ignore)]
    pub more: Map<String, Value>,
}

impl ApiError {
    pub fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoToken => (StatusCode::UNAUTHORIZED, "token_missing"),
            Self::BadToken(_) => (StatusCode::UNAUTHORIZED, "token_invalid"),
            Self::BadPreviewToken(_) => (StatusCode::UNAUTHORIZED, "preview_token_invalid"),
            Self::NotOwner => (StatusCode::FORBIDDEN, "not_owner"),
            Self::AdminsOnly => (StatusCode::FORBIDDEN, "admins_only"),
            Self::Scope(_) => (StatusCode::FORBIDDEN, "scope_missing"),
            Self::MayNotAct => (StatusCode::FORBIDDEN, "may_not_act"),
            Self::Origin(_) => (StatusCode::FORBIDDEN, "origin_refused"),
            Self::NotFound { .. } | Self::NoRoute => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Self::UnderWay => (StatusCode::CONFLICT, "idempotency_in_progress"),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::Unavailable { code, .. } => (StatusCode::SERVICE_UNAVAILABLE, code),
            Self::Quota { .. } => (StatusCode::TOO_MANY_REQUESTS, "quota"),
            Self::Failed(_) => (StatusCode::BAD_GATEWAY, "launch_failed"),
            Self::Stopped => (StatusCode::CONFLICT, "stopped"),
            Self::StillLaunching => (StatusCode::GATEWAY_TIMEOUT, "still_launching"),
            Self::Upstream { status, code, .. } => (*status, code),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    const fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Unavailable { retry_after, .. }
            | Self::Quota { retry_after, .. }
            | Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::UnderWay => Some(1),
            _ => None,
        }
    }

    fn more(&self) -> Map<String, Value> {
        let mut more = Map::new();
        if let Self::Failed(failure) = self
            && let Ok(Value::Object(members)) = serde_json::to_value(failure)
        {
            more = members;
        }
        more
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            tracing::error!(cause, "a request failed inside");
        }
        let (status, code) = self.status_and_code();
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: code.to_owned(),
            field: match &self {
                Self::Invalid(invalid) => Some(invalid.field.clone()),
                _ => None,
            },
            trace_id: None,
            more: self.more(),
        };
        let mut response = problem.into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Keeps itself beside the body, so that the trace layer can add the `traceId`.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let reason = error.to_string();
        match error {
            StoreError::Cursor => {
                Invalid::new("cursor", "expected one that an earlier page of this list gave").into()
            }
            error if error.is_busy() => Self::Unavailable { code: "store_busy", reason, retry_after: 2 },
            _ => Self::Internal(reason),
        }
    }
}

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => error.into(),
            ArchiveError::File(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        let reason = error.to_string();
        match error {
            ImageError::Plan(plan) => Self::Invalid(Invalid::new(plan.field(), plan.message())),
            ImageError::BaseMissing { .. } => {
                Self::Unavailable { code: "base_image_missing", reason, retry_after: 60 }
            }
            ImageError::QueueFull { .. } => {
                Self::Unavailable { code: "builds_full", reason, retry_after: 10 }
            }
            ImageError::Build { .. } | ImageError::Cancelled => Self::Conflict(reason),
            ImageError::Engine(engine) if engine.is_transient() => {
                Self::Unavailable { code: "engine_unreachable", reason, retry_after: 5 }
            }
            ImageError::Engine(_) => Self::Internal(reason),
        }
    }
}

impl From<LaunchError> for ApiError {
    fn from(error: LaunchError) -> Self {
        let reason = error.to_string();
        match error {
            LaunchError::UserFull { .. } => Self::Quota { reason, retry_after: 30 },
            LaunchError::HostFull { .. } => Self::Unavailable { code: "host_full", reason, retry_after: 30 },
            LaunchError::Memory { .. } => Self::Unavailable { code: "memory_short", reason, retry_after: 10 },
            LaunchError::DiskFull { .. } => Self::Unavailable { code: "disk_full", reason, retry_after: 60 },
            LaunchError::Port(_) => Self::Unavailable { code: "no_port", reason, retry_after: 30 },
            LaunchError::Engine { .. } => {
                Self::Unavailable { code: "engine_unreachable", reason, retry_after: 5 }
            }
            LaunchError::StillEnding => Self::Unavailable { code: "still_ending", reason, retry_after: 5 },
            LaunchError::Elsewhere => Self::Conflict(reason),
            LaunchError::ShuttingDown => Self::Unavailable { code: "shutting_down", reason, retry_after: 5 },
            LaunchError::Invalid(invalid) => invalid.into(),
            LaunchError::Image(error) => error.into(),
            LaunchError::Store(error) => error.into(),
        }
    }
}

impl From<DatabaseError> for ApiError {
    fn from(error: DatabaseError) -> Self {
        let reason = error.to_string();
        match error {
            DatabaseError::Unknown | DatabaseError::NotReady => Self::Conflict(reason),
            DatabaseError::Query(reason) => Self::Invalid(Invalid::new("sql", reason)),
            DatabaseError::Store(error) => error.into(),
            _ => Self::Unavailable { code: "database_unavailable", reason, retry_after: 5 },
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Denied(denial) => Self::Conflict(denial.to_string()),
            AskError::Failed(reason) => Self::Unavailable { code: "engine_refused", reason, retry_after: 5 },
            AskError::Store(error) => error.into(),
        }
    }
}
