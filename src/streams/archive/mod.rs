//! Where lines are kept beyond memory: the seam for `PREVIEW_LOG_BACKEND`.
//!
//! An archive gets every line of every preview, in batches and in order, and gives them back by
//! number. One that cannot be asked (a shipper to somewhere else) would answer nothing to the
//! questions, and lines would be served from memory alone.

mod database;
mod files;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

pub use database::DatabaseArchive;
pub use files::FileArchive;

use super::StreamLine;
use crate::domain::{LogLine, PreviewId};
use crate::store::StoreError;

/// Why lines could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the files of the log: {0}")]
    File(#[from] std::io::Error),
}

/// Keeps lines.
pub trait Archive: Debug + Send + Sync {
    /// Keeps lines that follow those kept before; keeping one twice is keeping it once.
    fn append<'a>(&'a self, preview: PreviewId, lines: &'a [Arc<StreamLine>]) -> Done<'a, ()>;

    /// Up to `limit` lines after number `seq`, oldest first.
    fn after(&self, preview: PreviewId, seq: u64, limit: usize) -> Done<'_, Vec<LogLine>>;

    /// The newest up to `limit` lines before number `seq`, oldest first.
    fn before(&self, preview: PreviewId, seq: u64, limit: usize) -> Done<'_, Vec<LogLine>>;

    /// Number of the newest line kept; 0 when there is none.
    fn last(&self, preview: PreviewId) -> Done<'_, u64>;

    /// Forgets the lines up to number `seq`.
    fn trim(&self, preview: PreviewId, seq: u64) -> Done<'_, ()>;

    /// Forgets what is older than `before`, and the oldest of what is more than `most` lines in
    /// all. How many lines went, about.
    fn expire<'a>(&'a self, before: DateTime<Utc>, most: u64, live: &'a HashSet<PreviewId>) -> Done<'a, u64>;

    /// Where the lines of a preview are kept, as in `database:preview_logs`.
    fn place_of(&self, preview: PreviewId) -> String;

    /// Whether the journal that every line is written to first is this archive.
    fn is_the_journal(&self) -> bool {
        false
    }

    /// Whether lines of this preview may still come, or are worth keeping.
    fn knows(&self, preview: PreviewId) -> Done<'_, Knows>;
}

/// What an archive knows of a preview whose journal was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knows {
    /// It runs: its driver opens its log.
    Live,
    Ended,
    /// There is no such preview any more.
    Nothing,
}

pub type Done<'a, T> = BoxFuture<'a, Result<T, ArchiveError>>;
