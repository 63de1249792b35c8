//! Building ahead of a launch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::Serialize;

use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned, sse};
use crate::orchestrator::{BuildJob, ImageError};

#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BuildState {
    /// Not asked for, or forgotten.
    None,
    Building,
    Built,
    Failed,
    Cancelled,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildView {
    state: BuildState,
    image: Option<String>,
    /// Of one that is not asked for: what it can start in meanwhile, as others with the same
    /// dependencies have made it. A launch then waits for no build.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// The image was there already.
    cached: bool,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// Of a failed build: the step, what went wrong, and its last lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<BuildFailure>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildFailure {
    step: Option<String>,
    reason: String,
    log_tail: Vec<String>,
}

/// Build the image of a generation.
#[utoipa::path(post, path = "/generations/{gid}/build", operation_id = "startBuild", tag = "generations", params(("gid" = String, Path)),
    responses((status = 202, body = BuildView), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn start(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<(StatusCode, Json<BuildView>), ApiError> {
    let generation = Arc::new(owned::generation(&state, &caller, &gid).await?);
    let job = state.orchestrator.build_ahead(&generation).await?;
    Ok((StatusCode::ACCEPTED, Json(job.into())))
}

/// How the newest build of a generation stands.
#[utoipa::path(get, path = "/generations/{gid}/build", operation_id = "getBuild", tag = "generations", params(("gid" = String, Path)),
    responses((status = 200, body = BuildView)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<BuildView>, ApiError> {
    let head = owned::head(&state, &caller, &gid).await?;
    Ok(Json(match state.orchestrator.build_of(&head.id, &head.content_hash) {
        Some(job) => job.into(),
        None => {
            BuildView { environment: state.orchestrator.environment_of(&head).await, ..BuildView::none() }
        }
    }))
}

/// Give the build up. It stops in the engine unless a launch needs it too.
#[utoipa::path(delete, path = "/generations/{gid}/build", operation_id = "cancelBuild", tag = "generations", params(("gid" = String, Path)),
    responses((status = 204)))]
pub async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<StatusCode, ApiError> {
    let head = owned::head(&state, &caller, &gid).await?;
    state.orchestrator.cancel_build(&head.id);
    Ok(StatusCode::NO_CONTENT)
}

/// Steps and output of the build from its beginning, live, as server-sent events. The stream
/// ends after `done`, `failed` or `cancelled`.
#[utoipa::path(get, path = "/generations/{gid}/build/logs", operation_id = "streamBuildLogs", tag = "generations", params(("gid" = String, Path)),
    responses((status = 200, content_type = "text/event-stream", body = crate::domain::BuildEvent), (status = 404, body = Problem)))]
pub async fn logs(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Response, ApiError> {
    let head = owned::head(&state, &caller, &gid).await?;
    let job = state.orchestrator.build_of(&head.id, &head.content_hash);
    let job = job.ok_or_else(|| ApiError::not_found("build of generation", &head.id))?;
    let events = stream::unfold(job.log.follow(), |mut follower| async move {
        let (number, event) = follower.next().await?;
        Some((sse::event(Some(number), &event), follower))
    });
    Ok(sse::respond(&state, events))
}

impl BuildView {
    const fn none() -> Self {
        Self {
            state: BuildState::None,
            image: None,
            environment: None,
            cached: false,
            started_at: None,
            finished_at: None,
            failure: None,
        }
    }
}

impl From<BuildJob> for BuildView {
    fn from(job: BuildJob) -> Self {
        let mut view =
            Self { started_at: Some(job.started_at), finished_at: job.finished_at, ..Self::none() };
        match job.landing {
            None => view.state = BuildState::Building,
            Some(Ok(image)) => {
                view.state = BuildState::Built;
                view.cached = image.cached;
                view.image = Some(image.tag);
            }
            Some(Err(ImageError::Cancelled)) => view.state = BuildState::Cancelled,
            Some(Err(error)) => {
                view.state = BuildState::Failed;
                view.failure = Some(error.into());
            }
        }
        view
    }
}

impl From<ImageError> for BuildFailure {
    fn from(error: ImageError) -> Self {
        let reason = error.to_string();
        match error {
            ImageError::Build { step, tail, .. } => Self { step, reason, log_tail: tail },
            _ => Self { step: None, reason, log_tail: Vec::new() },
        }
    }
}
