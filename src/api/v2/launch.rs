//! Launching.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::Schema;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};

use super::database::DatabaseView;
use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, json, owned};
use crate::domain::{
    DatabaseType, Egress, GenerationId, Invalid, LogLevel, Metadata, Preview, ResourceTier, Status,
    environment_schema, text,
};
use crate::orchestrator::{Launch, Launched};

/// Everything is optional.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LaunchBody {
    /// Must be the one of the path when given.
    generation_id: Option<GenerationId>,
    #[schema(value_type = Option<text::ProjectId>, inline)]
    project_id: Option<String>,
    database_type: Option<DatabaseType>,
    resource_tier: Option<ResourceTier>,
    auto_migrate_database: Option<bool>,
    #[schema(schema_with = environment_schema)]
    environment: BTreeMap<String, String>,
    /// Where the app may connect to, at most what the generation and the installation allow: `open`,
    /// `none`, or a list of public addresses, blocks and host names.
    egress: Option<Egress>,
    /// What the app is told to log at, as `LOG_LEVEL`; default INFO.
    log_level: Option<LogLevel>,
    /// Lines of its log to keep, from 100 to `PREVIEW_LOG_MAX_LINES`, which is the default.
    #[schema(minimum = 100, maximum = 100000)]
    max_log_lines: Option<u32>,
    /// Only who shows the preview token, or comes by a shared link, gets in; `PREVIEW_PRIVATE` when
    /// absent.
    private: Option<bool>,
    /// `true`, or seconds: answer when the preview is healthy or has failed.
    #[serde(deserialize_with = "wait")]
    #[schema(schema_with = wait_schema)]
    wait: Option<Duration>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaunchAnswer {
    /// `launching`, or `launched` when it is healthy.
    status: String,
    preview_instance_id: String,
    base_url: String,
    ws_url: String,
    preview_token: String,
    resource_allocated: Allocated,
    database: DatabaseView,
    expires_at: DateTime<Utc>,
    can_extend: bool,
    extensions_remaining: u32,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Allocated {
    /// `512MB`.
    memory: String,
    /// `1 core`.
    cpu: String,
    /// `1GB`.
    storage: String,
}

/// `wait: true` waits this long: a cold build and a slow start.
const LONGEST_WAIT: Duration = Duration::from_secs(900);

/// Launch a preview of a generation, or get your live one (200).
#[utoipa::path(post, path = "/generations/{gid}/preview/launch", operation_id = "launchPreview", tag = "previews",
    params(("gid" = String, Path)), request_body = LaunchBody,
    responses((status = 201, body = LaunchAnswer), (status = 200, body = LaunchAnswer),
        (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 502, body = Problem, description = "with wait: the launch failed; carries stage, reason and logTail"),
        (status = 503, body = Problem)))]
pub async fn launch(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    json::Json(body): json::Json<LaunchBody>,
) -> Result<(StatusCode, Json<LaunchAnswer>), ApiError> {
    let generation = owned::generation(&state, &caller, &gid).await?;
    check(&body, &generation.id)?;
    let launch = Launch {
        user: caller.user.clone(),
        user_tier: caller.tier,
        resource_tier: body.resource_tier.unwrap_or_default(),
        project_id: body.project_id,
        environment: body.environment,
        database: body.database_type,
        egress: body.egress,
        migrate: body.auto_migrate_database.unwrap_or(true),
        log_level: body.log_level,
        max_log_lines: body.max_log_lines,
        startup_timeout: None,
        private: body.private,
        session: state.config.session,
        idle: None,
    };
    let Launched { preview, token, is_new } = state.orchestrator.launch(&generation, launch).await?;
    let preview = match body.wait {
        Some(patience) => healthy(state.orchestrator.settled(preview, patience).await)?,
        None => preview,
    };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let known = state.orchestrator.database(&preview);
    let database = DatabaseView::of(&preview, known.as_ref(), state.orchestrator.cache(&preview).as_ref());
    Ok((status, Json(LaunchAnswer::new(&preview, token, database))))
}

fn check(body: &LaunchBody, path: &GenerationId) -> Result<(), ApiError> {
    if body.generation_id.as_ref().is_some_and(|id| id != path) {
        return Err(Invalid::new("generationId", format!("expected {path}, as in the path")).into());
    }
    let metadata = Metadata { project_id: body.project_id.clone(), ..Metadata::default() };
    metadata.validate()?;
    Metadata::validate_environment(&body.environment)?;
    Ok(())
}

/// A launch that was waited for has come to something, or has not yet.
fn healthy(preview: Preview) -> Result<Preview, ApiError> {
    match preview.status {
        Status::Failed => match preview.failure {
            Some(failure) => Err(ApiError::Failed(failure)),
            None => Err(ApiError::Stopped),
        },
        Status::Stopping | Status::Stopped => Err(ApiError::Stopped),
        Status::Launching => Err(ApiError::StillLaunching),
        _ => Ok(preview),
    }
}

impl LaunchAnswer {
    fn new(preview: &Preview, token: String, database: DatabaseView) -> Self {
        let is_up = preview.status != Status::Launching;
        let extensions_remaining = preview.extensions_allowed.saturating_sub(preview.extensions_used);
        Self {
            status: if is_up { "launched" } else { "launching" }.to_owned(),
            preview_instance_id: preview.id.to_string(),
            ws_url: format!("{}/", preview.base_url.replacen("http", "ws", 1)),
            base_url: preview.base_url.clone(),
            preview_token: token,
            resource_allocated: Allocated::of(preview),
            database,
            expires_at: preview.expires_at,
            can_extend: extensions_remaining > 0,
            extensions_remaining,
        }
    }
}

impl Allocated {
    fn of(preview: &Preview) -> Self {
        let limits = &preview.limits;
        let size =
            |mb: u64| if mb.is_multiple_of(1024) { format!("{}GB", mb / 1024) } else { format!("{mb}MB") };
        let cores = if limits.cpu == 1.0 { "core" } else { "cores" };
        Self {
            memory: format!("{}MB", limits.memory_mb),
            cpu: format!("{} {cores}", limits.cpu),
            storage: size(limits.storage_mb),
        }
    }
}

fn wait_schema() -> Schema {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(LONGEST_WAIT.as_secs()));
    OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(seconds)
        .description(Some("`true`, or seconds: answer when the preview is healthy or has failed."))
        .build()
        .into()
}

/// `true`, `false`, or a number of seconds from 1 to 900.
fn wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wait {
        Flag(bool),
        Seconds(u64),
    }
    match Option::<Wait>::deserialize(deserializer) {
        Ok(None | Some(Wait::Flag(false))) => Ok(None),
        Ok(Some(Wait::Flag(true))) => Ok(Some(LONGEST_WAIT)),
        Ok(Some(Wait::Seconds(seconds))) if (1..=LONGEST_WAIT.as_secs()).contains(&seconds) => {
            Ok(Some(Duration::from_secs(seconds)))
        }
        _ => Err(serde::de::Error::custom("expected true, false or 1 to 900 seconds")),
    }
}
