//! The trail of accesses and of what was changed, over all previews.

use chrono::{DateTime, Utc};

/// One thing that somebody did, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub timestamp: DateTime<Utc>,
    /// Whose token or key it was; none for somebody who did not come to be known.
    pub actor: Option<String>,
    /// The user it was done for, where that is another.
    pub on_behalf: Option<String>,
    /// `token`, `key:{id}`, `previewToken`, `share:{id}` or `none`.
    pub via: String,
    /// The operation's id; `openPreview` for a link that was opened, `visitPreview` for visits.
    pub action: String,
    /// What it was done to: a generation, preview or key.
    pub target: Option<String>,
    /// Where it came from; a network, where addresses of one are gathered.
    pub address: Option<String>,
    /// Of the answer.
    pub status: u16,
    pub trace_id: Option<String>,
    /// How often, up to the timestamp: visits, and refusals of somebody unknown, are gathered into one
    /// entry.
    pub times: u64,
}

impl AuditEntry {
    /// One thing done `times` times up to now, by nobody with a name. Each may have been in a trace of its own.
    pub fn gathered(via: String, action: String, status: u16, times: u64) -> Self {
        Self {
            timestamp: Utc::now(),
            actor: None,
            on_behalf: None,
            via,
            action,
            target: None,
            address: None,
            status,
            trace_id: None,
            times,
        }
    }
}
