//! What every live preview uses and serves, at this moment.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::status::{Performance, Resources};
use crate::api::AppState;
use crate::api::auth::{Caller, Role};
use crate::api::extract::Query;
use crate::api::owned::generation_id;
use crate::api::problem::{ApiError, Problem};
use crate::domain::{GenerationId, Preview, Status};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    /// Only previews of this generation.
    #[param(value_type = Option<GenerationId>, inline)]
    generation: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StatsList {
    /// Oldest first.
    previews: Vec<StatsView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatsView {
    preview_instance_id: String,
    generation_id: GenerationId,
    status: Status,
    created_at: DateTime<Utc>,
    resources: Resources,
    performance: Performance,
}

/// Live figures of your live previews, containers' read for this call; admins see all.
#[utoipa::path(get, path = "/previews/stats", operation_id = "getPreviewStats", tag = "previews", params(StatsQuery),
    responses((status = 200, body = StatsList), (status = 422, body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<StatsQuery>,
) -> Result<Json<StatsList>, ApiError> {
    let generation = query.generation.as_deref().map(generation_id).transpose()?;
    let mut live = state.orchestrator.live_previews();
    live.retain(|preview| {
        let is_asked = generation.as_ref().is_none_or(|id| *id == preview.generation_id);
        is_asked && (caller.role == Role::Admin || preview.user_id == caller.user)
    });
    // Their ids are made in the order of their creation.
    live.sort_by_key(|preview| preview.id);
    let previews = live.iter().map(|preview| StatsView::of(&state, preview)).collect();
    Ok(Json(StatsList { previews }))
}

impl StatsView {
    fn of(state: &AppState, preview: &Preview) -> Self {
        Self {
            preview_instance_id: preview.id.to_string(),
            generation_id: preview.generation_id.clone(),
            status: preview.status,
            created_at: preview.created_at,
            resources: Resources::of(preview, state.orchestrator.sample(preview.id).as_ref()),
            performance: Performance::of(state, preview),
        }
    }
}
