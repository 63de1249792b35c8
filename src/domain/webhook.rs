//! Who wants to be told of events, and what became of the telling.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EventType, GenerationId, PreviewId, UserId};

/// An address that events are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: Uuid,
    pub owner: UserId,
    pub url: String,
    /// Which events; all, when there is none.
    pub events: Vec<EventType>,
    /// Those of everybody's previews, not of the owner's alone.
    pub everyone: bool,
    /// Encrypted; what signatures are made with.
    pub sealed_secret: String,
    pub created_at: DateTime<Utc>,
}

/// Where the telling of one event to one address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waiting for its first or next try.
    Pending,
    /// Answered with a 2xx.
    Delivered,
    /// Given up.
    Dead,
}

/// One event on its way to one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The same at each try: who has seen it need not look at it again.
    pub id: String,
    pub event_type: EventType,
    pub preview_id: PreviewId,
    pub state: DeliveryState,
    pub attempts: u32,
    /// When it is tried, or was last settled to be.
    pub next_at: DateTime<Utc>,
    /// What was answered last.
    pub status: Option<u16>,
    /// Why the last try did not do.
    pub problem: Option<String>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A delivery that is due, with all that is said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct DueDelivery {
    pub id: String,
    pub webhook: Uuid,
    /// Whose webhook it is.
    pub owner: UserId,
    pub url: String,
    pub sealed_secret: String,
    pub attempts: u32,
    pub event_type: EventType,
    pub timestamp: DateTime<Utc>,
    pub data: serde_json::Value,
    pub preview_id: PreviewId,
    pub generation_id: GenerationId,
    pub project_id: Option<String>,
    pub user_id: UserId,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub state: DeliveryState,
    /// Tries so far, this one included.
    pub attempts: u32,
    pub status: Option<u16>,
    pub problem: Option<String>,
    /// When it is tried again, if it is.
    pub next_at: DateTime<Utc>,
}

impl DeliveryState {
    /// The word stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}
