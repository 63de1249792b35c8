//! Previews: insertion that keeps the quotas, the owning task's updates, and finding them again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::db::{in_transaction, on_read, on_write};
use super::page::{Cursor, List};
use super::preview_row::{PreviewRow, TABLE, bind_preview, preview_columns, preview_values};
use super::row::read;
use super::{Fault, Page, PageOf, Store, StoreError};
use crate::domain::{GenerationId, Preview, PreviewId, Status, UserId};

/// What became of [`Store::insert_preview`].
#[derive(Debug, Clone, PartialEq)]
pub enum Insert {
    Inserted,
    /// The generation has a live preview of this user already: this one.
    Live(Box<Preview>),
    /// The user has as many live previews as allowed.
    UserFull {
        live: u32,
    },
    /// So has the installation.
    HostFull {
        live: u32,
    },
}

/// Which previews a list shows; what is `None` does not restrict it.
#[derive(Debug, Clone, Default)]
pub struct PreviewFilter {
    pub user: Option<UserId>,
    pub status: Option<Status>,
    pub project: Option<String>,
}

/// Serialises insertions on all daemons: count, compare, insert.
const INSERT_LOCK: &str = "previewd preview quota";

/// [`Status::is_live`] in SQL; the unique indexes have the same words.
macro_rules! live {
    () => {
        "status NOT IN ('stopped', 'failed')"
    };
}

/// Not made ahead of a launch that is still to come: what its owner sees.
macro_rules! seen {
    () => {
        "parked_until IS NULL"
    };
}

macro_rules! select {
    ($rest:expr) => {
        concat!("SELECT ", preview_columns!(), " FROM preview_instances WHERE ", $rest)
    };
}

const INSERT: &str =
    concat!("INSERT INTO preview_instances (", preview_columns!(), ") VALUES (", preview_values!(), ")");

const UPDATE: &str = concat!(
    "UPDATE preview_instances SET (",
    preview_columns!(),
    ") = (",
    preview_values!(),
    ") WHERE id = $1"
);

/// A generation and user have one parked preview at most.
const INSERT_PARKED: &str = concat!(
    "INSERT INTO preview_instances (",
    preview_columns!(),
    ") VALUES (",
    preview_values!(),
    ") ON CONFLICT DO NOTHING"
);

const IMAGE_USES: &str = "SELECT image_id, MAX(COALESCE(stopped_at, created_at)) FROM preview_instances
    WHERE image_id IS NOT NULL GROUP BY image_id";

const BY_ID: &str = select!("id = $1");

const ALL_LIVE: &str = select!(concat!(live!(), " ORDER BY created_at, id"));

const LIVE_OF: &str = select!(concat!("generation_id = $1 AND user_id = $2 AND ", live!(), " AND ", seen!()));

const LATEST_OF: &str = select!(concat!(
    "generation_id = $1 AND (CAST($2 AS TEXT) IS NULL OR user_id = $2) AND ",
    seen!(),
    " ORDER BY created_at DESC, id DESC LIMIT 1"
));

const LIST: &str = select!(concat!(
    seen!(),
    " AND (CAST($1 AS TEXT) IS NULL OR user_id = $1)
     AND (CAST($2 AS TEXT) IS NULL OR status = $2)
     AND (CAST($3 AS TEXT) IS NULL OR project_id = $3)
     AND (CAST($4 AS BIGINT) IS NULL OR created_at < $4 OR (created_at = $4 AND id < $5))
     ORDER BY created_at DESC, id DESC
     LIMIT $6"
));

const COUNT_LIVE: &str = concat!("SELECT count(*) FROM preview_instances WHERE ", live!(), " AND ", seen!());

const COUNT_LIVE_OF_USER: &str =
    concat!("SELECT count(*) FROM preview_instances WHERE user_id = $1 AND ", live!(), " AND ", seen!());

/// Events, logs and samples go with the row.
const PRUNE: &str = "DELETE FROM preview_instances
    WHERE status IN ('stopped', 'failed') AND COALESCE(stopped_at, created_at) < $1";

