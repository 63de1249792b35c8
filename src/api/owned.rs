//! From a name in a path to a thing the caller may use: 404 when it is not there, 403 when it is
//! another's.

use super::AppState;
use super::auth::{Caller, Role};
use super::problem::ApiError;
use crate::domain::{Generation, GenerationId, Preview};
use crate::store::GenerationHead;

/// A name in a path that no generation can have is one that no generation has.
pub fn generation_id(text: &str) -> Result<GenerationId, ApiError> {
    GenerationId::parse(text).map_err(ApiError::Invalid)
}

pub async fn head(state: &AppState, caller: &Caller, id: &str) -> Result<GenerationHead, ApiError> {
    let id = generation_id(id)?;
    let head = state.store.generation_head(&id).await?;
    let head = head.ok_or_else(|| ApiError::not_found("generation", &id))?;
    caller.may_use(&head.owner).then_some(head).ok_or(ApiError::NotOwner)
}

pub async fn generation(state: &AppState, caller: &Caller, id: &str) -> Result<Generation, ApiError> {
    let head = head(state, caller, id).await?;
    let generation = state.store.generation(&head.id).await?;
    generation.ok_or_else(|| ApiError::not_found("generation", id))
}

/// The caller's preview of a generation, live or last; for admins, whoever's it is.
pub async fn preview(state: &AppState, caller: &Caller, id: &str) -> Result<Preview, ApiError> {
    let head = head(state, caller, id).await?;
    let own = state.orchestrator.preview_of(&head.id, Some(&caller.user)).await?;
    let found = match (own, caller.role) {
        (None, Role::Admin) => state.orchestrator.preview_of(&head.id, None).await?,
        (own, _) => own,
    };
    found.ok_or_else(|| ApiError::not_found("preview of generation", id))
}
