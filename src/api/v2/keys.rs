//! API keys of platforms: make one, list them, revoke one.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::api::auth::{Caller, Role, fresh_key};
use crate::api::extract::{Path, Query};
use crate::api::listing::PageQuery;
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, json};
use crate::domain::{ApiKey, Invalid, Scope, UserId, UserTier, text};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyBody {
    /// What it is called in lists, 1 to 100 characters.
    #[schema(value_type = text::KeyName)]
    name: String,
    /// Default `["read", "launch"]`. `admin` and `act` are admins' to give.
    #[schema(min_items = 1, value_type = Option<BTreeSet<Scope>>)]
    scopes: Option<Vec<Scope>>,
    /// Seconds it is valid, 60 to 315360000; default: until it is revoked.
    #[schema(minimum = 60, maximum = 315360000)]
    expires_in: Option<u64>,
    /// Whose it is; default yours. Admins alone make keys for others.
    user: Option<UserId>,
    /// What its user may use; default yours.
    tier: Option<UserTier>,
}

/// A key without what is secret in it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// Also the beginning of the key: `pvk_{id}_…`.
    id: String,
    name: String,
    user: String,
    tier: UserTier,
    scopes: BTreeSet<Scope>,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FreshKeyView {
    /// Shown this once; send it as a bearer token.
    key: String,
    #[serde(flatten)]
    about: KeyView,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyList {
    keys: Vec<KeyView>,
    next_cursor: Option<String>,
}

/// Keys of one user that are of use at once.
const MOST_KEYS: u32 = 100;

/// Ten years.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

/// Make an API key. What is secret in it is in this answer and nowhere else.
#[utoipa::path(post, path = "/keys", operation_id = "createKey", tag = "keys", request_body = KeyBody,
    responses((status = 201, body = FreshKeyView), (status = 403, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    json::Json(body): json::Json<KeyBody>,
) -> Result<(StatusCode, Json<FreshKeyView>), ApiError> {
    let (key, fresh) = (checked(&caller, body)?, fresh_key());
    let key = ApiKey { id: fresh.id, ..key };
    if !state.store.insert_api_key(&key, &fresh.hash, MOST_KEYS).await? {
        let reason = format!("{} has {MOST_KEYS} keys; revoke one first", key.owner);
        return Err(ApiError::Quota { reason, retry_after: 60 });
    }
    Ok((StatusCode::CREATED, Json(FreshKeyView { key: fresh.text, about: key.into() })))
}

/// Your keys, newest first, revoked ones too; admins see all.
#[utoipa::path(get, path = "/keys", operation_id = "listKeys", tag = "keys", params(PageQuery),
    responses((status = 200, body = KeyList)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<KeyList>, ApiError> {
    let owner = (caller.role != Role::Admin).then_some(&caller.user);
    let found = state.store.api_keys(owner, page.page()?).await?;
    Ok(Json(KeyList { keys: found.items.into_iter().map(KeyView::from).collect(), next_cursor: found.next }))
}

/// Revoke a key. The next request that brings it is refused.
#[utoipa::path(delete, path = "/keys/{keyId}", operation_id = "revokeKey", tag = "keys", params(("keyId" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let absent = || ApiError::not_found("key", &id);
    // No id of a key has anything else in it, and PostgreSQL takes no NUL.
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(absent());
    }
    let found = state.store.api_key(&id).await?.ok_or_else(absent)?;
    if !caller.may_use(&found.key.owner) {
        return Err(ApiError::NotOwner);
    }
    state.store.revoke_api_key(&id, Utc::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key that a caller may ask for; its id is still to come.
fn checked(caller: &Caller, body: KeyBody) -> Result<ApiKey, ApiError> {
    let is_admin = caller.role == Role::Admin;
    let named = body.scopes.unwrap_or_else(|| vec![Scope::Read, Scope::Launch]);
    let scopes: BTreeSet<Scope> = named.iter().copied().collect();
    text::KeyName::rule().check("name", &body.name)?;
    if scopes.is_empty() {
        return Err(Invalid::new("scopes", "expected one at least").into());
    }
    if scopes.len() < named.len() {
        return Err(Invalid::new("scopes", "expected each once at most").into());
    }
    if body.expires_in.is_some_and(|seconds| !(60..=LONGEST).contains(&seconds)) {
        return Err(Invalid::new("expiresIn", format!("expected 60 to {LONGEST} seconds")).into());
    }
    let owner = body.user.unwrap_or_else(|| caller.user.clone());
    let tier = body.tier.unwrap_or(caller.tier);
    let beyond = scopes.contains(&Scope::Admin) || scopes.contains(&Scope::Act);
    if !is_admin && (owner != caller.user || tier > caller.tier || beyond) {
        return Err(ApiError::AdminsOnly);
    }
    let now = Utc::now();
    Ok(ApiKey {
        id: String::new(),
        name: body.name,
        owner,
        tier,
        scopes,
        created_by: caller.by.clone(),
        created_at: now,
        expires_at: body.expires_in.map(|seconds| now + Duration::from_secs(seconds)),
        revoked_at: None,
        last_used_at: None,
    })
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            user: key.owner.to_string(),
            tier: key.tier,
            scopes: key.scopes,
            created_by: key.created_by.to_string(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
        }
    }
}
