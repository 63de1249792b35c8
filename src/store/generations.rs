//! Generations: a row of metadata each, and the archive of files that equal ones share.

use std::io;

use chrono::{DateTime, Utc};

use super::db::{in_transaction, on_read};
use super::page::{Cursor, List};
use super::row::{RowName, read, to_count, to_json};
use super::{Fault, Page, PageOf, Store, StoreError, archive};
use crate::domain::{ContentHash, FileSet, Generation, GenerationId, Metadata, UserId};

/// What became of [`Store::put_generation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not there and is now.
    Created,
    /// It was there, with the same owner and content.
    Identical,
    /// The id holds other content of the same owner.
    Conflict,
    /// The id belongs to another user.
    Foreign,
}

/// A generation without its files.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationHead {
    pub id: GenerationId,
    pub owner: UserId,
    pub metadata: Metadata,
    pub content_hash: ContentHash,
    pub file_count: u64,
    /// Of the files unpacked.
    pub total_bytes: u64,
    /// To the millisecond.
    pub created_at: DateTime<Utc>,
}

const TABLE: &str = "generations";

macro_rules! columns {
    () => {
        "g.id, g.owner, g.metadata, g.content_hash, g.file_count, g.total_bytes, g.created_at"
    };
}

const HEAD: &str = concat!("SELECT ", columns!(), " FROM generations g WHERE g.id = $1");

const FILES: &str = "SELECT files FROM generation_archives WHERE content_hash = $1";

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM generations g
      WHERE (CAST($1 AS TEXT) IS NULL OR g.owner = $1)
        AND (CAST($2 AS BIGINT) IS NULL OR g.created_at < $2 OR (g.created_at = $2 AND g.id < $3))
      ORDER BY g.created_at DESC, g.id DESC
      LIMIT $4"
);

