//! What operators and machines ask: alive, ready, how much.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::auth::{Caller, Role};
use crate::domain::{Latencies, Preview};
use crate::orchestrator::{Readiness, own_process};

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
        .merge(super::metrics::routes())
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

/// Readiness, and how engine, store, ports, sampling and the daemon's process are, for operators.
#[utoipa::path(get, path = "/health/detailed", operation_id = "v1GetDetailedHealth", tag = "system", responses((status = 200, body = Object)))]
async fn detailed(State(state): State<AppState>, _: Caller) -> Json<Value> {
    let orchestrator = &state.orchestrator;
    let asked = Instant::now();
    let readiness = orchestrator.readiness().await;
    let took = asked.elapsed();
    let engine = orchestrator.engine_info().await.ok();
    let (ports, sources) = (state.ingress.ports(), orchestrator.sample_sources());
    Json(json!({
        "status": if readiness.is_ready() { "ok" } else { "degraded" },
        "readiness": readiness,
        "readiness_ms": took.as_secs_f64() * 1e3,
        "version": env!("CARGO_PKG_VERSION"),
        "store": { "backend": state.store.backend(), "schema": state.store.schema_version() },
        "engine": engine.map(|info| json!({
            "version": info.version,
            "api_version": info.api_version,
            "storage_driver": info.storage_driver,
            "cgroup_version": info.cgroup_version,
            "buildkit": info.buildkit,
            "warnings": info.warnings,
        })),
        "ports": { "used": ports.used, "of": ports.of },
        "previews": {
            "live": orchestrator.live_previews().len(),
            "of": orchestrator.config().max_live,
            "read_from_files": sources.files,
            "read_from_engine": sources.engine,
        },
        "process": own_process().map(|process| json!({
            "uptime_seconds": (Utc::now().timestamp_millis() as f64 / 1e3 - process.started_at).max(0.0),
            "memory_mb": process.resident_bytes as f64 / (1024.0 * 1024.0),
            "cpu_seconds": process.cpu_seconds,
            "open_files": process.open_files,
            "max_files": process.most_files,
            "threads": process.threads,
        })),
    }))
}

/// Live previews by status, what they use and serve in all: yours, or everyone's for admins, who
/// also see launches, errors and ports.
#[utoipa::path(get, path = "/metrics/summary", operation_id = "v1GetMetricsSummary", tag = "system", responses((status = 200, body = Object)))]
async fn summary(State(state): State<AppState>, caller: Caller) -> Json<Value> {
    let is_admin = caller.role == Role::Admin;
    let mut live = state.orchestrator.live_previews();
    live.retain(|preview| is_admin || preview.user_id == caller.user);
    let mut summary = Sums::of(&state, &live).view();
    if is_admin {
        summary["installation"] = installation(&state);
    }
    Json(summary)
}

/// What live previews use and serve together.
#[derive(Default)]
struct Sums {
    by_status: BTreeMap<&'static str, u32>,
    requests: u64,
    errors: u64,
    requests_per_minute: f64,
    memory_mb: f64,
    memory_limit_mb: u64,
    cores: f64,
    latencies: Latencies,
}

impl Sums {
    fn of(state: &AppState, live: &[Preview]) -> Self {
        let mut sums = Self::default();
        for preview in live {
            *sums.by_status.entry(preview.status.as_str()).or_default() += 1;
            let served = state.orchestrator.served(preview);
            sums.requests += served.requests;
            sums.errors += served.errors;
            sums.requests_per_minute += state.orchestrator.recent(preview.id).requests_per_minute;
            sums.memory_limit_mb += preview.limits.memory_mb;
            if let Some(sample) = state.orchestrator.sample(preview.id) {
                sums.memory_mb += sample.memory_mb();
                sums.cores += sample.cores.unwrap_or(0.0);
            }
            if let Some(traffic) = state.ingress.traffic(preview.id) {
                sums.latencies.add(&traffic.totals.latencies);
            }
        }
        sums
    }

    fn view(&self) -> Value {
        let error_rate = if self.requests == 0 { 0.0 } else { self.errors as f64 / self.requests as f64 };
        json!({
            "previews": self.by_status,
            "requests": self.requests,
            "errors": self.errors,
            "error_rate": error_rate,
            "requests_per_minute": self.requests_per_minute,
            "avg_response_time_ms": self.latencies.average_ms(),
            "p95_response_time_ms": self.latencies.percentile_ms(95.0),
            "p99_response_time_ms": self.latencies.percentile_ms(99.0),
            "memory_usage_mb": self.memory_mb,
            "memory_limit_mb": self.memory_limit_mb,
            "cpu_cores": self.cores,
        })
    }
}

fn installation(state: &AppState) -> Value {
    let metrics = state.orchestrator.metrics();
    let (success, failure) = metrics.launches();
    let errors: BTreeMap<&str, u64> = metrics.errors().collect();
    let ports = state.ingress.ports();
    json!({
        "launches": { "success": success, "failure": failure },
        "errors_by_type": errors,
        "ports": { "used": ports.used, "of": ports.of },
    })
}
