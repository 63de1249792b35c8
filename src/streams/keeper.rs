//! The task that brings lines from memory to the archive, in batches, behind everybody's back.
//!
//! Nobody waits for it. What it has not brought yet is in the journals; what a flood has pushed
//! out of memory meanwhile is beyond the bound on kept lines anyway, and is not brought at all.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::LogHub;
use super::StreamLine;
use super::archive::{ArchiveError, Knows};
use super::hub::Kept;
use super::journal::Journal;
use super::stream::LogStream;
use crate::domain::PreviewId;

/// How often lines are brought.
const EVERY: Duration = Duration::from_millis(250);

/// Lines of one write.
const BATCH: usize = 500;

/// A log that gets more lines than this in one period is flooded: it is brought less often, or
/// most of the work would be for lines that the next ones push out.
const FLOOD: u64 = 2000;

/// How long a flooded log may wait.
const FLOOD_EVERY: Duration = Duration::from_secs(3);

/// How often what is too old or too much is looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);

impl LogHub {
    /// Brings lines to the archive until `stop`, and then what is left.
    pub async fn keep(self, stop: CancellationToken) {
        let Some(kept) = &self.inner.kept else { return };
        self.sweep(kept).await;
        let mut expire_at = Instant::now() + EXPIRE_EVERY / 10;
        let mut next = Instant::now() + EVERY;
        while stop.run_until_cancelled(tokio::time::sleep_until(next)).await.is_some() {
            next = Instant::now() + EVERY;
            self.bring_all(kept, false).await;
            if Instant::now() >= expire_at {
                self.expire(kept).await;
                expire_at = Instant::now() + EXPIRE_EVERY;
            }
        }
        self.bring_all(kept, true).await;
    }

    async fn bring_all(&self, kept: &Kept, at_once: bool) {
        for (preview, stream) in self.streams() {
            if !at_once && stream.is_flooded() {
                continue;
            }
            if let Err(error) = self.bring(kept, preview, &stream).await {
                tracing::warn!(%error, %preview, "log lines are not in the archive yet");
            }
        }
    }

    /// Brings what is in memory and not in the archive, as of now: a flood is not chased.
    async fn bring(&self, kept: &Kept, preview: PreviewId, stream: &LogStream) -> Result<(), ArchiveError> {
        let release = !kept.archive.is_the_journal();
        let (before, to) = (stream.stored(), stream.lock().last());
        while stream.stored() < to {
            let lines = stream.lock().after(stream.stored(), BATCH);
            let Some(last) = lines.last().map(|line| line.seq) else { break };
            kept.archive.append(preview, &lines).await?;
            stream.set_stored(last, release);
        }
        stream.brought();
        let bound = stream.lock().max_lines();
        self.trim(kept, preview, bound, before, stream.stored()).await?;
        let is_over = {
            let ring = stream.lock();
            ring.ended() && ring.last() <= stream.stored()
        };
        if release
            && is_over
            && let Some(journal) = stream.take_journal()
        {
            journal.remove();
        }
        Ok(())
    }

    /// Forgets what is beyond the bound now that lines up to `stored` are there. Not for each
    /// batch, a tenth too many is no harm; and in pieces, so that others get their turn.
    async fn trim(
        &self,
        kept: &Kept,
        preview: PreviewId,
        bound: u64,
        before: u64,
        stored: u64,
    ) -> Result<(), ArchiveError> {
        const PIECE: usize = 2000;
        let tenth = (bound / 10).max(1);
        if stored <= bound || before / tenth == stored / tenth {
            return Ok(());
        }
        let (from, to) = (before.saturating_sub(bound + tenth), stored - bound);
        for seq in (from..to).step_by(PIECE).skip(1).chain([to]) {
            kept.archive.trim(preview, seq).await?;
        }
        Ok(())
    }

    /// Journals of previews that ended while nobody could bring their last lines.
    async fn sweep(&self, kept: &Kept) {
        if kept.archive.is_the_journal() {
            return;
        }
        let Ok(folders) = std::fs::read_dir(&kept.folder) else { return };
        for folder in folders.flatten() {
            let name = folder.file_name();
            let Some(preview) = name.to_str().and_then(|name| PreviewId::parse(name).ok()) else { continue };
            if let Err(error) = self.sweep_one(kept, preview).await {
                tracing::warn!(%error, %preview, "the journal of an ended preview is kept");
            }
        }
    }

    async fn sweep_one(&self, kept: &Kept, preview: PreviewId) -> Result<(), ArchiveError> {
        let knows = kept.archive.knows(preview).await?;
        // One that lives is opened by its driver, one that just ended is in memory.
        if knows == Knows::Live || self.inner.known(preview).is_some() {
            return Ok(());
        }
        let folder = kept.journal(preview);
        let read = tokio::task::spawn_blocking(move || Journal::recover(folder)).await;
        let (journal, recovered) = read.map_err(std::io::Error::other)??;
        if knows == Knows::Ended {
            let stored = kept.archive.last(preview).await?;
            let lines = recovered.lines.into_iter().filter(|line| line.seq > stored);
            let lines: Vec<_> = lines.map(|line| Arc::new(StreamLine::new(line))).collect();
            for batch in lines.chunks(BATCH) {
                kept.archive.append(preview, batch).await?;
            }
        }
        journal.remove();
        Ok(())
    }

    async fn expire(&self, kept: &Kept) {
        let days = i64::try_from(self.inner.config.retention_days).unwrap_or(i64::MAX / 2);
        let before = Utc::now() - TimeDelta::try_days(days).unwrap_or(TimeDelta::MAX);
        let live: HashSet<_> = self
            .streams()
            .into_iter()
            .filter(|(_, s)| !s.lock().ended())
            .map(|(preview, _)| preview)
            .collect();
        match kept.archive.expire(before, self.inner.config.total_lines, &live).await {
            Ok(0) => {}
            Ok(lines) => tracing::info!(lines, "old log lines were removed"),
            Err(error) => tracing::warn!(%error, "old log lines could not be removed"),
        }
    }
}

impl LogStream {
    /// Whether it should wait for a calmer moment, but not too long.
    fn is_flooded(&self) -> bool {
        let pending = self.lock().last().saturating_sub(self.stored());
        pending > FLOOD && self.waited() < FLOOD_EVERY
    }
}
