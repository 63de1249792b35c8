//! The first API, kept working: snake_case views over the calls of v2.

mod views;

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::views::{
    ConfigView, EndpointList, LaunchView, LogEventView, LogList, RequestAnswer, RequestBody, StatusView,
};
use super::auth::Caller;
use super::extract::{Path, Query};
use super::problem::{ApiError, Problem};
use super::v2::{self, LogQuery};
use super::{AppState, json, owned, sse};
use crate::domain::{Invalid, Metadata, ResourceTier, text};
use crate::orchestrator::Launch;
use crate::streams::StreamLine;

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = v1::LaunchBody)]
#[serde(deny_unknown_fields, default)]
pub struct LaunchBody {
    #[schema(value_type = Option<text::ProjectId>, inline)]
    project_id: Option<String>,
    /// Seconds the app may take to answer, 1 to 600, default 30.
    #[schema(minimum = 1, maximum = 600)]
    timeout: Option<u64>,
}

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(launch))
        .routes(routes!(status))
        .routes(routes!(stop))
        .routes(routes!(endpoints))
        .routes(routes!(request))
        .routes(routes!(config))
        .routes(routes!(logs))
        .routes(routes!(log_stream))
        .merge(super::system::v1_routes())
}

/// Says on every answer of this face, refusals too, that a newer one is there, when the operator
/// wants that said.
pub async fn deprecation(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_ours = request.uri().path().starts_with("/api/v1/");
    let mut response = next.run(request).await;
    if is_ours && state.config.deprecation_warnings {
        let headers = response.headers_mut();
        headers.insert("deprecation", HeaderValue::from_static("true"));
        headers.insert("sunset", HeaderValue::from_static("Thu, 31 Dec 2027 23:59:59 GMT"));
        headers.insert("link", HeaderValue::from_static("</api/v2>; rel=\"successor-version\""));
    }
    response
}

#[utoipa::path(post, path = "/generations/{generation_id}/preview/launch", operation_id = "v1LaunchPreview", tag = "v1",
    params(("generation_id" = String, Path)), request_body = LaunchBody,
    responses((status = 201, body = LaunchView), (status = 200, body = LaunchView), (status = 404, body = Problem)))]
async fn launch(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    json::Json(body): json::Json<LaunchBody>,
) -> Result<(StatusCode, Json<LaunchView>), ApiError> {
    if body.timeout.is_some_and(|seconds| !(1..=600).contains(&seconds)) {
        return Err(Invalid::new("timeout", "expected 1 to 600 seconds").into());
    }
    let checked = Metadata { project_id: body.project_id.clone(), ..Metadata::default() };
    checked.validate().map_err(|invalid| Invalid::new("project_id", invalid.message))?;
    let generation = owned::generation(&state, &caller, &gid).await?;
    let launch = Launch {
        user: caller.user.clone(),
        user_tier: caller.tier,
        resource_tier: ResourceTier::default(),
        project_id: body.project_id,
        environment: Default::default(),
        egress: None,
        database: None,
        migrate: true,
        log_level: None,
        max_log_lines: None,
        startup_timeout: body.timeout.map(Duration::from_secs),
        private: None,
        session: state.config.v1_session,
        idle: Some(state.config.v1_idle),
    };
    let launched = state.orchestrator.launch(&generation, launch).await?;
    let status = if launched.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(LaunchView::new(&launched.preview, launched.token))))
}

#[utoipa::path(get, path = "/generations/{generation_id}/preview/status", operation_id = "v1GetPreviewStatus", tag = "v1",
    params(("generation_id" = String, Path)),
    responses((status = 200, body = StatusView), (status = 404, body = Problem)))]
async fn status(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<StatusView>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let sample = state.orchestrator.sample(preview.id);
    Ok(Json(StatusView::new(&preview, sample.as_ref())))
}

#[utoipa::path(delete, path = "/generations/{generation_id}/preview", operation_id = "v1StopPreview", tag = "v1",
    params(("generation_id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
async fn stop(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<StatusCode, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    state.orchestrator.stop(&preview, Duration::from_secs(30)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/generations/{generation_id}/preview/endpoints", operation_id = "v1ListEndpoints", tag = "v1",
    params(("generation_id" = String, Path)), responses((status = 200, body = EndpointList)))]
async fn endpoints(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<EndpointList>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let endpoints = state.orchestrator.endpoints(&preview).await?.endpoints;
    Ok(Json(EndpointList::of(&endpoints)))
}

#[utoipa::path(post, path = "/generations/{generation_id}/preview/request", operation_id = "v1SendRequest", tag = "v1",
    params(("generation_id" = String, Path), ("X-Preview-Token" = String, Header)), request_body = RequestBody,
    responses((status = 200, body = RequestAnswer), (status = 401, body = Problem), (status = 504, body = Problem)))]
async fn request(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    headers: HeaderMap,
    json::Json(body): json::Json<RequestBody>,
) -> Result<Json<RequestAnswer>, ApiError> {
    let preview = v2::authorised(&state, &caller, &gid, &headers).await?;
    Ok(Json(v2::forward(&state, &preview, body.into(), &headers).await?.into()))
}

#[utoipa::path(get, path = "/generations/{generation_id}/preview/config", operation_id = "v1GetPreviewConfig", tag = "v1",
    params(("generation_id" = String, Path)), responses((status = 200, body = ConfigView)))]
async fn config(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<ConfigView>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    Ok(Json(ConfigView::new(&preview, &state.config)))
}

#[utoipa::path(get, path = "/generations/{generation_id}/preview/logs", operation_id = "v1GetLogs", tag = "v1",
    params(("generation_id" = String, Path), LogQuery), responses((status = 200, body = LogList)))]
async fn logs(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogList>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    Ok(Json(v2::log_page(&state, &preview, &query).await?.into()))
}

#[utoipa::path(get, path = "/generations/{generation_id}/preview/logs/stream", operation_id = "v1StreamLogs", tag = "v1",
    params(("generation_id" = String, Path), LogQuery),
    responses((status = 200, content_type = "text/event-stream", body = LogEventView)))]
async fn log_stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let view = |line: &StreamLine| sse::event(Some(line.seq), &LogEventView::from(line.line()));
    Ok(sse::respond(&state, v2::log_events(&state, &preview, &query, &headers, view).await?))
}
