//! Previews across generations, and the smaller questions about one.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::status::StatusView;
use crate::api::auth::{Caller, Role};
use crate::api::extract::{Path, Query};
use crate::api::listing::PageQuery;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned};
use crate::domain::{LogLevel, ResourceLimits, Status, UserTier};
use crate::generation::Warning;
use crate::generation::endpoints::Endpoint;
use crate::orchestrator::{DocumentRead, Listed};
use crate::store::PreviewFilter;

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewList {
    previews: Vec<StatusView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    status: Option<Status>,
    project: Option<String>,
    /// What an earlier page gave as `nextCursor`.
    cursor: Option<String>,
    /// 1 to 200, default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EndpointList {
    endpoints: Vec<Endpoint>,
    count: usize,
    /// The running app's own OpenAPI document, when it has one; it refines the endpoints.
    document: Option<DocumentRead>,
    /// What stood in the way of reading the code, with file and line.
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigView {
    port: Option<u16>,
    base_url: String,
    /// Seconds a session lives from its launch.
    session_timeout: u64,
    /// Seconds it may live with all its extensions.
    max_uptime: u64,
    memory_limit_mb: u64,
    /// Seconds one extension may add at the most.
    extension: u64,
    max_extensions: u32,
    /// Seconds.
    timeout_seconds: u32,
    /// Seconds.
    health_check_interval: u32,
    health_check_endpoint: String,
    tier: UserTier,
    #[schema(value_type = Object)]
    limits: ResourceLimits,
    database: crate::domain::DatabaseType,
    network: Option<String>,
    /// Where the app may connect to: `open`, `none`, or what it is restricted to.
    egress: String,
    /// What the app is told to log at.
    log_level: LogLevel,
    /// Lines of its log that are kept.
    max_log_lines: u32,
    /// Where they are kept, as in `database:preview_logs`.
    log_storage: Option<String>,
    /// The engine's runtime; null is the engine's default.
    runtime: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    events: Vec<EventView>,
    next_cursor: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    timestamp: chrono::DateTime<chrono::Utc>,
    /// launched, building, started, healthy, …
    event_type: &'static str,
    /// What belongs to it: who asked, what failed.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// Your previews, newest first; admins see all.
#[utoipa::path(get, path = "/previews", operation_id = "listPreviews", tag = "previews", params(ListQuery),
    responses((status = 200, body = PreviewList), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<PreviewList>, ApiError> {
    let page = PageQuery { cursor: query.cursor, limit: query.limit }.page()?;
    let filter = PreviewFilter {
        user: (caller.role != Role::Admin).then(|| caller.user.clone()),
        status: query.status,
        project: query.project,
    };
    let found = state.store.previews(&filter, page).await?;
    let newest = found.items.into_iter().map(|preview| state.orchestrator.newest(preview));
    let previews = newest.map(|preview| StatusView::new(&state, &preview)).collect();
    Ok(Json(PreviewList { previews, next_cursor: found.next }))
}

/// Stop the preview. Legal in every state; nothing of it is left when the answer comes.
#[utoipa::path(delete, path = "/generations/{gid}/preview", operation_id = "stopPreview", tag = "previews", params(("gid" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn stop(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<StatusCode, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    state.orchestrator.stop(&preview, Duration::from_secs(30)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The HTTP endpoints of the app, found in its source, and in its own OpenAPI document while it
/// serves one at `/openapi.json`. `source` says which; `differences`, where they do not agree.
#[utoipa::path(get, path = "/generations/{gid}/preview/endpoints", operation_id = "listEndpoints", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = EndpointList), (status = 404, body = Problem)))]
pub async fn endpoints(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<EndpointList>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let Listed { endpoints, document, outline } = state.orchestrator.endpoints(&preview).await?;
    let warnings = outline.warnings.clone();
    Ok(Json(EndpointList { count: endpoints.len(), endpoints, document, warnings }))
}

/// What the preview was given: port, times, tier, limits, network.
#[utoipa::path(get, path = "/generations/{gid}/preview/config", operation_id = "getPreviewConfig", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = ConfigView), (status = 404, body = Problem)))]
pub async fn config(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<ConfigView>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let extensions = u64::from(preview.extensions_allowed) * state.config.extension.as_secs();
    Ok(Json(ConfigView {
        port: preview.port,
        base_url: preview.base_url.clone(),
        session_timeout: state.config.session.as_secs(),
        max_uptime: state.config.session.as_secs() + extensions,
        memory_limit_mb: preview.limits.memory_mb,
        extension: state.config.extension.as_secs(),
        max_extensions: preview.extensions_allowed,
        timeout_seconds: preview.startup_timeout_s,
        health_check_interval: preview.health_interval_s,
        health_check_endpoint: preview.health_path.clone(),
        tier: preview.user_tier,
        limits: preview.limits,
        database: preview.database,
        network: preview.network.clone(),
        egress: preview.egress.to_string(),
        log_level: preview.log_level,
        max_log_lines: preview.max_log_lines,
        log_storage: preview.log_storage.clone(),
        runtime: state.orchestrator.config().runtime.clone(),
    }))
}

/// The audit trail of the preview, in the order in which it happened.
#[utoipa::path(get, path = "/generations/{gid}/preview/events", operation_id = "listPreviewEvents", tag = "previews",
    params(("gid" = String, Path), PageQuery),
    responses((status = 200, body = EventList), (status = 404, body = Problem)))]
pub async fn events(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<EventList>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let found = state.store.events(preview.id, page.page()?).await?;
    let view = |event: crate::domain::Event| EventView {
        timestamp: event.timestamp,
        event_type: event.event_type.as_str(),
        data: event.data,
    };
    Ok(Json(EventList { events: found.items.into_iter().map(view).collect(), next_cursor: found.next }))
}
