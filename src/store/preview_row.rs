//! The row of `preview_instances`, and the SQL that names its columns.

use super::Fault;
use super::row::{RowName, to_count, to_json, to_word};
use crate::domain::{Egress, GenerationId, Preview, PreviewId, UserId};

pub(super) const TABLE: &str = "preview_instances";

/// Every column a [`Preview`] fills, in the order of [`bind_preview`]. The others of the table
/// belong to parts that write them on their own.
macro_rules! preview_columns {
    () => {
        "id, generation_id, project_id, user_id, user_tier, status, failure, port, base_url, \
         preview_token, token_version, created_at, started_at, stopped_at, expires_at, \
         container_id, image_id, network_mode, container_port, resource_limits, \
         startup_timeout_s, environment_vars, db_type, health_status, health_path, \
         health_path_given, health_check_interval, last_health_check, consecutive_failures, \
         session_extensions_used, session_extensions_allowed, request_count, error_count, \
         avg_response_time, paused_by, idle_timeout_s, parked_until, egress, container_status, log_level, \
         max_log_lines, log_storage_location"
    };
}

/// As many as there are columns.
macro_rules! preview_values {
    () => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
         $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, \
         $39, $40, $41, $42"
    };
}

/// Binds `$1` to `$42`.
macro_rules! bind_preview {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.id)
            .bind(&$row.generation_id)
            .bind(&$row.project_id)
            .bind(&$row.user_id)
            .bind(&$row.user_tier)
            .bind(&$row.status)
            .bind(&$row.failure)
            .bind($row.port)
            .bind(&$row.base_url)
            .bind(&$row.preview_token)
            .bind($row.token_version)
            .bind($row.created_at)
            .bind($row.started_at)
            .bind($row.stopped_at)
            .bind($row.expires_at)
            .bind(&$row.container_id)
            .bind(&$row.image_id)
            .bind(&$row.network_mode)
            .bind($row.container_port)
            .bind(&$row.resource_limits)
            .bind($row.startup_timeout_s)
            .bind(&$row.environment_vars)
            .bind(&$row.db_type)
            .bind(&$row.health_status)
            .bind(&$row.health_path)
            .bind($row.health_path_given)
            .bind($row.health_check_interval)
            .bind($row.last_health_check)
            .bind($row.consecutive_failures)
            .bind($row.session_extensions_used)
            .bind($row.session_extensions_allowed)
            .bind($row.request_count)
            .bind($row.error_count)
            .bind($row.avg_response_time)
            .bind(&$row.paused_by)
            .bind($row.idle_timeout_s)
            .bind($row.parked_until)
            .bind(&$row.egress)
            .bind(&$row.container_status)
            .bind(&$row.log_level)
            .bind($row.max_log_lines)
            .bind(&$row.log_storage_location)
    };
}

pub(super) use {bind_preview, preview_columns, preview_values};

#[derive(sqlx::FromRow)]
pub(super) struct PreviewRow {
    pub id: String,
    pub generation_id: String,
    pub project_id: Option<String>,
    pub user_id: String,
    pub user_tier: String,
    pub status: String,
    pub failure: Option<String>,
    pub port: Option<i64>,
    pub base_url: String,
    pub preview_token: String,
    pub token_version: i64,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub stopped_at: Option<i64>,
    pub expires_at: i64,
    pub container_id: Option<String>,
    pub image_id: Option<String>,
    pub network_mode: Option<String>,
    pub container_port: i64,
    pub resource_limits: String,
    pub startup_timeout_s: i64,
    pub environment_vars: String,
    pub db_type: String,
    pub health_status: String,
    pub health_path: String,
    pub health_path_given: bool,
    pub health_check_interval: i64,
    pub last_health_check: Option<i64>,
    pub consecutive_failures: i64,
    pub session_extensions_used: i64,
    pub session_extensions_allowed: i64,
    pub request_count: i64,
    pub error_count: i64,
    pub avg_response_time: f64,
    pub paused_by: Option<String>,
    pub idle_timeout_s: Option<i64>,
    pub parked_until: Option<i64>,
    pub egress: String,
    pub container_status: Option<String>,
    pub log_level: String,
    pub max_log_lines: i64,
    pub log_storage_location: Option<String>,
}

