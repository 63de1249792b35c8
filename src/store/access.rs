//! Who gets into private previews: which those are, and the links that open them.

use chrono::{DateTime, Utc};

use super::db::{in_transaction, on_read, on_write};
use super::row::{RowName, read};
use super::{Fault, Store, StoreError};
use crate::domain::{PreviewId, Share, UserId};

const TABLE: &str = "preview_shares";

/// Serialises links: count, compare, insert.
const LOCK: &str = "previewd shares";

const MAKE_PRIVATE: &str =
    "INSERT INTO private_previews (preview_id) VALUES ($1) ON CONFLICT (preview_id) DO NOTHING";

const LIVE_PRIVATE: &str = "SELECT p.preview_id FROM private_previews p
    JOIN preview_instances i ON i.id = p.preview_id WHERE i.status NOT IN ('stopped', 'failed')";

const INSERT: &str = "INSERT INTO preview_shares (id, preview_id, created_by, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5)";

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT id, preview_id, created_by, created_at, expires_at, revoked_at FROM preview_shares WHERE ",
            $rest
        )
    };
}

/// A preview has at most as many as [`Store::insert_share`] lets it have.
const OF_PREVIEW: &str = select!("preview_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000");

const IN_FORCE: &str = select!(
    "revoked_at IS NULL AND expires_at > $1
     AND preview_id IN (SELECT id FROM preview_instances WHERE status NOT IN ('stopped', 'failed'))"
);

const COUNT: &str = "SELECT count(*) FROM preview_shares WHERE preview_id = $1";

const REVOKE: &str = "UPDATE preview_shares SET revoked_at = COALESCE(revoked_at, $3)
    WHERE id = $1 AND preview_id = $2";

#[derive(sqlx::FromRow)]
struct ShareRow {
    id: String,
    preview_id: String,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct IdRow {
    preview_id: String,
}

impl Store {
    /// From now on the stored preview opens only to who shows a token.
    pub async fn make_private(&self, preview: PreviewId) -> Result<(), StoreError> {
        let make = async {
            on_write!(self.db, |pool| sqlx::query(MAKE_PRIVATE)
                .bind(preview.to_string())
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutShare, make).await
    }

    /// The live ones that are private.
    pub async fn private_previews(&self) -> Result<Vec<PreviewId>, StoreError> {
        let find = async {
            let rows: Vec<IdRow> = on_read!(self.db, |pool| sqlx::query(LIVE_PRIVATE)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read("private_previews", "preview_id", row))
                .collect::<Result<_, _>>()?);
            let parsed = |row: IdRow| {
                let name = RowName { table: "private_previews", id: row.preview_id.clone() };
                name.parsed("preview_id", PreviewId::parse(&row.preview_id))
            };
            rows.into_iter().map(parsed).collect::<Result<Vec<_>, Fault>>()
        };
        self.run(StoreError::ReadShares, find).await
    }

    /// Stores a link, unless the preview has had `most` already: then `false`.
    pub async fn insert_share(&self, share: &Share, most: u32) -> Result<bool, StoreError> {
        let insert = async {
            let inserted = in_transaction!(self.db, LOCK, |tx| {
                let count = sqlx::query_scalar(COUNT).bind(share.preview.to_string());
                let count: i64 = count.fetch_one(&mut *tx).await?;
                let fits = count < i64::from(most);
                if fits {
                    sqlx::query(INSERT)
                        .bind(&share.id)
                        .bind(share.preview.to_string())
                        .bind(share.created_by.as_str())
                        .bind(share.created_at.timestamp_millis())
                        .bind(share.expires_at.timestamp_millis())
                        .execute(&mut *tx)
                        .await?;
                }
                fits
            });
            Ok::<_, Fault>(inserted)
        };
        self.run(StoreError::PutShare, insert).await
    }

    /// Newest first, those that are over too.
    pub async fn shares(&self, preview: PreviewId) -> Result<Vec<Share>, StoreError> {
        let find = async {
            let rows: Vec<ShareRow> = on_read!(self.db, |pool| sqlx::query(OF_PREVIEW)
                .bind(preview.to_string())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(ShareRow::into_share).collect()
        };
        self.run(StoreError::ReadShares, find).await
    }

    /// Those of live previews that open something at `now`.
    pub async fn shares_in_force(&self, now: DateTime<Utc>) -> Result<Vec<Share>, StoreError> {
        let find = async {
            let rows: Vec<ShareRow> = on_read!(self.db, |pool| sqlx::query(IN_FORCE)
                .bind(now.timestamp_millis())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(ShareRow::into_share).collect()
        };
        self.run(StoreError::ReadShares, find).await
    }

    /// `false` when the preview has no such link.
    pub async fn revoke_share(
        &self,
        preview: PreviewId,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let revoke = async {
            let changed = on_write!(self.db, |pool| sqlx::query(REVOKE)
                .bind(id)
                .bind(preview.to_string())
                .bind(now.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected());
            Ok(changed == 1)
        };
        self.run(StoreError::PutShare, revoke).await
    }
}

impl ShareRow {
    fn into_share(self) -> Result<Share, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        Ok(Share {
            id: self.id,
            preview: name.parsed("preview_id", PreviewId::parse(&self.preview_id))?,
            created_by: name.parsed("created_by", UserId::parse(&self.created_by))?,
            created_at: name.time("created_at", self.created_at)?,
            expires_at: name.time("expires_at", self.expires_at)?,
            revoked_at: name.time_or_none("revoked_at", self.revoked_at)?,
        })
    }
}