impl Store {
    /// Inserts a live preview unless its generation and user have one, or a quota is used up.
    /// Insertions at once are decided one after the other.
    pub async fn insert_preview(
        &self,
        preview: &Preview,
        max_live_of_user: Option<u32>,
        max_live: Option<u32>,
    ) -> Result<Insert, StoreError> {
        self.admit(INSERT, preview, max_live_of_user, max_live).await
    }

    /// Inserts a preview that is made ahead of its launch; false when its generation and user have
    /// one already.
    pub async fn insert_parked(&self, preview: &Preview) -> Result<bool, StoreError> {
        let row = self.row_of(preview).map_err(StoreError::InsertPreview)?;
        let insert = async {
            let inserted = on_write!(self.db, |pool| bind_preview!(sqlx::query(INSERT_PARKED), row)
                .execute(pool)
                .await?
                .rows_affected());
            Ok(inserted == 1)
        };
        self.run(StoreError::InsertPreview, insert).await
    }

    /// A parked preview becomes one of its owner's, under the rules of [`Store::insert_preview`].
    /// Only the task that owns it calls this.
    pub async fn claim_preview(
        &self,
        preview: &Preview,
        max_live_of_user: Option<u32>,
        max_live: Option<u32>,
    ) -> Result<Insert, StoreError> {
        self.admit(UPDATE, preview, max_live_of_user, max_live).await
    }

    async fn admit(
        &self,
        write: &'static str,
        preview: &Preview,
        max_live_of_user: Option<u32>,
        max_live: Option<u32>,
    ) -> Result<Insert, StoreError> {
        let row = self.row_of(preview).map_err(StoreError::InsertPreview)?;
        let decide = async {
            let decided = in_transaction!(self.db, INSERT_LOCK, |tx| {
                let live: Option<PreviewRow> = sqlx::query(LIVE_OF)
                    .bind(&row.generation_id)
                    .bind(&row.user_id)
                    .fetch_optional(&mut *tx)
                    .await?
                    .map(|found| read(TABLE, "id", &found))
                    .transpose()?;
                let of_user = sqlx::query_scalar(COUNT_LIVE_OF_USER).bind(&row.user_id);
                let of_user = of_user.fetch_one(&mut *tx).await?;
                let of_host = sqlx::query_scalar(COUNT_LIVE).fetch_one(&mut *tx).await?;
                if let Some(live) = live {
                    Insert::Live(Box::new(self.preview_of(live)?))
                } else if let Some(live) = reached(of_user, max_live_of_user) {
                    Insert::UserFull { live }
                } else if let Some(live) = reached(of_host, max_live) {
                    Insert::HostFull { live }
                } else {
                    bind_preview!(sqlx::query(write), row).execute(&mut *tx).await?;
                    Insert::Inserted
                }
            });
            Ok(decided)
        };
        self.run(StoreError::InsertPreview, decide).await
    }

    /// Writes the whole row. Only the task that owns the preview calls it, so nothing is lost.
    /// A preview that is not there is an error.
    pub async fn update_preview(&self, preview: &Preview) -> Result<(), StoreError> {
        let row = self.row_of(preview).map_err(StoreError::UpdatePreview)?;
        let update = async {
            let updated = on_write!(self.db, |pool| bind_preview!(sqlx::query(UPDATE), row)
                .execute(pool)
                .await?
                .rows_affected());
            if updated == 1 { Ok(()) } else { Err(Fault::NoPreview(preview.id)) }
        };
        self.run(StoreError::UpdatePreview, update).await
    }

    pub async fn preview(&self, id: PreviewId) -> Result<Option<Preview>, StoreError> {
        self.one(BY_ID, &[Some(&id.to_string())]).await
    }

    /// The one live preview of this generation and user.
    pub async fn live_preview(
        &self,
        generation: &GenerationId,
        user: &UserId,
    ) -> Result<Option<Preview>, StoreError> {
        self.one(LIVE_OF, &[Some(generation.as_str()), Some(user.as_str())]).await
    }

