//! What the viewers of a preview are told beside the lines of its log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{HealthStatus, Status};

/// One message: its `type`, when, and what that type says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notice {
    pub timestamp: DateTime<Utc>,
    #[serde(flatten)]
    pub content: NoticeContent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum NoticeContent {
    /// Figures, every few seconds.
    Metric { metric: MetricName, data: ResourceUsage },
    /// The preview's health and what of it has changed.
    Health { status: HealthStatus, changes: Vec<HealthChange> },
    /// Where in its life the preview is, at every change.
    State { status: Status },
}

/// Which figures a metric message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricName {
    ResourceUsage,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResourceUsage {
    /// MB in use.
    pub memory: f64,
    /// Cores in use.
    pub cpu: f64,
    pub requests_per_minute: f64,
    /// Percent of the requests that the app answered with 5xx.
    pub error_rate: f64,
}

/// One check whose outcome changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HealthChange {
    /// `http`, `port`, `container`, `database`, `memory` or `storage`.
    pub name: String,
    pub status: HealthStatus,
    pub message: String,
}

impl HealthChange {
    pub fn new(check: &str, status: HealthStatus, message: &str) -> Self {
        Self { name: check.to_owned(), status, message: message.to_owned() }
    }
}

impl NoticeContent {
    /// How many kinds there are.
    pub const KINDS: usize = 3;

    /// The place of this kind among them.
    pub const fn kind(&self) -> usize {
        match self {
            Self::Metric { .. } => 0,
            Self::Health { .. } => 1,
            Self::State { .. } => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_have_their_type_and_time_beside_what_they_say() {
        let timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
        let data = ResourceUsage { memory: 64.5, cpu: 0.25, requests_per_minute: 12.0, error_rate: 0.0 };
        let metric = NoticeContent::Metric { metric: MetricName::ResourceUsage, data };
        let change =
            HealthChange { name: "http".into(), status: HealthStatus::Degraded, message: "503".into() };
        let health = NoticeContent::Health { status: HealthStatus::Degraded, changes: vec![change] };
        let said = |content| serde_json::to_value(Notice { timestamp, content }).expect("JSON");
        assert_eq!(
            said(metric),
            json!({"type": "metric", "timestamp": "2026-01-02T03:04:05Z", "metric": "resource_usage", "data":
                {"memory": 64.5, "cpu": 0.25, "requests_per_minute": 12.0, "error_rate": 0.0}})
        );
        assert_eq!(
            said(health),
            json!({"type": "health", "timestamp": "2026-01-02T03:04:05Z", "status": "degraded",
                "changes": [{"name": "http", "status": "degraded", "message": "503"}]})
        );
        let state = said(NoticeContent::State { status: Status::Paused });
        assert_eq!(state, json!({"type": "state", "timestamp": "2026-01-02T03:04:05Z", "status": "paused"}));
    }
}
