//! Restart, pause, resume, extend.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, json, owned};
use crate::domain::Invalid;
use crate::orchestrator::Ask;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// Seconds, at most what `PREVIEW_SESSION_EXTENSION_MINUTES` says (`extension` of the config).
    #[schema(minimum = 1, maximum = 2592000)]
    duration: u64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtendAnswer {
    /// `extended`.
    status: String,
    new_expires_at: DateTime<Utc>,
    extensions_remaining: u32,
    max_extensions: u32,
}

/// Start the app again in a fresh container. The preview token changes.
#[utoipa::path(post, path = "/generations/{gid}/preview/restart", operation_id = "restartPreview", tag = "previews", params(("gid" = String, Path)),
    responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn restart(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<StatusCode, ApiError> {
    ask(&state, &caller, &gid, Ask::Restart).await
}

/// Freeze the app; it keeps its memory and uses no CPU.
#[utoipa::path(post, path = "/generations/{gid}/preview/pause", operation_id = "pausePreview", tag = "previews", params(("gid" = String, Path)),
    responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn pause(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<StatusCode, ApiError> {
    ask(&state, &caller, &gid, Ask::Pause).await
}

/// Go on after a pause.
#[utoipa::path(post, path = "/generations/{gid}/preview/resume", operation_id = "resumePreview", tag = "previews", params(("gid" = String, Path)),
    responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn resume(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<StatusCode, ApiError> {
    ask(&state, &caller, &gid, Ask::Resume).await
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenAnswer {
    preview_token: String,
}

/// Revoke the preview token and get another in its place. The app goes on undisturbed.
#[utoipa::path(post, path = "/generations/{gid}/preview/token", operation_id = "renewPreviewToken", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = TokenAnswer), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn renew_token(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    state.orchestrator.ask(&preview, Ask::RenewToken).await?;
    let preview = state.orchestrator.newest(preview);
    Ok(Json(TokenAnswer { preview_token: state.orchestrator.token(&preview) }))
}

/// More time before the session ends.
#[utoipa::path(post, path = "/generations/{gid}/preview/extend", operation_id = "extendPreview", tag = "previews", params(("gid" = String, Path)),
    request_body = ExtendBody,
    responses((status = 200, body = ExtendAnswer), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn extend(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    json::Json(body): json::Json<ExtendBody>,
) -> Result<Json<ExtendAnswer>, ApiError> {
    let longest = state.config.extension.as_secs();
    if !(1..=longest).contains(&body.duration) {
        return Err(Invalid::new("duration", format!("expected 1 to {longest} seconds")).into());
    }
    let preview = owned::preview(&state, &caller, &gid).await?;
    state.orchestrator.ask(&preview, Ask::Extend(body.duration)).await?;
    let preview = state.orchestrator.newest(preview);
    Ok(Json(ExtendAnswer {
        status: "extended".to_owned(),
        new_expires_at: preview.expires_at,
        extensions_remaining: preview.extensions_allowed.saturating_sub(preview.extensions_used),
        max_extensions: preview.extensions_allowed,
    }))
}

async fn ask(state: &AppState, caller: &Caller, gid: &str, ask: Ask) -> Result<StatusCode, ApiError> {
    let preview = owned::preview(state, caller, gid).await?;
    state.orchestrator.ask(&preview, ask).await?;
    Ok(StatusCode::ACCEPTED)
}
