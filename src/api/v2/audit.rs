//! The audit trail, for admins.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::api::AppState;
use crate::api::extract::Query;
use crate::api::listing::PageQuery;
use crate::api::problem::{ApiError, Problem};
use crate::domain::AuditEntry;
use crate::store::AuditFilter;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Who did it, or for whom it was done.
    user: Option<String>,
    /// An operation's id, such as launchPreview.
    action: Option<String>,
    /// A generation, preview or key.
    target: Option<String>,
    /// From this time on, RFC 3339.
    since: Option<DateTime<Utc>>,
    /// Before this time, RFC 3339.
    until: Option<DateTime<Utc>>,
    /// What an earlier page gave as `nextCursor`.
    cursor: Option<String>,
    /// 1 to 200, default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditList {
    entries: Vec<AuditView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    timestamp: DateTime<Utc>,
    /// Whose token or key it was; null for somebody who did not come to be known.
    actor: Option<String>,
    /// The user it was done for, where that is another.
    on_behalf_of: Option<String>,
    /// `token`, `key:{id}`, `previewToken`, `share:{id}` or `none`.
    via: String,
    /// The operation's id; `visitPreview` for visits, `openPreview` for a link that was opened.
    action: String,
    target: Option<String>,
    /// Where it came from; the network, where refusals of its addresses are gathered.
    address: Option<String>,
    /// Of the answer.
    status: u16,
    trace_id: Option<String>,
    /// How often, up to the timestamp; visits of one visitor are gathered into one entry, and so is what
    /// follows a first refusal of somebody unknown within a minute.
    times: u64,
}

/// Who did what, newest first: everything that changes something, and openings of logs and
/// previews, with what came of it.
#[utoipa::path(get, path = "/audit", operation_id = "listAudit", tag = "system", params(AuditQuery),
    responses((status = 200, body = AuditList), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    let page = PageQuery { cursor: query.cursor, limit: query.limit }.page()?;
    let filter = AuditFilter {
        user: query.user,
        action: query.action,
        target: query.target,
        since: query.since,
        until: query.until,
    };
    let found = state.store.audit(&filter, page).await?;
    let entries = found.items.into_iter().map(AuditView::from).collect();
    Ok(Json(AuditList { entries, next_cursor: found.next }))
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            timestamp: entry.timestamp,
            actor: entry.actor,
            on_behalf_of: entry.on_behalf,
            via: entry.via,
            action: entry.action,
            target: entry.target,
            address: entry.address,
            status: entry.status,
            trace_id: entry.trace_id,
            times: entry.times,
        }
    }
}
