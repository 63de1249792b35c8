//! The databases of previews: what was promised and what of it is there, in columns of the
//! preview's row that its owning task does not write.

use super::db::{on_read, on_write};
use super::row::{RowName, read, to_json};
use super::{Fault, Store, StoreError};
use crate::domain::{DatabaseRecord, PreviewId};

const TABLE: &str = "preview_instances";

const PUT: &str = "UPDATE preview_instances SET (db_state, db_ready, db_url) = ($2, $3, COALESCE($4, db_url)) WHERE id = $1";

const FORGET: &str = "UPDATE preview_instances SET (db_ready, db_url) = (FALSE, NULL) WHERE id = $1";

const PUT_CACHE: &str = "UPDATE preview_instances SET cache_type = $2 WHERE id = $1";

const CACHES_OF_LIVE: &str = "SELECT id FROM preview_instances
    WHERE status NOT IN ('stopped', 'failed') AND cache_type IS NOT NULL";

const OF_LIVE: &str = "SELECT id, db_state, db_url FROM preview_instances
    WHERE status NOT IN ('stopped', 'failed') AND db_state IS NOT NULL
    ORDER BY created_at, id";

/// A live preview's database as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDatabase {
    pub preview: PreviewId,
    pub record: DatabaseRecord,
    /// Encrypted by whoever wrote it; absent until there is an address.
    pub sealed_url: Option<String>,
}

#[derive(sqlx::FromRow)]
struct DatabaseRow {
    id: String,
    db_state: String,
    db_url: Option<String>,
}

impl Store {
    /// Writes what is known of a stored preview's database. An address that is `None` stays as
    /// it was.
    pub async fn put_database(
        &self,
        preview: PreviewId,
        record: &DatabaseRecord,
        sealed_url: Option<&str>,
    ) -> Result<(), StoreError> {
        let state = to_json("db_state", record).map_err(StoreError::PutDatabase)?;
        let put = async {
            let updated = on_write!(self.db, |pool| sqlx::query(PUT)
                .bind(preview.to_string())
                .bind(&state)
                .bind(record.ready)
                .bind(sealed_url)
                .execute(pool)
                .await?
                .rows_affected());
            if updated == 1 { Ok(()) } else { Err(Fault::NoPreview(preview)) }
        };
        self.run(StoreError::PutDatabase, put).await
    }

    /// The database is gone, and with it the need to know its password.
    pub async fn forget_database(&self, preview: PreviewId) -> Result<(), StoreError> {
        let forget = async {
            on_write!(self.db, |pool| sqlx::query(FORGET)
                .bind(preview.to_string())
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutDatabase, forget).await
    }

    /// Writes that a stored preview has a cache.
    pub async fn put_cache(&self, preview: PreviewId) -> Result<(), StoreError> {
        let put = async {
            on_write!(self.db, |pool| sqlx::query(PUT_CACHE)
                .bind(preview.to_string())
                .bind("redis")
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutDatabase, put).await
    }

    /// Live previews that have a cache.
    pub async fn live_caches(&self) -> Result<Vec<PreviewId>, StoreError> {
        let find = async {
            let ids: Vec<String> =
                on_read!(self.db, |pool| sqlx::query_scalar(CACHES_OF_LIVE).fetch_all(pool).await?);
            let parsed =
                |id: String| RowName { table: TABLE, id: id.clone() }.parsed("id", PreviewId::parse(&id));
            ids.into_iter().map(parsed).collect()
        };
        self.run(StoreError::ReadDatabases, find).await
    }

    /// Those of all live previews, oldest first.
    pub async fn live_databases(&self) -> Result<Vec<StoredDatabase>, StoreError> {
        let find = async {
            let rows: Vec<DatabaseRow> = on_read!(self.db, |pool| sqlx::query(OF_LIVE)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(DatabaseRow::into_stored).collect()
        };
        self.run(StoreError::ReadDatabases, find).await
    }
}

impl DatabaseRow {
    fn into_stored(self) -> Result<StoredDatabase, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        Ok(StoredDatabase {
            preview: name.parsed("id", PreviewId::parse(&self.id))?,
            record: name.json("db_state", &self.db_state)?,
            sealed_url: self.db_url,
        })
    }
}
