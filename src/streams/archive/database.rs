//! Lines in the store, in `preview_logs`.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;

use super::{Archive, Done, Knows};
use crate::domain::{LogLine, PreviewId};
use crate::store::Store;
use crate::streams::StreamLine;

/// `PREVIEW_LOG_BACKEND=database`.
#[derive(Debug)]
pub struct DatabaseArchive {
    store: Store,
}

impl DatabaseArchive {
    pub const fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Archive for DatabaseArchive {
    fn place_of(&self, _: PreviewId) -> String {
        "database:preview_logs".to_owned()
    }

    fn append<'a>(&'a self, preview: PreviewId, lines: &'a [Arc<StreamLine>]) -> Done<'a, ()> {
        async move {
            let lines: Vec<&LogLine> = lines.iter().map(|line| line.line()).collect();
            Ok(self.store.append_logs(preview, &lines).await?)
        }
        .boxed()
    }

    fn after(&self, preview: PreviewId, seq: u64, limit: usize) -> Done<'_, Vec<LogLine>> {
        async move { Ok(self.store.logs_after(preview, seq, limit).await?) }.boxed()
    }

    fn before(&self, preview: PreviewId, seq: u64, limit: usize) -> Done<'_, Vec<LogLine>> {
        async move { Ok(self.store.logs_before(preview, seq, limit).await?) }.boxed()
    }

    fn last(&self, preview: PreviewId) -> Done<'_, u64> {
        async move { Ok(self.store.last_log(preview).await?) }.boxed()
    }

    fn trim(&self, preview: PreviewId, seq: u64) -> Done<'_, ()> {
        async move { Ok(self.store.trim_logs(preview, seq).await?) }.boxed()
    }

    fn expire<'a>(&'a self, before: DateTime<Utc>, most: u64, _: &'a HashSet<PreviewId>) -> Done<'a, u64> {
        async move { Ok(self.store.expire_logs(before, most).await?) }.boxed()
    }

    fn knows(&self, preview: PreviewId) -> Done<'_, Knows> {
        async move {
            Ok(match self.store.preview(preview).await? {
                None => Knows::Nothing,
                Some(preview) if preview.status.is_live() => Knows::Live,
                Some(_) => Knows::Ended,
            })
        }
        .boxed()
    }
}
