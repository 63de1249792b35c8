//! What operators and machines ask: alive, ready, how much.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::auth::{Caller, Role};
use super::problem::ApiError;
use crate::orchestrator::Readiness;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Alive {
    status: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Version {
    name: String,
    version: String,
}

/// Open to everyone who reaches the port: they say nothing of any user.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(healthz))
        .routes(routes!(liveness))
        .routes(routes!(readiness))
        .routes(routes!(version))
        .routes(routes!(metrics))
}

/// Behind the token, because they say more.
pub fn v1_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(detailed)).routes(routes!(summary))
}

fn alive() -> Json<Alive> {
    Json(Alive { status: "ok".to_owned() })
}

/// The daemon answers.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", security(()), tag = "system", responses((status = 200, body = Alive)))]
async fn health() -> Json<Alive> {
    alive()
}

/// The same, under another custom's name.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealthz", security(()), tag = "system", responses((status = 200, body = Alive)))]
async fn healthz() -> Json<Alive> {
    alive()
}

/// The same, for orchestrators.
#[utoipa::path(get, path = "/liveness", operation_id = "getLiveness", security(()), tag = "system", responses((status = 200, body = Alive)))]
async fn liveness() -> Json<Alive> {
    alive()
}

/// Engine, store and base images are usable; if not, 503 says which is not.
#[utoipa::path(get, path = "/readiness", operation_id = "getReadiness", security(()), tag = "system",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn readiness(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let readiness = state.orchestrator.readiness().await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

#[utoipa::path(get, path = "/version", operation_id = "getVersion", security(()), tag = "system", responses((status = 200, body = Version)))]
async fn version() -> Json<Version> {
    Json(Version { name: "previewd".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// OpenMetrics text for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", security(()), tag = "system", responses((status = 200, body = String)))]
async fn metrics(State(state): State<AppState>) -> Result<Response, ApiError> {
    let mut text = String::new();
    encode(&mut text, &state.metrics).map_err(|error| ApiError::Internal(error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Readiness with the engine's facts, for operators.
#[utoipa::path(get, path = "/health/detailed", operation_id = "v1GetDetailedHealth", tag = "system", responses((status = 200, body = Object)))]
async fn detailed(State(state): State<AppState>, _: Caller) -> Json<Value> {
    let readiness = state.orchestrator.readiness().await;
    let engine = state.orchestrator.engine_info().await.ok();
    Json(json!({
        "status": if readiness.is_ready() { "ok" } else { "degraded" },
        "readiness": readiness,
        "store": { "backend": state.store.backend(), "schema": state.store.schema_version() },
        "engine": engine.map(|info| json!({
            "version": info.version,
            "api_version": info.api_version,
            "storage_driver": info.storage_driver,
            "cgroup_version": info.cgroup_version,
            "buildkit": info.buildkit,
            "warnings": info.warnings,
        })),
    }))
}

/// Live previews by status: yours, or all for admins.
#[utoipa::path(get, path = "/metrics/summary", operation_id = "v1GetMetricsSummary", tag = "system", responses((status = 200, body = Object)))]
async fn summary(State(state): State<AppState>, caller: Caller) -> Json<Value> {
    let mut by_status = std::collections::BTreeMap::<&str, u32>::new();
    let (mut requests, mut errors) = (0, 0);
    for preview in state.orchestrator.live_previews() {
        if caller.role != Role::Admin && preview.user_id != caller.user {
            continue;
        }
        *by_status.entry(preview.status.as_str()).or_default() += 1;
        if let Some(traffic) = state.ingress.traffic(preview.id) {
            requests += traffic.requests;
            errors += traffic.errors;
        }
    }
    Json(json!({ "previews": by_status, "requests": requests, "errors": errors }))
}