    /// The newest preview of a generation, live or ended; of anyone when `user` is `None`.
    pub async fn latest_preview(
        &self,
        generation: &GenerationId,
        user: Option<&UserId>,
    ) -> Result<Option<Preview>, StoreError> {
        self.one(LATEST_OF, &[Some(generation.as_str()), user.map(UserId::as_str)]).await
    }

    /// Every live preview, oldest first, those that are parked among them.
    pub async fn live_previews(&self) -> Result<Vec<Preview>, StoreError> {
        let find = async {
            let rows: Vec<PreviewRow> = on_read!(self.db, |pool| sqlx::query(ALL_LIVE)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(|row| self.preview_of(row)).collect()
        };
        self.run(StoreError::ListPreviews, find).await
    }

    /// Newest first.
    pub async fn previews(&self, filter: &PreviewFilter, page: Page) -> Result<PageOf<Preview>, StoreError> {
        let after = page.cursor(List::Previews)?;
        let find = async {
            let rows: Vec<PreviewRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(filter.user.as_ref().map(UserId::as_str))
                .bind(filter.status.map(Status::as_str))
                .bind(filter.project.as_deref())
                .bind(after.as_ref().map(|after| after.at))
                .bind(after.as_ref().map(|after| after.id.as_str()))
                .bind(page.fetch())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(|row| self.preview_of(row)).collect::<Result<Vec<_>, _>>()
        };
        let previews = self.run(StoreError::ListPreviews, find).await?;
        Ok(PageOf::of(previews, &page, List::Previews, |preview| Cursor {
            at: preview.created_at.timestamp_millis(),
            id: preview.id.to_string(),
        }))
    }

    /// When a preview last had each image; of a live one, since when it has it.
    pub async fn image_uses(&self) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
        let find = async {
            let rows: Vec<(String, i64)> =
                on_read!(self.db, |pool| sqlx::query_as(IMAGE_USES).fetch_all(pool).await?);
            let used = rows
                .into_iter()
                .filter_map(|(image, at)| Some((image, DateTime::from_timestamp_millis(at)?)));
            Ok(used.collect())
        };
        self.run(StoreError::ListPreviews, find).await
    }

    /// Removes previews that ended before then, with their events, logs and samples. How many.
    pub async fn prune(&self, ended_before: DateTime<Utc>) -> Result<u64, StoreError> {
        let prune = async {
            Ok(on_write!(self.db, |pool| sqlx::query(PRUNE)
                .bind(ended_before.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected()))
        };
        self.run(StoreError::Prune, prune).await
    }

    fn row_of(&self, preview: &Preview) -> Result<PreviewRow, Fault> {
        PreviewRow::of(&self.closed_preview(preview)?)
    }

    fn preview_of(&self, row: PreviewRow) -> Result<Preview, Fault> {
        self.opened_preview(row.into_preview()?)
    }

    /// The preview that `sql` finds, its parameters all text.
    async fn one(&self, sql: &'static str, texts: &[Option<&str>]) -> Result<Option<Preview>, StoreError> {
        let find = async {
            let row: Option<PreviewRow> = on_read!(self.db, |pool| texts
                .iter()
                .fold(sqlx::query(sql), |query, text| query.bind(*text))
                .fetch_optional(pool)
                .await?
                .map(|row| read(TABLE, "id", &row))
                .transpose()?);
            row.map(|row| self.preview_of(row)).transpose()
        };
        self.run(StoreError::ReadPreview, find).await
    }
}

/// The count, when it leaves no room under the limit.
fn reached(live: i64, limit: Option<u32>) -> Option<u32> {
    let live = u32::try_from(live).unwrap_or(u32::MAX);
    limit.is_some_and(|limit| live >= limit).then_some(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_means_the_same_in_sql_as_in_the_domain() {
        use Status::*;
        for status in
            [Launching, Running, Healthy, Degraded, Unhealthy, Paused, Parked, Stopping, Stopped, Failed]
        {
            let ended_in_sql = live!().contains(&format!("'{}'", status.as_str()));
            assert_eq!(status.is_live(), !ended_in_sql, "{status:?}");
        }
    }
}
