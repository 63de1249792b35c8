//! One running instance of a generation for one user, and where in its life it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ContainerStatus, DatabaseType, Egress, Failure, GenerationId, LogLevel, PreviewId, ResourceLimits,
    UserId, UserTier,
};

/// ```text
/// launching ──► running ──► healthy ◄──► degraded ◄──► unhealthy
///     │  │         └───────────┴──── pause ⇅ resume ──── paused
///     │  └── made ahead ──► parked ── claimed ──► healthy
///     ▼  (stop is legal everywhere)
///  stopping ──► stopped            any live state ──► failed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waiting for a build, being built, or started and not yet answering.
    Launching,
    /// Restarted and not yet answering again.
    Running,
    Healthy,
    /// A check failed, not yet often enough to call it unhealthy.
    Degraded,
    Unhealthy,
    Paused,
    /// Made ready ahead of its launch and frozen; its owner does not see it yet.
    Parked,
    Stopping,
    Stopped,
    Failed,
}

/// The five words of the first API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum V1Status {
    Starting,
    Running,
    Stopping,
    Stopped,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    #[default]
    Unknown,
    Healthy,
    Degraded,
    Unhealthy,
}

/// Who had a preview paused, and so who may wake it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PausedBy {
    /// Somebody asked for it: it stays paused until somebody asks to resume it.
    Request,
    /// Nobody used it for a while: the next visitor wakes it.
    Idleness,
    /// The host ran short of memory and nobody used it: its container is gone, and the next visitor
    /// has it started again.
    Memory,
}

/// The row of `preview_instances`: what should be, and what was last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub id: PreviewId,
    pub generation_id: GenerationId,
    pub project_id: Option<String>,
    pub user_id: UserId,
    pub user_tier: UserTier,
    pub status: Status,
    /// Present while it is paused.
    pub paused_by: Option<PausedBy>,
    pub failure: Option<Failure>,
    /// The daemon's port for this preview, once one was taken.
    pub port: Option<u16>,
    pub base_url: String,
    /// SHA-256 of the preview token, hex.
    pub token_hash: String,
    /// Counts restarts; the token of an earlier one is no longer valid.
    pub token_version: u32,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub stopped_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    /// Seconds without a visitor after which the session ends before its time; sessions of the
    /// first API have one.
    pub idle_timeout_s: Option<u32>,
    /// Made ahead of its launch and not claimed yet: how long it waits. Nobody sees such a preview,
    /// and it is none of its owner's live ones.
    pub parked_until: Option<DateTime<Utc>>,
    pub container_id: Option<String>,
    /// As its container was last seen; none while there is none.
    pub container_status: Option<ContainerStatus>,
    pub image: Option<String>,
    pub network: Option<String>,
    /// Where the app listens inside its container.
    pub container_port: u16,
    pub limits: ResourceLimits,
    /// Where it may connect to.
    pub egress: Egress,
    /// How long it may take from a started container to the first answer, seconds.
    pub startup_timeout_s: u32,
    pub environment: BTreeMap<String, String>,
    /// What the app is told to log at, as `LOG_LEVEL`.
    pub log_level: LogLevel,
    /// Lines of its log that are kept.
    pub max_log_lines: u32,
    /// Where they are kept, as in `database:preview_logs`.
    pub log_storage: Option<String>,
    pub database: DatabaseType,
    pub health: HealthStatus,
    /// The path asked for, and whether the metadata named it.
    pub health_path: String,
    pub health_path_given: bool,
    pub health_interval_s: u32,
    pub last_health_check: Option<DateTime<Utc>>,
    pub consecutive_failures: u32,
    pub extensions_used: u32,
    pub extensions_allowed: u32,
    pub request_count: u64,
    pub error_count: u64,
    /// Milliseconds.
    pub avg_response_time: f64,
}

impl Status {
    /// A live preview holds resources, or is about to; at most one per generation and user.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Stopped | Self::Failed)
    }

    /// The container is meant to exist and to be asked for its health.
    pub const fn is_serving(self) -> bool {
        matches!(self, Self::Running | Self::Healthy | Self::Degraded | Self::Unhealthy)
    }

    pub const fn v1(self) -> V1Status {
        match self {
            Self::Launching | Self::Parked => V1Status::Starting,
            Self::Running | Self::Healthy | Self::Degraded | Self::Unhealthy | Self::Paused => {
                V1Status::Running
            }
            Self::Stopping => V1Status::Stopping,
            Self::Stopped => V1Status::Stopped,
            Self::Failed => V1Status::Failed,
        }
    }

    /// The word stored, sent and used as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launching => "launching",
            Self::Running => "running",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Paused => "paused",
            Self::Parked => "parked",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}
