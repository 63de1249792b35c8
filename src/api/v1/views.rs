//! The shapes of the first API.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::{Config, v2};
use crate::domain::{HealthStatus, LogLevel, LogLine, LogSource, Preview, Sample, V1Status, text};
use crate::generation::endpoints::Endpoint;

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::LaunchView)]
pub struct LaunchView {
    id: String,
    generation_id: String,
    user_id: String,
    project_id: Option<String>,
    status: V1Status,
    port: Option<u16>,
    base_url: String,
    session_token: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::StatusView)]
pub struct StatusView {
    id: String,
    status: V1Status,
    port: Option<u16>,
    base_url: String,
    uptime_seconds: u64,
    memory_usage_mb: f64,
    /// Of the cores the preview may use.
    cpu_usage_percent: f64,
    health: HealthStatus,
    started_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::EndpointList)]
pub struct EndpointList {
    endpoints: Vec<EndpointView>,
    count: usize,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::EndpointView)]
pub struct EndpointView {
    path: String,
    method: String,
    summary: Option<String>,
    description: Option<String>,
    tags: Vec<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::ConfigView)]
pub struct ConfigView {
    port: Option<u16>,
    base_url: String,
    session_timeout: u64,
    max_uptime: u64,
    memory_limit_mb: u64,
    timeout_seconds: u32,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = v1::RequestBody)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    #[schema(value_type = Option<text::Method>, inline)]
    method: Option<String>,
    #[schema(value_type = text::RequestPath, inline)]
    path: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    query: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    #[schema(value_type = Value)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    #[schema(schema_with = v2::headers_schema)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::RequestAnswer)]
pub struct RequestAnswer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    elapsed_ms: f64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::LogList)]
pub struct LogList {
    logs: Vec<LogEventView>,
    /// Give it as `cursor` to get what came after these lines.
    next_cursor: Option<u64>,
}

/// `source` is `subprocess` for what the app printed, `system` for the rest.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = v1::LogEvent)]
pub struct LogEventView {
    timestamp: DateTime<Utc>,
    level: LogLevel,
    message: String,
    source: String,
}

impl LaunchView {
    pub fn new(preview: &Preview, session_token: String) -> Self {
        Self {
            id: preview.id.to_string(),
            generation_id: preview.generation_id.to_string(),
            user_id: preview.user_id.to_string(),
            project_id: preview.project_id.clone(),
            status: preview.status.v1(),
            port: preview.port,
            base_url: preview.base_url.clone(),
            session_token,
            created_at: preview.created_at,
        }
    }
}

impl StatusView {
    pub fn new(preview: &Preview, sample: Option<&Sample>) -> Self {
        let uptime =
            preview.started_at.filter(|_| preview.status.is_live()).map(|started| Utc::now() - started);
        Self {
            id: preview.id.to_string(),
            status: preview.status.v1(),
            port: preview.port,
            base_url: preview.base_url.clone(),
            uptime_seconds: uptime.and_then(|time| u64::try_from(time.num_seconds()).ok()).unwrap_or(0),
            memory_usage_mb: sample.map_or(0.0, Sample::memory_mb),
            cpu_usage_percent: sample.and_then(|sample| sample.cpu_percent(&preview.limits)).unwrap_or(0.0),
            health: preview.health,
            started_at: preview.started_at,
        }
    }
}

impl EndpointList {
    pub fn of(endpoints: &[Endpoint]) -> Self {
        let view = |endpoint: &Endpoint| EndpointView {
            path: endpoint.path.clone(),
            method: endpoint.method.clone(),
            summary: endpoint.summary.clone(),
            description: endpoint.description.clone(),
            tags: endpoint.tags.clone(),
        };
        Self { endpoints: endpoints.iter().map(view).collect(), count: endpoints.len() }
    }
}

impl ConfigView {
    pub fn new(preview: &Preview, config: &Config) -> Self {
        Self {
            port: preview.port,
            base_url: preview.base_url.clone(),
            session_timeout: config.v1_idle.as_secs(),
            max_uptime: config.v1_session.as_secs(),
            memory_limit_mb: preview.limits.memory_mb,
            timeout_seconds: preview.startup_timeout_s,
        }
    }
}

impl From<RequestBody> for v2::RequestBody {
    fn from(body: RequestBody) -> Self {
        Self {
            method: body.method.unwrap_or_else(|| "GET".to_owned()),
            path: body.path,
            query: body.query,
            body: body.body,
            body_encoding: None,
            headers: body.headers,
            timeout: None,
        }
    }
}

impl From<v2::RequestAnswer> for RequestAnswer {
    fn from(answer: v2::RequestAnswer) -> Self {
        Self {
            status_code: answer.status_code,
            headers: answer.headers,
            body: answer.body,
            elapsed_ms: answer.elapsed_ms,
        }
    }
}

impl From<v2::LogPage> for LogList {
    fn from(page: v2::LogPage) -> Self {
        Self { logs: page.logs.iter().map(LogEventView::from).collect(), next_cursor: page.next_cursor }
    }
}

impl From<&LogLine> for LogEventView {
    fn from(line: &LogLine) -> Self {
        let source = if line.source == LogSource::App { "subprocess" } else { "system" };
        Self {
            timestamp: line.timestamp,
            level: line.level,
            message: line.message.clone(),
            source: source.to_owned(),
        }
    }
}