impl PreviewRow {
    pub(super) fn of(preview: &Preview) -> Result<Self, Fault> {
        let failure = preview.failure.as_ref().map(|failure| to_json("failure", failure)).transpose()?;
        Ok(Self {
            id: preview.id.to_string(),
            generation_id: preview.generation_id.to_string(),
            project_id: preview.project_id.clone(),
            user_id: preview.user_id.to_string(),
            user_tier: preview.user_tier.as_str().to_owned(),
            status: preview.status.as_str().to_owned(),
            failure,
            port: preview.port.map(i64::from),
            base_url: preview.base_url.clone(),
            preview_token: preview.token_hash.clone(),
            token_version: i64::from(preview.token_version),
            created_at: preview.created_at.timestamp_millis(),
            started_at: preview.started_at.map(|at| at.timestamp_millis()),
            stopped_at: preview.stopped_at.map(|at| at.timestamp_millis()),
            expires_at: preview.expires_at.timestamp_millis(),
            container_id: preview.container_id.clone(),
            image_id: preview.image.clone(),
            network_mode: preview.network.clone(),
            container_port: i64::from(preview.container_port),
            resource_limits: to_json("resource_limits", &preview.limits)?,
            startup_timeout_s: i64::from(preview.startup_timeout_s),
            environment_vars: to_json("environment_vars", &preview.environment)?,
            db_type: to_word("db_type", &preview.database)?,
            health_status: to_word("health_status", &preview.health)?,
            health_path: preview.health_path.clone(),
            health_path_given: preview.health_path_given,
            health_check_interval: i64::from(preview.health_interval_s),
            last_health_check: preview.last_health_check.map(|at| at.timestamp_millis()),
            consecutive_failures: i64::from(preview.consecutive_failures),
            session_extensions_used: i64::from(preview.extensions_used),
            session_extensions_allowed: i64::from(preview.extensions_allowed),
            request_count: to_count(preview.request_count),
            error_count: to_count(preview.error_count),
            avg_response_time: preview.avg_response_time,
            paused_by: preview.paused_by.map(|by| to_word("paused_by", &by)).transpose()?,
            idle_timeout_s: preview.idle_timeout_s.map(i64::from),
            parked_until: preview.parked_until.map(|at| at.timestamp_millis()),
            egress: preview.egress.to_string(),
            container_status: preview.container_status.map(|status| status.as_str().to_owned()),
            log_level: preview.log_level.as_str().to_owned(),
            max_log_lines: i64::from(preview.max_log_lines),
            log_storage_location: preview.log_storage.clone(),
        })
    }

    pub(super) fn into_preview(self) -> Result<Preview, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        Ok(Preview {
            id: name.parsed("id", PreviewId::parse(&self.id))?,
            generation_id: name.parsed("generation_id", GenerationId::parse(&self.generation_id))?,
            project_id: self.project_id,
            user_id: name.parsed("user_id", UserId::parse(&self.user_id))?,
            user_tier: name.word("user_tier", &self.user_tier)?,
            status: name.word("status", &self.status)?,
            failure: self.failure.map(|text| name.json("failure", &text)).transpose()?,
            port: self.port.map(|port| name.number("port", port)).transpose()?,
            base_url: self.base_url,
            token_hash: self.preview_token,
            token_version: name.number("token_version", self.token_version)?,
            created_at: name.time("created_at", self.created_at)?,
            started_at: name.time_or_none("started_at", self.started_at)?,
            stopped_at: name.time_or_none("stopped_at", self.stopped_at)?,
            expires_at: name.time("expires_at", self.expires_at)?,
            container_id: self.container_id,
            image: self.image_id,
            network: self.network_mode,
            container_port: name.number("container_port", self.container_port)?,
            limits: name.json("resource_limits", &self.resource_limits)?,
            startup_timeout_s: name.number("startup_timeout_s", self.startup_timeout_s)?,
            environment: name.json("environment_vars", &self.environment_vars)?,
            database: name.word("db_type", &self.db_type)?,
            health: name.word("health_status", &self.health_status)?,
            health_path: self.health_path,
            health_path_given: self.health_path_given,
            health_interval_s: name.number("health_check_interval", self.health_check_interval)?,
            last_health_check: name.time_or_none("last_health_check", self.last_health_check)?,
            consecutive_failures: name.number("consecutive_failures", self.consecutive_failures)?,
            extensions_used: name.number("session_extensions_used", self.session_extensions_used)?,
            extensions_allowed: name.number("session_extensions_allowed", self.session_extensions_allowed)?,
            request_count: name.number("request_count", self.request_count)?,
            error_count: name.number("error_count", self.error_count)?,
            avg_response_time: self.avg_response_time,
            paused_by: self.paused_by.map(|word| name.word("paused_by", &word)).transpose()?,
            idle_timeout_s: self
                .idle_timeout_s
                .map(|seconds| name.number("idle_timeout_s", seconds))
                .transpose()?,
            parked_until: name.time_or_none("parked_until", self.parked_until)?,
            egress: name.parsed("egress", Egress::parse(&self.egress))?,
            container_status: self
                .container_status
                .map(|word| name.word("container_status", &word))
                .transpose()?,
            log_level: name.word("log_level", &self.log_level)?,
            max_log_lines: name.number("max_log_lines", self.max_log_lines)?,
            log_storage: self.log_storage_location,
        })
    }
}
