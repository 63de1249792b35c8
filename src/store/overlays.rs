//! What live previews run on top of their generations: changed files, kept as long as the preview
//! is live.

use super::db::{on_read, on_write};
use super::generations::blocking;
use super::row::{RowName, read, to_json};
use super::{Fault, Store, StoreError, archive};
use crate::domain::{ContentHash, FilePath, Patch, PreviewId, SourceFile};

/// Changed files of one preview.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    pub patch: Patch,
    pub head: OverlayHead,
}

/// The same without the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayHead {
    /// Of the generation's metadata and its files with the patch on top.
    pub content_hash: ContentHash,
    /// The container is known to have these files; else it may have earlier ones.
    pub in_place: bool,
}

const TABLE: &str = "preview_overlays";

const PUT: &str = "INSERT INTO preview_overlays (preview_id, files, removed, content_hash, in_place)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (preview_id) DO UPDATE SET
        files = excluded.files, removed = excluded.removed,
        content_hash = excluded.content_hash, in_place = excluded.in_place";

const IN_PLACE: &str = "UPDATE preview_overlays SET in_place = TRUE WHERE preview_id = $1";

const FORGET: &str = "DELETE FROM preview_overlays WHERE preview_id = $1";

const HEAD: &str = "SELECT preview_id, content_hash, in_place FROM preview_overlays WHERE preview_id = $1";

const WHOLE: &str = "SELECT preview_id, content_hash, in_place, files, removed FROM preview_overlays
    WHERE preview_id = $1";

#[derive(sqlx::FromRow)]
struct HeadRow {
    content_hash: String,
    in_place: bool,
}

#[derive(sqlx::FromRow)]
struct WholeRow {
    preview_id: String,
    #[sqlx(flatten)]
    head: HeadRow,
    files: Vec<u8>,
    removed: String,
}

impl Store {
    /// Writes what a stored preview runs from now on, in place of what was written before.
    pub async fn put_overlay(&self, preview: PreviewId, overlay: &Overlay) -> Result<(), StoreError> {
        let (packed, removed) = pack(&overlay.patch).await.map_err(StoreError::PutOverlay)?;
        let head = &overlay.head;
        let put = async {
            on_write!(self.db, |pool| sqlx::query(PUT)
                .bind(preview.to_string())
                .bind(&packed)
                .bind(&removed)
                .bind(head.content_hash.as_str())
                .bind(head.in_place)
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutOverlay, put).await
    }

    /// The container has what was written last.
    pub async fn overlay_in_place(&self, preview: PreviewId) -> Result<(), StoreError> {
        self.change_overlay(IN_PLACE, preview).await
    }

    /// The preview has ended.
    pub async fn forget_overlay(&self, preview: PreviewId) -> Result<(), StoreError> {
        self.change_overlay(FORGET, preview).await
    }

    /// What is on top of a preview's generation; none when it runs that alone.
    pub async fn overlay_head(&self, preview: PreviewId) -> Result<Option<OverlayHead>, StoreError> {
        let find = async {
            let row: Option<HeadRow> = on_read!(self.db, |pool| sqlx::query(HEAD)
                .bind(preview.to_string())
                .fetch_optional(pool)
                .await?
                .map(|row| read(TABLE, "preview_id", &row))
                .transpose()?);
            Ok(row.map(HeadRow::into_head))
        };
        self.run(StoreError::ReadOverlay, find).await
    }

    /// With its files.
    pub async fn overlay(&self, preview: PreviewId) -> Result<Option<Overlay>, StoreError> {
        let find = async {
            let row: Option<WholeRow> = on_read!(self.db, |pool| sqlx::query(WHOLE)
                .bind(preview.to_string())
                .fetch_optional(pool)
                .await?
                .map(|row| read(TABLE, "preview_id", &row))
                .transpose()?);
            match row {
                Some(row) => row.into_overlay().await.map(Some),
                None => Ok(None),
            }
        };
        self.run(StoreError::ReadOverlay, find).await
    }

    async fn change_overlay(&self, sql: &'static str, preview: PreviewId) -> Result<(), StoreError> {
        let change = async {
            on_write!(self.db, |pool| sqlx::query(sql)
                .bind(preview.to_string())
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutOverlay, change).await
    }
}

/// The files as an archive, and the paths that are taken away as JSON.
async fn pack(patch: &Patch) -> Result<(Vec<u8>, String), Fault> {
    let removed: Vec<&FilePath> =
        patch.iter().filter(|(_, change)| change.is_none()).map(|(path, _)| path).collect();
    let removed = to_json("removed", &removed)?;
    let patch = patch.clone();
    let packing = move || {
        let files = patch.iter().filter_map(|(path, change)| change.map(|file| (path, file)));
        archive::pack(files)
    };
    Ok((blocking(packing).await.map_err(Fault::Pack)?, removed))
}

impl HeadRow {
    fn into_head(self) -> OverlayHead {
        OverlayHead { content_hash: ContentHash::stored(self.content_hash), in_place: self.in_place }
    }
}

impl WholeRow {
    async fn into_overlay(self) -> Result<Overlay, Fault> {
        let name = RowName { table: TABLE, id: self.preview_id };
        let packed = self.files;
        let files = blocking(move || archive::unpack_files(&packed)).await;
        let files: Vec<(FilePath, SourceFile)> = name.parsed("files", files)?;
        let removed: Vec<FilePath> = name.json("removed", &self.removed)?;
        let changes = files.into_iter().map(|(path, file)| (path, Some(file)));
        let changes = changes.chain(removed.into_iter().map(|path| (path, None)));
        let patch = name.parsed("files", Patch::new(changes))?;
        Ok(Overlay { patch, head: self.head.into_head() })
    }
}