const PUT_ARCHIVE: &str =
    "INSERT INTO generation_archives (content_hash, files) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const PUT: &str = "INSERT INTO generations
    (id, owner, metadata, content_hash, file_count, total_bytes, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING";

/// Of an index alone.
const SIZE: &str =
    "SELECT COUNT(*), CAST(COALESCE(SUM(total_bytes), 0) AS BIGINT) FROM generations WHERE owner = $1";

const DELETE: &str = "DELETE FROM generations WHERE id = $1 AND content_hash = $2";

const DELETE_UNUSED_ARCHIVE: &str = "DELETE FROM generation_archives WHERE content_hash = $1
    AND NOT EXISTS (SELECT 1 FROM generations WHERE content_hash = $1)";

#[derive(sqlx::FromRow)]
struct HeadRow {
    id: String,
    owner: String,
    metadata: String,
    content_hash: String,
    file_count: i64,
    total_bytes: i64,
    created_at: i64,
}

impl Store {
    /// Stores a generation unless its id is taken. Of equal calls at once, one is told `Created`.
    pub async fn put_generation(&self, generation: &Generation) -> Result<Put, StoreError> {
        let closed = self.closed_metadata(&generation.id, &generation.metadata);
        let metadata =
            closed.and_then(|closed| to_json("metadata", &closed)).map_err(StoreError::PutGeneration)?;
        let mut packed = None;
        // Around again only when another call stored this id and a third deleted it meanwhile.
        loop {
            if let Some(head) = self.generation_head(&generation.id).await? {
                return Ok(head.compared_with(generation));
            }
            let packed: &Vec<u8> = match &mut packed {
                Some(packed) => packed,
                none => none.insert(pack(generation.files.clone()).await.map_err(StoreError::PutGeneration)?),
            };
            let insert = self.insert(generation, &metadata, packed);
            if self.run(StoreError::PutGeneration, insert).await? {
                return Ok(Put::Created);
            }
        }
    }

    async fn insert(&self, generation: &Generation, metadata: &str, packed: &[u8]) -> Result<bool, Fault> {
        let hash = generation.content_hash.as_str();
        let created = in_transaction!(self.db, &archive_lock(hash), |tx| {
            sqlx::query(PUT_ARCHIVE).bind(hash).bind(packed).execute(&mut *tx).await?;
            let inserted = sqlx::query(PUT)
                .bind(generation.id.as_str())
                .bind(generation.owner.as_str())
                .bind(metadata)
                .bind(hash)
                .bind(to_count(generation.files.len() as u64))
                .bind(to_count(generation.files.total_bytes()))
                .bind(generation.created_at.timestamp_millis())
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if inserted == 0 {
                sqlx::query(DELETE_UNUSED_ARCHIVE).bind(hash).execute(&mut *tx).await?;
            }
            inserted == 1
        });
        Ok(created)
    }

    /// With its files.
    pub async fn generation(&self, id: &GenerationId) -> Result<Option<Generation>, StoreError> {
        let Some(head) = self.generation_head(id).await? else { return Ok(None) };
        let hash = head.content_hash.as_str();
        let find = async {
            let files: Option<Vec<u8>> =
                on_read!(self.db, |pool| sqlx::query_scalar(FILES).bind(hash).fetch_optional(pool).await?);
            Ok(files)
        };
        // Deleted since the head was read.
        let Some(packed) = self.run(StoreError::ReadGeneration, find).await? else { return Ok(None) };
        let name = RowName { table: "generation_archives", id: hash.to_owned() };
        let files = blocking(move || archive::unpack(&packed)).await;
        let files = name.parsed("files", files).map_err(StoreError::ReadGeneration)?;
        let GenerationHead { id, owner, metadata, content_hash, created_at, .. } = head;
        Ok(Some(Generation { id, owner, metadata, files, content_hash, created_at }))
    }

    /// How many generations a user has, and bytes in all their files.
    pub async fn generations_size(&self, owner: &UserId) -> Result<(u64, u64), StoreError> {
        let count = async {
            let (count, bytes): (i64, i64) =
                on_read!(self.db, |pool| sqlx::query_as(SIZE).bind(owner.as_str()).fetch_one(pool).await?);
            Ok((u64::try_from(count).unwrap_or(0), u64::try_from(bytes).unwrap_or(0)))
        };
        self.run(StoreError::ReadGeneration, count).await
    }

    pub async fn generation_head(&self, id: &GenerationId) -> Result<Option<GenerationHead>, StoreError> {
        let find = async {
            on_read!(self.db, |pool| sqlx::query(HEAD)
                .bind(id.as_str())
                .fetch_optional(pool)
                .await?
                .map(|row| read(TABLE, "id", &row))
                .transpose()?)
            .map(|row| self.opened_head(row))
            .transpose()
        };
        self.run(StoreError::ReadGeneration, find).await
    }

    /// Newest first; of everyone when `owner` is `None`.
    pub async fn generations(
        &self,
        owner: Option<&UserId>,
        page: Page,
    ) -> Result<PageOf<GenerationHead>, StoreError> {
        let after = page.cursor(List::Generations)?;
        let find = async {
            let rows: Vec<HeadRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(owner.map(UserId::as_str))
                .bind(after.as_ref().map(|after| after.at))
                .bind(after.as_ref().map(|after| after.id.as_str()))
                .bind(page.fetch())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(|row| self.opened_head(row)).collect::<Result<Vec<_>, _>>()
        };
        let heads = self.run(StoreError::ListGenerations, find).await?;
        Ok(PageOf::of(heads, &page, List::Generations, |head| Cursor {
            at: head.created_at.timestamp_millis(),
            id: head.id.to_string(),
        }))
    }

    fn opened_head(&self, row: HeadRow) -> Result<GenerationHead, Fault> {
        let head = row.into_head()?;
        let metadata = self.opened_metadata(&head.id, head.metadata)?;
        Ok(GenerationHead { metadata, ..head })
    }

    /// Deletes a generation, and its files when no other generation has the same. Whether there
    /// was one. Its previews are the caller's concern.
    pub async fn delete_generation(&self, id: &GenerationId) -> Result<bool, StoreError> {
        let Some(head) = self.generation_head(id).await? else { return Ok(false) };
        let hash = head.content_hash.as_str();
        let delete = async {
            let deleted = in_transaction!(self.db, &archive_lock(hash), |tx| {
                let deleted =
                    sqlx::query(DELETE).bind(id.as_str()).bind(hash).execute(&mut *tx).await?.rows_affected();
                sqlx::query(DELETE_UNUSED_ARCHIVE).bind(hash).execute(&mut *tx).await?;
                deleted == 1
            });
            Ok(deleted)
        };
        self.run(StoreError::DeleteGeneration, delete).await
    }
}

impl GenerationHead {
    fn compared_with(&self, generation: &Generation) -> Put {
        if self.owner != generation.owner {
            Put::Foreign
        } else if self.content_hash == generation.content_hash {
            Put::Identical
        } else {
            Put::Conflict
        }
    }
}

impl HeadRow {
    fn into_head(self) -> Result<GenerationHead, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        Ok(GenerationHead {
            id: name.parsed("id", GenerationId::parse(&self.id))?,
            owner: name.parsed("owner", UserId::parse(&self.owner))?,
            metadata: name.json("metadata", &self.metadata)?,
            content_hash: ContentHash::stored(self.content_hash),
            file_count: name.number("file_count", self.file_count)?,
            total_bytes: name.number("total_bytes", self.total_bytes)?,
            created_at: name.time("created_at", self.created_at)?,
        })
    }
}

/// One content is stored or deleted at a time, so that an archive is never deleted between the
/// moment a new generation finds it there and the moment that generation refers to it.
fn archive_lock(hash: &str) -> String {
    format!("previewd archive {hash}")
}

async fn pack(files: FileSet) -> Result<Vec<u8>, Fault> {
    blocking(move || archive::pack(files.iter())).await.map_err(Fault::Pack)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
