//! The audit trail of one preview.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PreviewId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    Launched,
    Building,
    /// Its image was made while it ran from its environment, and is the same.
    Built,
    Started,
    Healthy,
    Degraded,
    Unhealthy,
    Recovered,
    /// The app ended or hung, and is started again.
    Crashed,
    Restarted,
    Extended,
    /// The session ends soon.
    Expiring,
    Paused,
    Resumed,
    Stopped,
    Expired,
    Failed,
    Adopted,
    /// Its database was made, migrated and seeded.
    Migrated,
    /// Its database went back to the migrated and seeded state.
    Reset,
    /// Made ready ahead of its launch, and frozen until somebody launches it.
    Parked,
    /// Files were put in place of others while it was live.
    Reloaded,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub preview_id: PreviewId,
    pub timestamp: DateTime<Utc>,
    pub event_type: EventType,
    pub data: serde_json::Value,
}

impl EventType {
    /// The word stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Building => "building",
            Self::Built => "built",
            Self::Started => "started",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Recovered => "recovered",
            Self::Crashed => "crashed",
            Self::Restarted => "restarted",
            Self::Extended => "extended",
            Self::Expiring => "expiring",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Adopted => "adopted",
            Self::Migrated => "migrated",
            Self::Reset => "reset",
            Self::Parked => "parked",
            Self::Reloaded => "reloaded",
        }
    }
}
