//! Finding lines: in memory what is there, older ones in the archive.

use std::sync::Arc;

use super::archive::{Archive, ArchiveError};
use super::{LogFilter, LogHub, StreamLine};
use crate::domain::PreviewId;

/// Lines asked of an archive at once.
const PAGE: usize = 500;

impl LogHub {
    /// Up to `limit` lines that pass the filter, oldest first: those nearest to `after_seq` when
    /// it is given, so that the last one's `seq` asks for the next page; else the newest, before
    /// `before_seq` when that is given.
    pub async fn query(
        &self,
        preview: PreviewId,
        filter: &LogFilter,
        limit: usize,
    ) -> Result<Vec<Arc<StreamLine>>, ArchiveError> {
        let search = Search {
            archive: self.inner.kept.as_ref().map(|kept| kept.archive.as_ref()),
            preview,
            filter,
            limit,
            recent: self.recent(preview),
        };
        if filter.after_seq.is_some() { search.forwards().await } else { search.backwards().await }
    }

    /// The lines after number `seq` that pass the filter, a page of them, and the number to go on
    /// after; `None` when there are no more. So an export holds no more than a page.
    pub async fn page_after(
        &self,
        preview: PreviewId,
        filter: &LogFilter,
        seq: u64,
    ) -> Result<Option<(Vec<Arc<StreamLine>>, u64)>, ArchiveError> {
        let first_in_memory = self.inner.known(preview).map_or(u64::MAX, |stream| stream.lock().first());
        let mut lines = Vec::new();
        if seq + 1 < first_in_memory
            && let Some(kept) = &self.inner.kept
        {
            let older = kept.archive.after(preview, seq, PAGE).await?;
            lines = older.into_iter().map(|line| Arc::new(StreamLine::new(line))).collect();
        }
        if lines.is_empty() {
            let stream = self.inner.known(preview);
            lines = stream.map(|stream| stream.lock().after(seq, PAGE)).unwrap_or_default();
        }
        let Some(last) = lines.last().map(|line| line.seq) else { return Ok(None) };
        lines.retain(|line| filter.passes(line));
        Ok(Some((lines, last)))
    }

    /// What is in memory. Filtering happens on this copy of the pointers: adding does not wait.
    fn recent(&self, preview: PreviewId) -> Vec<Arc<StreamLine>> {
        self.inner.known(preview).map(|stream| stream.lock().after(0, usize::MAX)).unwrap_or_default()
    }
}

struct Search<'a> {
    archive: Option<&'a dyn Archive>,
    preview: PreviewId,
    filter: &'a LogFilter,
    limit: usize,
    recent: Vec<Arc<StreamLine>>,
}

impl Search<'_> {
    /// Number of the first line in memory; whatever the archive has before it is older.
    fn first_recent(&self) -> u64 {
        self.recent.first().map_or(u64::MAX, |line| line.seq)
    }

    async fn forwards(self) -> Result<Vec<Arc<StreamLine>>, ArchiveError> {
        let mut found = Vec::new();
        let mut after = self.filter.after_seq.unwrap_or(0);
        while let Some(archive) = self.archive
            && after + 1 < self.first_recent()
            && found.len() < self.limit
        {
            let page = archive.after(self.preview, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let older = page.into_iter().filter(|line| line.seq < self.first_recent());
            found.extend(
                older.filter(|line| self.filter.passes(line)).map(|line| Arc::new(StreamLine::new(line))),
            );
        }
        let recent = self.recent.iter().filter(|line| self.filter.passes(line));
        found.extend(recent.take(self.limit.saturating_sub(found.len())).cloned());
        found.truncate(self.limit);
        Ok(found)
    }

    async fn backwards(self) -> Result<Vec<Arc<StreamLine>>, ArchiveError> {
        let passes = self.recent.iter().rev().filter(|line| self.filter.passes(line));
        let mut found: Vec<_> = passes.take(self.limit).cloned().collect();
        let mut before = self.first_recent().min(self.filter.before_seq.unwrap_or(u64::MAX));
        while let Some(archive) = self.archive
            && found.len() < self.limit
        {
            let page = archive.before(self.preview, before, PAGE).await?;
            let Some(first) = page.first() else { break };
            before = first.seq;
            let older = page.into_iter().rev().filter(|line| self.filter.passes(line));
            let wanted = self.limit - found.len();
            found.extend(older.take(wanted).map(|line| Arc::new(StreamLine::new(line))));
        }
        found.reverse();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::domain::{LogLevel, LogSource};
    use crate::streams::Config;

    #[tokio::test]
    async fn a_query_gives_the_newest_or_the_next_after_a_number() {
        let hub = LogHub::new(Config { lines: 100, ..Config::default() });
        let preview = PreviewId::new();
        for i in 1..=10 {
            let level = if i % 2 == 0 { LogLevel::Error } else { LogLevel::Debug };
            hub.append(preview, Utc::now(), level, LogSource::App, &format!("Line {i}"));
        }
        let found = async |filter: LogFilter| -> Vec<u64> {
            let lines = hub.query(preview, &filter, 2).await.expect("memory");
            lines.iter().map(|line| line.seq).collect()
        };
        let errors = LogFilter { level: Some(LogLevel::Warning), ..LogFilter::default() };
        assert_eq!(found(errors.clone()).await, [8, 10]);
        assert_eq!(found(LogFilter { before_seq: Some(8), ..errors.clone() }).await, [4, 6]);
        assert_eq!(found(LogFilter { after_seq: Some(2), ..errors }).await, [4, 6]);
        assert_eq!(found(LogFilter { after_seq: Some(10), ..LogFilter::default() }).await, [0_u64; 0]);
    }
}
