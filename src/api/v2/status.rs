//! The whole truth about one preview.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::database::DatabaseView;
use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned};
use crate::domain::{Failure, HealthStatus, Preview, Status};
use crate::generation::endpoints::Endpoint;
use crate::orchestrator::Usage;

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    preview_instance_id: String,
    generation_id: String,
    project_id: Option<String>,
    status: Status,
    container_status: String,
    base_url: String,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    /// Seconds since the container started; 0 when there is none.
    uptime: u64,
    health: HealthView,
    resources: Resources,
    performance: Performance,
    database: DatabaseView,
    expires_at: DateTime<Utc>,
    /// Seconds.
    time_remaining: u64,
    can_extend: bool,
    extensions_remaining: u32,
    generated_endpoints: Vec<EndpointView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HealthView {
    status: HealthStatus,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// http, database or memory.
    name: String,
    status: HealthStatus,
    last_check: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Resources {
    /// MiB.
    memory: Resource,
    /// Cores.
    cpu: Resource,
    /// MiB.
    storage: Resource,
}

/// `used` and `percent` are null where nothing could be measured.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Resource {
    allocated: f64,
    used: Option<f64>,
    percent: Option<f64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Performance {
    request_count: u64,
    error_count: u64,
    /// 0 to 1.
    error_rate: f64,
    /// Milliseconds.
    avg_response_time: f64,
    /// Milliseconds.
    p95_response_time: f64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    method: String,
    path: String,
    description: Option<String>,
    response_time: Option<f64>,
    status: Option<u16>,
}

/// Status, health, resources, traffic and what is left of the session.
#[utoipa::path(get, path = "/generations/{gid}/preview/status", operation_id = "getPreviewStatus", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = StatusView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<StatusView>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let endpoints = state.orchestrator.endpoints(&preview.generation_id).await?;
    let usage = state.orchestrator.usage(&preview).await;
    let counted = state.orchestrator.database_counted(&preview).await;
    let mut view = StatusView::new(&state, &preview, usage);
    view.database = DatabaseView::of(&preview, counted.as_ref());
    view.generated_endpoints = endpoints.iter().map(EndpointView::from).collect();
    Ok(Json(view))
}

impl StatusView {
    /// Everything but the endpoints, which need the code.
    pub fn new(state: &AppState, preview: &Preview, usage: Option<Usage>) -> Self {
        let now = Utc::now();
        let seconds =
            |from: DateTime<Utc>, to: DateTime<Utc>| u64::try_from((to - from).num_seconds()).unwrap_or(0);
        let is_live = preview.status.is_live();
        let uptime = preview.started_at.filter(|_| is_live).map_or(0, |started| seconds(started, now));
        let extensions_remaining = preview.extensions_allowed.saturating_sub(preview.extensions_used);
        let database = DatabaseView::of(preview, state.orchestrator.database(preview).as_ref());
        Self {
            preview_instance_id: preview.id.to_string(),
            generation_id: preview.generation_id.to_string(),
            project_id: preview.project_id.clone(),
            status: preview.status,
            container_status: container_status(preview).to_owned(),
            base_url: preview.base_url.clone(),
            created_at: preview.created_at,
            started_at: preview.started_at,
            uptime,
            health: HealthView::of(preview, &database),
            resources: Resources::of(preview, usage),
            performance: Performance::of(state, preview),
            database,
            expires_at: preview.expires_at,
            time_remaining: if is_live { seconds(now, preview.expires_at) } else { 0 },
            can_extend: is_live && extensions_remaining > 0,
            extensions_remaining,
            generated_endpoints: Vec::new(),
            failure: preview.failure.clone(),
        }
    }
}

const fn container_status(preview: &Preview) -> &'static str {
    match (preview.container_id.is_some(), preview.status) {
        (false, _) => "none",
        (true, Status::Paused) => "paused",
        (true, Status::Launching) => "starting",
        (true, Status::Stopping) => "removing",
        (true, _) => "running",
    }
}

impl HealthView {
    fn of(preview: &Preview, database: &DatabaseView) -> Self {
        let http = Check {
            name: "http".to_owned(),
            status: preview.health,
            last_check: preview.last_health_check,
            usage: None,
        };
        let database = (database.mode.is_some()).then(|| Check {
            name: "database".to_owned(),
            status: match database.status {
                "ready" => HealthStatus::Healthy,
                "unavailable" => HealthStatus::Unhealthy,
                _ => HealthStatus::Unknown,
            },
            last_check: database.last_check,
            usage: None,
        });
        Self { status: preview.health, checks: [http].into_iter().chain(database).collect() }
    }
}

impl Resources {
    fn of(preview: &Preview, usage: Option<Usage>) -> Self {
        let limits = &preview.limits;
        let resource = |allocated: f64, used: Option<f64>| Resource {
            allocated,
            used,
            percent: used.map(|used| 100.0 * used / allocated),
        };
        Self {
            memory: resource(limits.memory_mb as f64, usage.map(|usage| usage.memory_mb)),
            cpu: resource(limits.cpu, usage.and_then(|usage| usage.cores)),
            storage: resource(limits.storage_mb as f64, None),
        }
    }
}

impl Performance {
    fn of(state: &AppState, preview: &Preview) -> Self {
        let (requests, errors, average, p95) = match state.ingress.traffic(preview.id) {
            Some(traffic) => (traffic.requests, traffic.errors, traffic.avg_ms, traffic.p95_ms),
            None => (preview.request_count, preview.error_count, preview.avg_response_time, 0.0),
        };
        Self {
            request_count: requests,
            error_count: errors,
            error_rate: if requests == 0 { 0.0 } else { errors as f64 / requests as f64 },
            avg_response_time: average,
            p95_response_time: p95,
        }
    }
}

impl From<&Endpoint> for EndpointView {
    fn from(endpoint: &Endpoint) -> Self {
        let description = endpoint.description.clone().or_else(|| endpoint.summary.clone());
        Self {
            method: endpoint.method.clone(),
            path: endpoint.path.clone(),
            description,
            response_time: None,
            status: None,
        }
    }
}
