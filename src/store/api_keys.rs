//! API keys: found by their id, never by what is secret in them.

use chrono::{DateTime, Duration, Utc};

use super::db::{in_transaction, on_read, on_write};
use super::page::{Cursor, List};
use super::row::{RowName, read, to_json};
use super::{Fault, Page, PageOf, Store, StoreError};
use crate::domain::{ApiKey, UserId};

const TABLE: &str = "api_keys";

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT id, name, owner, tier, scopes, created_by, hash, created_at, expires_at, revoked_at, \
             last_used_at FROM api_keys WHERE ",
            $rest
        )
    };
}

const INSERT: &str =
    "INSERT INTO api_keys (id, name, owner, tier, scopes, created_by, hash, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const BY_ID: &str = select!("id = $1");

const LIST: &str = select!(
    "(CAST($1 AS TEXT) IS NULL OR owner = $1)
     AND (CAST($2 AS BIGINT) IS NULL OR created_at < $2 OR (created_at = $2 AND id < $3))
     ORDER BY created_at DESC, id DESC
     LIMIT $4"
);

const COUNT: &str = "SELECT count(*) FROM api_keys
    WHERE owner = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";

const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

const TOUCH: &str =
    "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)";

const INSERT_LOCK: &str = "previewd api keys";

/// A key as it is stored: what is known of it, and the hash of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    pub key: ApiKey,
    pub hash: String,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    name: String,
    owner: String,
    tier: String,
    scopes: String,
    created_by: String,
    hash: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl Store {
    /// Stores a new key, unless its owner has `most` that are of use already: then `false`.
    pub async fn insert_api_key(&self, key: &ApiKey, hash: &str, most: u32) -> Result<bool, StoreError> {
        let scopes = to_json("scopes", &key.scopes).map_err(StoreError::PutApiKey)?;
        let insert = async {
            let inserted = in_transaction!(self.db, INSERT_LOCK, |tx| {
                let count = sqlx::query_scalar(COUNT)
                    .bind(key.owner.as_str())
                    .bind(key.created_at.timestamp_millis());
                let count: i64 = count.fetch_one(&mut *tx).await?;
                let fits = count < i64::from(most);
                if fits {
                    sqlx::query(INSERT)
                        .bind(&key.id)
                        .bind(&key.name)
                        .bind(key.owner.as_str())
                        .bind(key.tier.as_str())
                        .bind(&scopes)
                        .bind(key.created_by.as_str())
                        .bind(hash)
                        .bind(key.created_at.timestamp_millis())
                        .bind(key.expires_at.map(|at| at.timestamp_millis()))
                        .execute(&mut *tx)
                        .await?;
                }
                fits
            });
            Ok::<_, Fault>(inserted)
        };
        self.run(StoreError::PutApiKey, insert).await
    }

    pub async fn api_key(&self, id: &str) -> Result<Option<StoredKey>, StoreError> {
        let find = async {
            let row: Option<KeyRow> = on_read!(self.db, |pool| sqlx::query(BY_ID)
                .bind(id)
                .fetch_optional(pool)
                .await?
                .map(|row| read(TABLE, "id", &row))
                .transpose()?);
            row.map(KeyRow::into_key).transpose()
        };
        self.run(StoreError::ReadApiKeys, find).await
    }

    /// Newest first, of one owner or of all; revoked and expired ones too.
    pub async fn api_keys(&self, owner: Option<&UserId>, page: Page) -> Result<PageOf<ApiKey>, StoreError> {
        let before = page.cursor(List::ApiKeys)?;
        let find = async {
            let rows: Vec<KeyRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(owner.map(UserId::as_str))
                .bind(before.as_ref().map(|before| before.at))
                .bind(before.as_ref().map(|before| before.id.as_str()))
                .bind(page.fetch())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(|row| Ok(row.into_key()?.key)).collect::<Result<Vec<_>, Fault>>()
        };
        let keys = self.run(StoreError::ReadApiKeys, find).await?;
        let at = |key: &ApiKey| Cursor { at: key.created_at.timestamp_millis(), id: key.id.clone() };
        Ok(PageOf::of(keys, &page, List::ApiKeys, at))
    }

    /// From now on it is worth nothing. `false` when it was revoked before, or never was.
    pub async fn revoke_api_key(&self, id: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let revoke = async {
            let changed = on_write!(self.db, |pool| sqlx::query(REVOKE)
                .bind(id)
                .bind(now.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected());
            Ok(changed == 1)
        };
        self.run(StoreError::PutApiKey, revoke).await
    }

    /// It was used. Written once a minute at most.
    pub async fn touch_api_key(&self, id: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let touch = async {
            on_write!(self.db, |pool| sqlx::query(TOUCH)
                .bind(id)
                .bind(now.timestamp_millis())
                .bind((now - Duration::minutes(1)).timestamp_millis())
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutApiKey, touch).await
    }
}

impl KeyRow {
    fn into_key(self) -> Result<StoredKey, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        let key = ApiKey {
            id: self.id,
            name: self.name,
            owner: name.parsed("owner", UserId::parse(&self.owner))?,
            tier: name.word("tier", &self.tier)?,
            scopes: name.json("scopes", &self.scopes)?,
            created_by: name.parsed("created_by", UserId::parse(&self.created_by))?,
            created_at: name.time("created_at", self.created_at)?,
            expires_at: name.time_or_none("expires_at", self.expires_at)?,
            revoked_at: name.time_or_none("revoked_at", self.revoked_at)?,
            last_used_at: name.time_or_none("last_used_at", self.last_used_at)?,
        };
        Ok(StoredKey { key, hash: self.hash })
    }
}
