//! Generations: put, list, read, delete, and the Dockerfile of one.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::api::auth::{Caller, Role};
use crate::api::extract::{Path, Query};
use crate::api::listing::PageQuery;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned, upload};
use crate::domain::{Generation, Metadata, Status};
use crate::generation::{self, Dialect};
use crate::orchestrator::Ask;
use crate::store::{GenerationHead, Put};

/// A generation without its files.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerationView {
    generation_id: String,
    owner: String,
    content_hash: String,
    /// How many.
    files: u64,
    /// Of all files together.
    bytes: u64,
    created_at: chrono::DateTime<chrono::Utc>,
    metadata: Metadata,
    /// `preparing` or `ready`: a preview that is made ahead of its owner's launch, as `prewarm` asks.
    prewarmed: Option<&'static str>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerationList {
    generations: Vec<GenerationView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// Stop its live previews first.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DockerfileQuery {
    /// Answer with the plan: what was detected, and every decision with its reason, as JSON.
    #[serde(default)]
    explain: bool,
}

/// Store a generation. The identical content under the same id is 200, other content 409.
#[utoipa::path(put, path = "/generations/{gid}", operation_id = "putGeneration", tag = "generations",
    params(("gid" = String, Path, description = "1 to 100 of A-Z a-z 0-9 . _ -")),
    request_body(content = upload::PutBody, description = "JSON, or a tar, tar.gz or zip with metadata in `preview.json`, or multipart with `metadata` and `archive`"),
    responses((status = 201, body = GenerationView), (status = 200, body = GenerationView),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn put(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let id = owned::generation_id(&gid)?;
    state.has_disk()?;
    let upload = upload::read(request, state.config.max_generation_bytes).await?;
    let generation = Generation::new(id, caller.user.clone(), upload.metadata, upload.files);
    has_room(&state, &generation).await?;
    // A generation that cannot be planned can still be stored and looked at.
    let status = match state.store.put_generation(&generation).await? {
        Put::Created => StatusCode::CREATED,
        Put::Identical => StatusCode::OK,
        Put::Conflict => {
            return Err(ApiError::Conflict(format!("generation {gid} holds other content; use a new id")));
        }
        Put::Foreign => return Err(ApiError::NotOwner),
    };
    if state.orchestrator.is_foreseen(&generation) {
        state.orchestrator.prewarm(generation, caller.tier);
    }
    let head = owned::head(&state, &caller, &gid).await?;
    Ok((status, Json(GenerationView::from(head))).into_response())
}

/// What each takes besides its files.
const ROW: u64 = 16 * 1024;

/// Whether its owner may store as much as that. One that is stored already is no more than that.
async fn has_room(state: &AppState, generation: &Generation) -> Result<(), ApiError> {
    let Some(most) = state.config.user_sources_bytes else { return Ok(()) };
    let (count, bytes) = state.store.generations_size(&generation.owner).await?;
    let sum = bytes + (count + 1) * ROW + generation.files.total_bytes();
    if sum <= most || state.store.generation_head(&generation.id).await?.is_some() {
        return Ok(());
    }
    let most = most / (1024 * 1024);
    let reason = format!(
        "your {count} generations and this one are more than the {most} MiB that PREVIEW_USER_SOURCES_MAX_MB allows; delete some"
    );
    Err(ApiError::Quota { reason, retry_after: 60 })
}

/// Your generations, newest first; admins see all.
#[utoipa::path(get, path = "/generations", operation_id = "listGenerations", tag = "generations", params(PageQuery),
    responses((status = 200, body = GenerationList), (status = 401, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<GenerationList>, ApiError> {
    let owner = (caller.role != Role::Admin).then_some(&caller.user);
    let found = state.store.generations(owner, page.page()?).await?;
    let generations = found.items.into_iter().map(GenerationView::from).collect();
    Ok(Json(GenerationList { generations, next_cursor: found.next }))
}

/// One generation, without its files.
#[utoipa::path(get, path = "/generations/{gid}", operation_id = "getGeneration", tag = "generations", params(("gid" = String, Path)),
    responses((status = 200, body = GenerationView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<GenerationView>, ApiError> {
    let head = owned::head(&state, &caller, &gid).await?;
    let parked = state.orchestrator.parked(&head.id, &head.owner);
    let prewarmed = parked.map(|preview| match preview.status {
        Status::Parked => "ready",
        _ => "preparing",
    });
    Ok(Json(GenerationView { prewarmed, ..head.into() }))
}

/// Delete a generation. 409 while a preview of it is live, unless forced.
#[utoipa::path(delete, path = "/generations/{gid}", operation_id = "deleteGeneration", tag = "generations",
    params(("gid" = String, Path), DeleteQuery),
    responses((status = 204), (status = 409, body = Problem)))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    let head = owned::head(&state, &caller, &gid).await?;
    let live = state.orchestrator.live_of(&head.id);
    if !live.is_empty() && !query.force {
        return Err(ApiError::Conflict("a preview of it is live; stop it, or add ?force=true".to_owned()));
    }
    for preview in live.iter().filter(|preview| preview.status != Status::Stopping) {
        state.orchestrator.ask(preview, Ask::Stop).await?;
    }
    state.orchestrator.forget_build(&head.id);
    state.store.delete_generation(&head.id).await?;
    state.orchestrator.forget_parked(&head.id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The Dockerfile previewd writes for a generation.
#[utoipa::path(get, path = "/generations/{gid}/dockerfile", operation_id = "getDockerfile", tag = "generations",
    params(("gid" = String, Path), DockerfileQuery),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 422, body = Problem)))]
pub async fn dockerfile(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<DockerfileQuery>,
) -> Result<Response, ApiError> {
    let generation = owned::generation(&state, &caller, &gid).await?;
    let bases = state.orchestrator.images().bases();
    let plan = generation::plan(&generation.metadata, &generation.files, bases)
        .map_err(crate::orchestrator::ImageError::from)?;
    if query.explain {
        return Ok(Json(plan).into_response());
    }
    let text = generation::dockerfile(&plan, Dialect::BuildKit);
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

impl From<GenerationHead> for GenerationView {
    fn from(head: GenerationHead) -> Self {
        Self {
            generation_id: head.id.to_string(),
            owner: head.owner.to_string(),
            content_hash: head.content_hash.to_string(),
            files: head.file_count,
            bytes: head.total_bytes,
            created_at: head.created_at,
            metadata: head.metadata,
            prewarmed: None,
        }
    }
}
