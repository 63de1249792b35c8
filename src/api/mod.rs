//! The faces of previewd: v2, v1 and the system's own. The only place that imports axum.
//!
//! Handlers parse, call and convert; what happens is decided below. v1 and v2 are thin views
//! over the same calls. A route is declared once, with its documentation, so that
//! `/openapi.json` cannot fall behind; who may call it is a line in [`auth::rules`], and what has
//! no line there is refused.

mod addresses;
pub mod admission;
pub mod allowance;
mod audit;
pub mod auth;
mod body;
mod docs;
mod extract;
mod hosts;
pub mod housekeeping;
mod idempotency;
mod json;
mod listing;
mod metrics;
pub mod origins;
mod owned;
mod problem;
pub mod rates;
pub mod refusals;
pub mod room;
mod security_headers;
pub mod serve;
mod sse;
mod system;
mod trace;
mod upload;
mod v1;
mod v2;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

pub use docs::openapi;
pub use metrics::Exposition;
pub use problem::{ApiError, Problem};
#[cfg(fuzzing)]
pub use upload::unpack;

use crate::ingress::Ingress;
use crate::orchestrator::{LaunchError, Orchestrator, Room as DiskRoom};
use crate::seal::Seal;
use crate::store::{AuditLog, Store};
use crate::streams::LogHub;
use crate::webhooks::Webhooks;
use admission::Admission;
use allowance::Allowance;
use auth::gate::Gate;
use auth::rules::Rules;
use auth::{ApiKeys, Tokens, jwks};
use origins::Origins;
use refusals::Refusals;
use room::Room;

/// What the API itself can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_MAX_GENERATION_MB`, default 50: all files of one generation, MiB.
    pub max_generation_bytes: u64,
    /// `PREVIEW_USER_SOURCES_MAX_MB`, default 10240; 0: no limit. Files of all generations of one user, MiB.
    pub user_sources_bytes: Option<u64>,
    /// `PREVIEW_SESSION_TIMEOUT_HOURS`, default 2: how long a v2 session lives.
    pub session: Duration,
    /// `PREVIEW_MAX_UPTIME`, seconds, default 3600: how long a v1 session lives.
    pub v1_session: Duration,
    /// `PREVIEW_SESSION_TIMEOUT`, seconds, default 1800: said in v1's config.
    pub v1_idle: Duration,
    /// `PREVIEW_SESSION_EXTENSION_MINUTES`, default 30: the longest one extension may be.
    pub extension: Duration,
    /// `ENABLE_DEPRECATION_WARNINGS`, default false: v1 answers carry `Deprecation` and `Sunset`.
    pub deprecation_warnings: bool,
    /// `CORS_ORIGINS`, with commas, default none: pages of these origins may call and open sockets
    /// here, beside our own; `*` is any.
    pub origins: Origins,
    /// `ENABLE_IDEMPOTENCY`, default true: calls with an `Idempotency-Key` are answered once.
    pub idempotency: bool,
    /// `PREVIEW_AUDIT_RETENTION_DAYS`, default 90: how long the audit trail reaches back.
    pub audit_days: u32,
    /// `PREVIEW_AUDIT_VISITS`, seconds, default 600: for how long visits to previews are gathered before
    /// they are one entry of the audit trail for each visitor; 0: they are not written down.
    pub audit_visits: Duration,
    /// `ENABLE_TRACE_CONTEXT`, default true: traces that callers begin are gone on with.
    pub trace_context: bool,
    /// `PREVIEW_API_BODY_TIMEOUT`, seconds, default 60: the longest silence in a request's body.
    pub body_timeout: Duration,
    /// `PREVIEW_API_BODY_DEADLINE`, seconds, default 300: how long a request's body may take in all.
    pub body_deadline: Duration,
    pub room: room::Config,
    pub admission: admission::Config,
    /// Whose tokens are taken besides our own; `PREVIEW_JWT_JWKS`, default nobody's.
    pub jwt: Option<jwks::Config>,
    pub serve: serve::Config,
}

impl Default for Config {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            max_generation_bytes: 50 * 1024 * 1024,
            user_sources_bytes: Some(10 * 1024 * 1024 * 1024),
            session: minutes(120),
            v1_session: minutes(60),
            v1_idle: minutes(30),
            extension: minutes(30),
            deprecation_warnings: false,
            origins: Origins::default(),
            idempotency: true,
            audit_days: 90,
            audit_visits: minutes(10),
            trace_context: true,
            body_timeout: Duration::from_secs(60),
            body_deadline: minutes(5),
            room: room::Config::default(),
            admission: admission::Config::default(),
            jwt: None,
            serve: serve::Config::default(),
        }
    }
}

/// Bodies of everything but uploads.
pub const SMALL_BODY: usize = 1024 * 1024;

/// What handlers work with; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub orchestrator: Orchestrator,
    pub store: Store,
    pub ingress: Ingress,
    pub logs: LogHub,
    pub tokens: Tokens,
    pub api_keys: ApiKeys,
    /// For what is kept encrypted.
    pub seal: Seal,
    pub admission: Admission,
    pub allowance: Arc<Allowance>,
    pub room: Room,
    pub audit: AuditLog,
    pub refusals: Refusals,
    pub metrics: Exposition,
    pub webhooks: Webhooks,
    /// Open sockets, which the server does not wait for by itself.
    pub sockets: TaskTracker,
    /// Cancelled when the daemon begins to end.
    pub shutdown: CancellationToken,
}

impl AppState {
    /// Whether there is room to store what a user sends.
    pub fn has_disk(&self) -> Result<(), ApiError> {
        match self.orchestrator.room() {
            DiskRoom::Out(said) => Err(LaunchError::DiskFull { said }.into()),
            DiskRoom::Enough | DiskRoom::Tight(_) => Ok(()),
        }
    }
}

/// All routes with their documentation.
fn routes(config: &Config) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .nest("/api/v2", v2::routes(config))
        .nest("/api/v1", v1::routes())
        .merge(system::routes())
}

/// The whole HTTP service.
pub fn router(state: AppState) -> Router {
    let (documented, api) = docs::base().merge(routes(&state.config)).split_for_parts();
    // The unversioned paths are v2's, and documented there.
    let (unversioned, _) = v2::routes(&state.config).split_for_parts();
    let gate = Gate { state: state.clone(), rules: Arc::new(Rules::of(&api)) };
    documented
        .nest("/api", unversioned)
        .merge(docs::pages(api))
        .fallback(|| async { ApiError::NoRoute })
        .layer(DefaultBodyLimit::max(SMALL_BODY))
        .layer(middleware::from_fn_with_state(state.clone(), idempotency::once))
        // Before anything reads a body, which may happen twice.
        .layer(middleware::from_fn_with_state(state.clone(), room::hold))
        // A layer and not a route layer: also what has no rule passes through it, and ends there.
        .layer(middleware::from_fn_with_state(gate, auth::gate::pass))
        .layer(middleware::from_fn_with_state(state.clone(), v1::deprecation))
        .layer(CatchPanicLayer::custom(panicked))
        // Before the gate: a browser asks for permission without a token.
        .layer(option_layer(state.config.origins.layer()))
        .layer(middleware::from_fn(security_headers::add))
        .layer(middleware::from_fn_with_state(state.clone(), trace::trace))
        // Outermost: an app's own errors are the app's to word.
        .layer(middleware::from_fn_with_state(state.clone(), hosts::dispatch))
        .with_state(state)
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    use axum::response::IntoResponse;
    ApiError::Internal("a handler panicked".to_owned()).into_response()
}
