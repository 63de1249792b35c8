//! What a generation's code says of its data, and how two generations differ.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::api::auth::{Caller, Role};
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned};
use crate::generation::Warning;
use crate::generation::compare::Comparison;
use crate::generation::models::Model;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ModelList {
    models: Vec<Model>,
    count: usize,
    /// What stood in the way of reading the code, with file and line.
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ComparisonView {
    comparison: Comparison,
}

/// The data models found in a generation's source: Pydantic, dataclasses, SQLAlchemy, SQLModel,
/// Django, Mongoose, Prisma, TypeORM, Zod, Drizzle, interfaces of TypeScript and others.
#[utoipa::path(get, path = "/generations/{gid}/models", operation_id = "listModels", tag = "generations", params(("gid" = String, Path)),
    responses((status = 200, body = ModelList), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn models(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<ModelList>, ApiError> {
    let head = owned::head(&state, &caller, &gid).await?;
    let outline = state.orchestrator.outline(&head.id).await?;
    let (models, warnings) = (outline.models.clone(), outline.warnings.clone());
    Ok(Json(ModelList { count: models.len(), models, warnings }))
}

/// What became of one generation in another: endpoints and models added, removed and modified,
/// dependencies, environment, and, where both ran, response times and error rates. Neither needs
/// a preview; both must be the caller's.
#[utoipa::path(get, path = "/generations/{gid}/preview/compare/{other}", operation_id = "compareGenerations", tag = "previews",
    params(("gid" = String, Path, description = "The earlier one"), ("other" = String, Path, description = "The later one")),
    responses((status = 200, body = ComparisonView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path((gid, other)): Path<(String, String)>,
) -> Result<Json<ComparisonView>, ApiError> {
    let before = owned::generation(&state, &caller, &gid).await?;
    let after = owned::generation(&state, &caller, &other).await?;
    let user = (caller.role != Role::Admin).then_some(&caller.user);
    Ok(Json(ComparisonView { comparison: state.orchestrator.compare(before, after, user).await? }))
}
