//! Links that open one preview until a time.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, json, owned};
use crate::domain::{Invalid, Share};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ShareBody {
    /// Seconds the link opens the preview, 60 to 2592000, default 86400. It ends with the preview.
    #[schema(minimum = 60, maximum = 2592000)]
    expires_in: u64,
}

impl Default for ShareBody {
    fn default() -> Self {
        Self { expires_in: 24 * 3600 }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareAnswer {
    share_id: String,
    /// Opens the preview in a browser; what is secret in it leaves the address at once.
    url: String,
    expires_at: DateTime<Utc>,
    /// Whether the preview needs it; one that is not private opens to everybody.
    private: bool,
}

/// A link without what is secret in it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareView {
    share_id: String,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ShareList {
    shares: Vec<ShareView>,
}

const LEAST: u64 = 60;
const MOST: u64 = 30 * 24 * 3600;

/// Make a link that opens the preview for somebody without an account.
#[utoipa::path(post, path = "/generations/{gid}/preview/share", operation_id = "sharePreview", tag = "previews",
    params(("gid" = String, Path)), request_body = ShareBody,
    responses((status = 201, body = ShareAnswer), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    json::Json(body): json::Json<ShareBody>,
) -> Result<(StatusCode, Json<ShareAnswer>), ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    if !(LEAST..=MOST).contains(&body.expires_in) {
        return Err(Invalid::new("expiresIn", format!("expected {LEAST} to {MOST} seconds")).into());
    }
    if !preview.status.is_live() {
        return Err(ApiError::Conflict("the preview has ended".to_owned()));
    }
    let lasts = Duration::from_secs(body.expires_in);
    let made = state.orchestrator.share(&preview, &caller.by, lasts).await?.ok_or_else(|| {
        let reason = "this preview has had as many links as it may".to_owned();
        ApiError::Quota { reason, retry_after: 60 }
    })?;
    let answer = ShareAnswer {
        url: format!("{}/?previewd_token={}", preview.base_url, made.token),
        share_id: made.share.id,
        expires_at: made.share.expires_at,
        private: state.orchestrator.is_private(&preview),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The links of the preview, newest first, those that are over too.
#[utoipa::path(get, path = "/generations/{gid}/preview/shares", operation_id = "listShares", tag = "previews",
    params(("gid" = String, Path)), responses((status = 200, body = ShareList), (status = 404, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<ShareList>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let shares = state.store.shares(preview.id).await?;
    Ok(Json(ShareList { shares: shares.into_iter().map(ShareView::from).collect() }))
}

/// Revoke a link. It opens nothing from now on.
#[utoipa::path(delete, path = "/generations/{gid}/preview/shares/{shareId}", operation_id = "revokeShare", tag = "previews",
    params(("gid" = String, Path), ("shareId" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path((gid, share)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    // No id of a link has anything else in it, and PostgreSQL takes no NUL.
    let is_id = share.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_id && state.orchestrator.revoke_share(&preview, &share).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("link", share)),
    }
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self {
            share_id: share.id,
            created_by: share.created_by.to_string(),
            created_at: share.created_at,
            expires_at: share.expires_at,
            revoked_at: share.revoked_at,
        }
    }
}
