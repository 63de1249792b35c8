//! A link that opens one preview.

use chrono::{DateTime, Utc};

use super::{PreviewId, UserId};

/// What is known of it, which is not the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub id: String,
    pub preview: PreviewId,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}
