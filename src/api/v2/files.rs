//! The files of a live preview: what they are, and others in their place.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::FromRequest as _;
use axum::extract::{Request, State};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::room::{self, Held};
use crate::api::{AppState, body, owned, upload};
use crate::domain::{FileSet, ReloadWay};
use crate::orchestrator::{PatchError, Patched};

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatchAnswer {
    /// How many files differ from what the preview had before.
    applied: usize,
    reloaded: ReloadWay,
    /// Why it was done this way.
    reason: String,
    elapsed_ms: u64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilesAnswer {
    /// By path.
    files: BTreeMap<String, FileView>,
    /// Of metadata and files; that of the generation while nothing was changed.
    content_hash: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FileView {
    /// SHA-256 of the content, lower-case hex.
    sha256: String,
    /// Bytes.
    size: usize,
    executable: bool,
}

/// Put files in place of those the preview runs; null takes one away. The generation stays as it
/// is: the preview keeps its files for as long as it lives, also when it is started anew.
///
/// `reloaded` says how it came to them: `hot`, what serves them noticed by itself; `restart`, the
/// app was started anew in its container; `rebuild`, the preview moved onto a new image. 502 says
/// that the preview has the files and does not run with them; what comes next may mend it.
#[utoipa::path(patch, path = "/generations/{gid}/preview/files", operation_id = "patchPreviewFiles", tag = "previews", params(("gid" = String, Path)),
    request_body = upload::PatchBody,
    responses((status = 200, body = PatchAnswer), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem, description = "nothing was changed"),
        (status = 502, body = Problem, description = "it does not run with these files; carries stage, reason and logTail"),
        (status = 503, body = Problem)))]
pub async fn patch(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    request: Request,
) -> Result<Json<PatchAnswer>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    state.has_disk()?;
    let limit = state.config.max_generation_bytes;
    let longest = usize::try_from(limit).unwrap_or(usize::MAX);
    let held = Held::of(&request);
    let bytes = Bytes::from_request(request, &()).await;
    let bytes = bytes.map_err(|error| body::rejected(&error, error.status(), longest))?;
    let patch = room::within(held, move || upload::patch(&bytes, limit)).await?;
    let Patched { applied, way, reason, elapsed } = state.orchestrator.patch(&preview, patch, limit).await?;
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(PatchAnswer { applied, reloaded: way, reason, elapsed_ms }))
}

/// The files the preview runs, with their hashes: the generation's, and what was changed since.
#[utoipa::path(get, path = "/generations/{gid}/preview/files", operation_id = "listPreviewFiles", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = FilesAnswer), (status = 404, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<FilesAnswer>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let source = state.orchestrator.source(&preview).await?;
    let source = source.ok_or_else(|| ApiError::not_found("generation", &gid))?;
    let content_hash = source.content_hash.to_string();
    let hashed = tokio::task::spawn_blocking(move || hashed(&source.files)).await;
    let files = hashed.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(Json(FilesAnswer { files, content_hash }))
}

fn hashed(files: &FileSet) -> BTreeMap<String, FileView> {
    let view = |content: &Bytes, executable| FileView {
        sha256: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
        size: content.len(),
        executable,
    };
    files.iter().map(|(path, file)| (path.to_string(), view(&file.content, file.executable))).collect()
}

impl From<PatchError> for ApiError {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Denied(denial) => Self::Conflict(denial.to_string()),
            PatchError::Invalid(invalid) => invalid.into(),
            PatchError::Plan(error) => error.into(),
            PatchError::Failed(failure) => Self::Failed(failure),
            PatchError::Busy(reason) => Self::Unavailable { code: "preview_busy", reason, retry_after: 2 },
            PatchError::Store(error) => error.into(),
        }
    }
}
