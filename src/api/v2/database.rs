//! A preview's database: what is in it, back to its beginning, and questions to it.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::api::auth::Caller;
use crate::api::extract::Path;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, json, owned};
use crate::domain::{CacheType, DatabaseMode, DatabaseType, Invalid, MigrationStatus, Preview, Status, text};
use crate::orchestrator::{Ask, KnownCache, KnownDatabase, QueryRows, Table};

/// What status and launch say of a database.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseView {
    pub r#type: DatabaseType,
    /// none, pending, ready or unavailable.
    pub status: &'static str,
    pub ready: bool,
    pub migration_status: MigrationStatus,
    /// When it was last counted; 0 before that.
    pub tables: u64,
    pub records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<DatabaseMode>,
    /// Major version of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the preview has beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheView>,
    #[serde(skip)]
    pub last_check: Option<DateTime<Utc>>,
}

/// A cache of the preview's own.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CacheView {
    pub r#type: CacheType,
    /// pending, ready or unavailable.
    pub status: &'static str,
    /// When they were last counted; 0 before that.
    pub keys: u64,
    /// Bytes of memory.
    pub size: u64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// All of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseAnswer {
    #[serde(flatten)]
    database: DatabaseView,
    /// At most 500, by name.
    table_list: Vec<Table>,
    /// There are more tables.
    truncated: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetAnswer {
    /// `reset`, or `resetting` where it takes longer.
    status: &'static str,
    elapsed_ms: u64,
    database: DatabaseView,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryBody {
    /// One SELECT.
    #[serde(default)]
    #[schema(required, value_type = text::Question)]
    sql: String,
}

/// Longest question, bytes.
const MAX_SQL: usize = 64 * 1024;
/// A reset copies or migrates, and starts the app.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tables with their rows, the size of the database, and what is in the cache.
#[utoipa::path(get, path = "/generations/{gid}/preview/database", operation_id = "getDatabase", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = DatabaseAnswer), (status = 404, body = Problem), (status = 409, body = Problem, description = "it has none, or none yet"),
        (status = 503, body = Problem)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<DatabaseAnswer>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let cache = state.orchestrator.cache_counted(&preview).await;
    if preview.database == DatabaseType::None && cache.is_some() {
        let database = DatabaseView::of(&preview, None, cache.as_ref());
        return Ok(Json(DatabaseAnswer { database, table_list: Vec::new(), truncated: false }));
    }
    let inventory = state.orchestrator.look_into_database(&preview).await?;
    let known = state.orchestrator.database(&preview);
    let mut database = DatabaseView::of(&preview, known.as_ref(), cache.as_ref());
    (database.tables, database.records) = inventory.totals();
    database.size = Some(inventory.bytes);
    Ok(Json(DatabaseAnswer { database, table_list: inventory.tables, truncated: inventory.truncated }))
}

/// Back to the migrated and seeded state; the app is started anew on it.
#[utoipa::path(post, path = "/generations/{gid}/preview/database/reset", operation_id = "resetDatabase", tag = "previews", params(("gid" = String, Path)),
    responses((status = 200, body = ResetAnswer), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 502, body = Problem, description = "it could not be migrated again, or the app did not start on it")))]
pub async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
) -> Result<Json<ResetAnswer>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let has_cache = state.orchestrator.cache(&preview).is_some();
    if preview.status.is_live() && preview.database == DatabaseType::None && !has_cache {
        return Err(ApiError::Conflict("this preview has no database".to_owned()));
    }
    let begun = Instant::now();
    state.orchestrator.ask(&preview, Ask::Reset).await?;
    let preview = state.orchestrator.settled(preview, PATIENCE).await;
    match (preview.status, preview.failure.clone()) {
        (Status::Failed, Some(failure)) => return Err(ApiError::Failed(failure)),
        (Status::Stopping | Status::Stopped | Status::Failed, _) => return Err(ApiError::Stopped),
        _ => {}
    }
    let known = state.orchestrator.database_counted(&preview).await;
    let cache = state.orchestrator.cache_counted(&preview).await;
    let database = DatabaseView::of(&preview, known.as_ref(), cache.as_ref());
    let status = if preview.status == Status::Launching { "resetting" } else { "reset" };
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(ResetAnswer { status, elapsed_ms, database }))
}

/// Ask the database: one SELECT, at most 500 rows and 5 seconds, and nothing is changed by it.
#[utoipa::path(post, path = "/generations/{gid}/preview/database/query", operation_id = "queryDatabase", tag = "previews", params(("gid" = String, Path)),
    request_body = QueryBody,
    responses((status = 200, body = QueryRows), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem, description = "the database refused it, in its words"), (status = 503, body = Problem)))]
pub async fn query(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    json::Json(body): json::Json<QueryBody>,
) -> Result<Json<QueryRows>, ApiError> {
    // Whose it is comes first: what is wrong with a question is no stranger's business.
    let preview = owned::preview(&state, &caller, &gid).await?;
    text::Question::rule().check("sql", &body.sql)?;
    if body.sql.len() > MAX_SQL {
        return Err(Invalid::new("sql", format!("expected at most {MAX_SQL} bytes")).into());
    }
    Ok(Json(state.orchestrator.query_database(&preview, &body.sql).await?))
}

impl DatabaseView {
    /// From what is known without asking the database.
    pub fn of(preview: &Preview, known: Option<&KnownDatabase>, cache: Option<&KnownCache>) -> Self {
        let problem = known.and_then(|known| known.health.problem());
        let record = known.map(|known| &known.record);
        let ready = record.is_some_and(|record| record.ready);
        let status = match (preview.database, known.is_some(), ready, &problem) {
            (DatabaseType::None, ..) | (_, false, ..) => "none",
            (_, _, false, _) => "pending",
            (_, _, true, Some(_)) => "unavailable",
            (_, _, true, None) => "ready",
        };
        let health = known.map(|known| &known.health);
        let (tables, records) = health.and_then(|health| health.counted).unwrap_or_default();
        Self {
            r#type: preview.database,
            status,
            ready: ready || preview.database == DatabaseType::None,
            migration_status: record.map(|record| record.migration).unwrap_or_default(),
            tables,
            records,
            mode: record.map(|record| record.mode),
            version: record.map(|record| record.version.clone()).filter(|version| !version.is_empty()),
            size: health.and_then(|health| health.bytes),
            problem,
            cache: cache.map(CacheView::of),
            last_check: health.and_then(|health| health.last_check),
        }
    }
}

impl CacheView {
    fn of(known: &KnownCache) -> Self {
        let problem = known.problem();
        let (seen, _) = known.counted.unwrap_or_default();
        Self {
            r#type: CacheType::Redis,
            status: match (known.ready, &problem) {
                (false, _) => "pending",
                (true, Some(_)) => "unavailable",
                (true, None) => "ready",
            },
            keys: seen.keys,
            size: seen.bytes,
            problem,
        }
    }
}
