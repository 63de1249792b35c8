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
use crate::domain::{
    BlockCounters, ContainerStatus, Failure, HealthStatus, NetworkCounters, PausedBy, Preview, Sample, Status,
};
use crate::generation::endpoints::Endpoint;
use crate::generation::is_environment;
use crate::orchestrator::{Check, Checked, memory_health};

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    preview_instance_id: String,
    generation_id: String,
    project_id: Option<String>,
    status: Status,
    /// Present while it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<PausedBy>,
    /// As the engine was last seen to have it: created, running, paused, restarting, removing, exited,
    /// dead; `none` where there is no container.
    container_status: String,
    /// What its container was made from: its image, or the environment it shares with others of the
    /// same dependencies and its source, while the image is made.
    runs_from: RunsFrom,
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
#[serde(rename_all = "lowercase")]
pub enum RunsFrom {
    Image,
    Environment,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HealthView {
    status: HealthStatus,
    checks: Vec<CheckView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Check)]
pub struct CheckView {
    /// http, port, container, database, memory or storage.
    name: &'static str,
    status: HealthStatus,
    last_check: Option<DateTime<Utc>>,
    /// Seconds between two of them.
    interval: u64,
    /// What it came to, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// MiB.
    memory: Resource,
    /// Cores.
    cpu: Resource,
    /// MiB of its writable layer and volumes.
    storage: Resource,
    /// Processes and threads.
    processes: Resource,
    /// Share of periods in which it was throttled, in percent; null where it is not known.
    throttled_percent: Option<f64>,
    /// Processes of it that were killed for want of memory; null where it is not known.
    oom_kills: Option<u64>,
    /// Since the container started; null where it is not known.
    network: Option<NetworkView>,
    /// Since the container started; null where it is not known.
    block: Option<BlockView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkView {
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockView {
    read_bytes: u64,
    written_bytes: u64,
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
    /// Milliseconds.
    p99_response_time: f64,
    /// Of the last minute.
    requests_per_minute: f64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    method: String,
    path: String,
    description: Option<String>,
    /// Milliseconds of its last answer, where the log has one.
    response_time: Option<f64>,
    /// Of its last answer.
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
    let outline = state.orchestrator.outline(&preview.generation_id).await?;
    let counted = state.orchestrator.database_counted(&preview).await;
    let mut view = StatusView::new(&state, &preview);
    let cache = state.orchestrator.cache_counted(&preview).await;
    view.database = DatabaseView::of(&preview, counted.as_ref(), cache.as_ref());
    view.generated_endpoints = EndpointView::all(&state, &preview, &outline.endpoints);
    Ok(Json(view))
}

impl StatusView {
    /// Everything but the endpoints, which need the code.
    pub fn new(state: &AppState, preview: &Preview) -> Self {
        let sample = state.orchestrator.sample(preview.id);
        let now = Utc::now();
        let seconds =
            |from: DateTime<Utc>, to: DateTime<Utc>| u64::try_from((to - from).num_seconds()).unwrap_or(0);
        let is_live = preview.status.is_live();
        let uptime = preview.started_at.filter(|_| is_live).map_or(0, |started| seconds(started, now));
        let extensions_remaining = preview.extensions_allowed.saturating_sub(preview.extensions_used);
        let known = state.orchestrator.database(preview);
        let database = DatabaseView::of(preview, known.as_ref(), state.orchestrator.cache(preview).as_ref());
        Self {
            preview_instance_id: preview.id.to_string(),
            generation_id: preview.generation_id.to_string(),
            project_id: preview.project_id.clone(),
            status: preview.status,
            paused_by: preview.paused_by,
            container_status: preview.container_status.map_or("none", ContainerStatus::as_str).to_owned(),
            runs_from: RunsFrom::of(preview),
            base_url: preview.base_url.clone(),
            created_at: preview.created_at,
            started_at: preview.started_at,
            uptime,
            health: HealthView::of(state, preview, sample.as_ref(), &database),
            resources: Resources::of(preview, sample.as_ref()),
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

impl RunsFrom {
    fn of(preview: &Preview) -> Self {
        match preview.image.as_deref().is_some_and(is_environment) {
            true => Self::Environment,
            false => Self::Image,
        }
    }
}

impl HealthView {
    fn of(state: &AppState, preview: &Preview, sample: Option<&Sample>, database: &DatabaseView) -> Self {
        let made = state.orchestrator.checks(preview);
        let newest = |check| made.iter().find(|checked| checked.check == check);
        let checks = Check::ALL.into_iter().filter_map(|check| {
            let view = match check {
                Check::Http => Some(CheckView::of_http(preview, newest(check))),
                Check::Port | Check::Container => newest(check).map(CheckView::of),
                Check::Database => CheckView::of_database(database, newest(check)),
                Check::Memory => sample.map(|sample| CheckView::of_memory(preview, sample)),
                Check::Storage => {
                    newest(check).map(|checked| CheckView::of_storage(preview, sample, checked))
                }
            }?;
            let interval = state.orchestrator.check_interval(preview, check).as_secs();
            Some(CheckView { interval, ..view })
        });
        Self { status: preview.health, checks: checks.collect() }
    }
}

impl CheckView {
    fn of(checked: &Checked) -> Self {
        Self {
            name: checked.check.as_str(),
            status: checked.status,
            last_check: Some(checked.at),
            interval: 0,
            message: Some(checked.message.clone()),
            usage: None,
        }
    }

    /// Of an earlier run of the daemon only the outcome is known.
    fn of_http(preview: &Preview, checked: Option<&Checked>) -> Self {
        checked.map_or_else(
            || Self {
                name: Check::Http.as_str(),
                status: preview.health,
                last_check: preview.last_health_check,
                interval: 0,
                message: None,
                usage: None,
            },
            Self::of,
        )
    }

    /// None where the preview has no database.
    fn of_database(database: &DatabaseView, checked: Option<&Checked>) -> Option<Self> {
        database.mode.as_ref()?;
        Some(Self {
            name: Check::Database.as_str(),
            status: match database.status {
                "ready" => HealthStatus::Healthy,
                "unavailable" => HealthStatus::Unhealthy,
                _ => HealthStatus::Unknown,
            },
            last_check: database.last_check,
            interval: 0,
            message: checked.map(|checked| checked.message.clone()),
            usage: None,
        })
    }

    fn of_memory(preview: &Preview, sample: &Sample) -> Self {
        let percent = sample.memory_percent(&preview.limits);
        let (used, limit) = (sample.memory_mb(), preview.limits.memory_mb);
        Self {
            name: Check::Memory.as_str(),
            status: memory_health(percent),
            last_check: Some(sample.at),
            interval: 0,
            message: Some(format!("{used:.0} of {limit} MiB are in use")),
            usage: Some(format!("{percent:.0}%")),
        }
    }

    fn of_storage(preview: &Preview, sample: Option<&Sample>, checked: &Checked) -> Self {
        let percent =
            sample.and_then(Sample::disk_mb).map(|used| 100.0 * used / preview.limits.storage_mb as f64);
        Self { usage: percent.map(|percent| format!("{percent:.0}%")), ..Self::of(checked) }
    }
}

impl Resources {
    pub fn of(preview: &Preview, sample: Option<&Sample>) -> Self {
        let limits = &preview.limits;
        let resource = |allocated: f64, used: Option<f64>| Resource {
            allocated,
            used,
            percent: used.map(|used| 100.0 * used / allocated),
        };
        let counters = sample.map(|sample| sample.counters);
        Self {
            memory: resource(limits.memory_mb as f64, sample.map(Sample::memory_mb)),
            cpu: resource(limits.cpu, sample.and_then(|sample| sample.cores)),
            storage: resource(limits.storage_mb as f64, sample.and_then(Sample::disk_mb)),
            processes: resource(f64::from(limits.pids), counters.map(|counters| counters.pids as f64)),
            throttled_percent: sample.and_then(|sample| sample.throttled).map(|share| 100.0 * share),
            oom_kills: counters.map(|counters| counters.oom_kills),
            network: counters.and_then(|counters| counters.network).map(NetworkView::from),
            block: counters.and_then(|counters| counters.block).map(BlockView::from),
        }
    }
}

impl From<NetworkCounters> for NetworkView {
    fn from(network: NetworkCounters) -> Self {
        Self { received_bytes: network.received_bytes, sent_bytes: network.sent_bytes }
    }
}

impl From<BlockCounters> for BlockView {
    fn from(block: BlockCounters) -> Self {
        Self { read_bytes: block.read_bytes, written_bytes: block.written_bytes }
    }
}

impl Performance {
    pub fn of(state: &AppState, preview: &Preview) -> Self {
        let served = state.orchestrator.served(preview);
        let share = |errors: u64| errors as f64 / served.requests as f64;
        Self {
            request_count: served.requests,
            error_count: served.errors,
            error_rate: if served.requests == 0 { 0.0 } else { share(served.errors) },
            avg_response_time: served.avg_ms,
            p95_response_time: served.p95_ms,
            p99_response_time: served.p99_ms,
            requests_per_minute: state.orchestrator.recent(preview.id).requests_per_minute,
        }
    }
}

impl EndpointView {
    fn all(state: &AppState, preview: &Preview, endpoints: &[Endpoint]) -> Vec<Self> {
        let view = |endpoint: &Endpoint| {
            let same = endpoints.iter().filter(|other| other.method == endpoint.method);
            let routes: Vec<&str> = same.map(|other| other.path.as_str()).collect();
            let answers = state.logs.answers();
            let last = answers.of(preview.id, &endpoint.method, &endpoint.path, &routes);
            Self {
                method: endpoint.method.clone(),
                path: endpoint.path.clone(),
                description: endpoint.description.clone().or_else(|| endpoint.summary.clone()),
                response_time: last.map(|answer| answer.took.as_secs_f64() * 1e3),
                status: last.map(|answer| answer.status),
            }
        };
        endpoints.iter().map(view).collect()
    }
}
