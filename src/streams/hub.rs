//! Which previews have lines, and the calls that add to and read them.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::archive::{Archive, ArchiveError};
use super::journal::{Journal, Recovered};
use super::place::Mark;
use super::ring::Ring;
use super::stream::LogStream;
use super::subscription::{Older, Start, Subscription};
use super::{Flood, LastAnswers, LogFilter, Masker, Notices, StreamLine, Totals, clean};
use crate::domain::{LogEntry, LogLevel, LogLine, LogSource, PreviewId};

/// How much is kept, and how far behind a subscriber may be.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_LOG_STREAM_BUFFER_SIZE`, default 1000: lines a subscriber may be behind. What it
    /// asked for when it came is not counted.
    pub subscriber_lines: usize,
    /// `PREVIEW_LOG_MAX_LINES`, default 10,000: lines kept of each preview, in memory while it
    /// lives and in the archive.
    pub lines: usize,
    /// Bytes kept of each preview in memory, default 8 MiB.
    pub bytes: usize,
    /// Ended previews whose lines stay in memory, default 16.
    pub ended: usize,
    /// `PREVIEW_LOG_BACKEND`, default `database`: where lines are kept.
    pub backend: Backend,
    /// `PREVIEW_LOG_RETENTION_DAYS`, default 7: days a line is kept.
    pub retention_days: u64,
    /// `PREVIEW_LOG_TOTAL_LINES`, default 5,000,000: lines kept of all previews together; the
    /// oldest go first.
    pub total_lines: u64,
    /// What a container may print before it is read more slowly.
    pub flood: Flood,
}

/// Where lines are kept. Others can be added at [`Archive`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Backend {
    /// With everything else, in `preview_logs`.
    #[default]
    Database,
    /// In files of JSON lines in the data directory, a folder for each preview.
    File,
}

/// A handle to all lines; clones share them.
#[derive(Debug, Clone)]
pub struct LogHub {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) kept: Option<Kept>,
    pub(super) totals: Arc<Totals>,
    notices: Notices,
    answers: LastAnswers,
    streams: Mutex<Streams>,
    /// Held by who takes up a log: a journal is read before anybody writes to it.
    opening: tokio::sync::Mutex<()>,
}

/// Where lines outlive memory.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) archive: Arc<dyn Archive>,
    /// A journal for each preview.
    pub(super) folder: PathBuf,
}

#[derive(Debug, Default)]
struct Streams {
    of: HashMap<PreviewId, Arc<LogStream>>,
    /// In the order in which they ended.
    ended: VecDeque<PreviewId>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            subscriber_lines: 1000,
            lines: 10_000,
            bytes: 8 << 20,
            ended: 16,
            backend: Backend::Database,
            retention_days: 7,
            total_lines: 5_000_000,
            flood: Flood::default(),
        }
    }
}

impl LogHub {
    /// One that keeps lines in memory alone.
    pub fn new(config: Config) -> Self {
        Self::of(config, None)
    }

    /// One that keeps lines in `archive`, and writes them to a journal in `folder` before anybody
    /// sees them.
    pub fn keeping(config: Config, archive: Arc<dyn Archive>, folder: PathBuf) -> Self {
        Self::of(config, Some(Kept { archive, folder }))
    }

    fn of(config: Config, kept: Option<Kept>) -> Self {
        let inner = Inner {
            config,
            kept,
            totals: Arc::default(),
            notices: Notices::default(),
            answers: LastAnswers::default(),
            streams: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What viewers are told beside the lines.
    pub fn notices(&self) -> &Notices {
        &self.inner.notices
    }

    /// What the addresses of previews answered last.
    pub fn answers(&self) -> &LastAnswers {
        &self.inner.answers
    }

    /// Figures over all previews.
    pub fn totals(&self) -> &Totals {
        &self.inner.totals
    }

    /// Readers of a preview's lines, now.
    pub fn subscribers(&self, preview: PreviewId) -> usize {
        self.inner.known(preview).map_or(0, |stream| stream.viewers().count())
    }

    /// Readers of all lines, now.
    pub fn all_subscribers(&self) -> usize {
        self.streams().into_iter().map(|(_, stream)| stream.viewers().count()).sum()
    }

    /// Takes up the log of a preview of an earlier run: its lines go on with the next number.
    /// Needed once before anything is added to it or read from it; a preview that is new needs
    /// it not. How far its container was read.
    pub async fn open(&self, preview: PreviewId) -> Result<Option<Mark>, ArchiveError> {
        let Some(kept) = &self.inner.kept else { return Ok(None) };
        let _turn = self.inner.opening.lock().await;
        if let Some(stream) = self.inner.known(preview) {
            return Ok(stream.mark());
        }
        let stored = kept.archive.last(preview).await?;
        let (journal, recovered) = recover(kept.journal(preview)).await?;
        let Recovered { mut lines, mark } = recovered;
        lines.retain(|line| line.seq > stored || kept.archive.is_the_journal());
        let last = lines.last().map_or(stored, |line| line.seq.max(stored));
        if !kept.archive.is_the_journal() {
            let older = kept.archive.before(preview, stored + 1, Self::RELOADED).await?;
            lines = older.into_iter().chain(lines).collect();
        }
        let lines = without_holes(lines);
        let stream = self
            .inner
            .insert(preview, |ring| LogStream::new(ring.resumed(lines, last), Some(journal), mark, stored));
        Ok(stream.mark())
    }

    /// Lines of an earlier run that are taken back into memory; older ones are in the archive.
    const RELOADED: usize = 1000;

    /// Lines that may be kept of a preview.
    pub fn most_lines(&self) -> u32 {
        u32::try_from(self.inner.config.lines).unwrap_or(u32::MAX)
    }

    /// Where the lines of a preview are kept, as in `database:preview_logs`; nowhere but in memory
    /// when there is no archive.
    pub fn place_of(&self, preview: PreviewId) -> Option<String> {
        self.inner.kept.as_ref().map(|kept| kept.archive.place_of(preview))
    }

    /// Keeps so many lines of the preview, of which the setting allows the most.
    pub fn bound(&self, preview: PreviewId, lines: u32) {
        self.inner.stream(preview).lock().bound(lines.min(self.most_lines()) as usize);
    }

    /// Hides these secrets in every line of the preview that is added from now on.
    pub fn guard(&self, preview: PreviewId, masker: Masker) {
        self.inner.stream(preview).set_masker(masker);
    }

    /// A text with the preview's secrets hidden, as in its lines.
    pub fn masked(&self, preview: PreviewId, text: &str) -> String {
        self.masker(preview).mask(text).into_owned()
    }

    /// How far the preview's container was read.
    pub(super) fn mark(&self, preview: PreviewId) -> Option<Mark> {
        self.inner.known(preview)?.mark()
    }

    pub(super) fn masker(&self, preview: PreviewId) -> Arc<Masker> {
        self.inner.known(preview).map(|stream| stream.masker()).unwrap_or_default()
    }

    /// Adds what was said. Newlines make several lines of it, and so does a length of more
    /// than 2,000 characters, whose pieces end, or begin, or both, with `…`. Of a progress bar
    /// that rewrites its line the last state stays; terminal sequences, control characters and
    /// secrets go. After [`LogHub::end`] it does nothing.
    pub fn append(
        &self,
        preview: PreviewId,
        timestamp: DateTime<Utc>,
        level: LogLevel,
        source: LogSource,
        message: &str,
    ) {
        let stream = self.inner.stream(preview);
        let message = stream.masker().mask(message).into_owned();
        let entry = |line| LogEntry::new(timestamp, level, source, line);
        let added = stream.append(clean::lines(&message).into_iter().map(entry).collect(), None);
        self.inner.totals.added(added);
    }

    /// Adds lines that are clean already, in one go. `mark` is how far their container was read
    /// with them.
    pub fn append_all(&self, preview: PreviewId, entries: Vec<LogEntry>, mark: Option<Mark>) {
        let added = self.inner.stream(preview).append(entries, mark);
        self.inner.totals.added(added);
    }

    /// Whether the preview has a log that is open: nobody needs to word what goes nowhere.
    pub fn is_open(&self, preview: PreviewId) -> bool {
        self.inner.known(preview).is_some_and(|stream| !stream.lock().ended())
    }

    /// Waits, for moments, until no viewer who keeps up would lose lines by one more batch.
    pub async fn keep_pace(&self, preview: PreviewId) {
        if let Some(stream) = self.inner.known(preview) {
            let last = stream.lock().last();
            stream.viewers().wait_for(last).await;
        }
    }

    /// Lines that may be added at once between two calls of [`LogHub::keep_pace`].
    pub fn batch(&self) -> usize {
        (self.inner.config.subscriber_lines / 4).clamp(1, 512)
    }

    /// What a container may print, and how many of its lines are kept.
    pub(super) fn flood(&self) -> (Flood, usize) {
        (self.inner.config.flood, self.inner.config.lines)
    }

    /// Number of the newest line; 0 when there is none.
    pub fn last(&self, preview: PreviewId) -> u64 {
        self.inner.known(preview).map_or(0, |stream| stream.lock().last())
    }

    /// The newest `n` lines in memory, oldest first.
    pub fn tail(&self, preview: PreviewId, n: usize) -> Vec<LogLine> {
        let Some(stream) = self.inner.known(preview) else { return Vec::new() };
        let ring = stream.lock();
        let lines = ring.after(ring.last().saturating_sub(n as u64), n);
        drop(ring);
        lines.iter().map(|line| line.line().clone()).collect()
    }

    /// Lines kept, then lines as they come, without gap or repeat. The preview need not have a
    /// line yet; whether it exists is for the caller to know.
    pub fn subscribe(&self, preview: PreviewId, start: Start) -> Subscription {
        let inner = &self.inner;
        let older = inner.kept.as_ref().map(|kept| Older { archive: Arc::clone(&kept.archive), preview });
        let max_behind = inner.config.subscriber_lines.max(1);
        Subscription::new(inner.stream(preview), start, max_behind, Arc::clone(&inner.totals), older)
    }

    /// Begins with the newest `n` lines that pass the filter. All lines come from there on; the
    /// reader filters.
    pub async fn subscribe_filtered(
        &self,
        preview: PreviewId,
        filter: &LogFilter,
        n: usize,
    ) -> Result<Subscription, ArchiveError> {
        let last = self.inner.stream(preview).lock().last();
        let found = if n == 0 { Vec::new() } else { self.query(preview, filter, n).await? };
        let after = found.first().map_or(last, |line| line.seq - 1);
        Ok(self.subscribe(preview, Start::After(after)))
    }

    /// There will be no more lines: subscribers are told so once they have read what there is,
    /// and so are later ones. Not for a restart, which goes on in the same log.
    pub fn end(&self, preview: PreviewId) {
        self.inner.notices.end(preview);
        self.inner.answers.forget(preview);
        let ended_now = self.inner.stream(preview).end();
        let mut streams = self.inner.lock();
        if ended_now {
            streams.ended.push_back(preview);
        }
        while streams.ended.len() > self.inner.config.ended
            && let Some(oldest) = streams.ended.pop_front()
        {
            // The keeper holds on to one that is not all in the archive yet.
            streams.of.remove(&oldest);
        }
    }

    /// Every log that is in memory.
    pub(super) fn streams(&self) -> Vec<(PreviewId, Arc<LogStream>)> {
        self.inner.lock().of.iter().map(|(preview, stream)| (*preview, Arc::clone(stream))).collect()
    }
}

impl Kept {
    pub(super) fn journal(&self, preview: PreviewId) -> PathBuf {
        self.folder.join(preview.to_string())
    }
}

impl Inner {
    pub(super) fn known(&self, preview: PreviewId) -> Option<Arc<LogStream>> {
        self.lock().of.get(&preview).cloned()
    }

    /// The log of a preview, made where there is none.
    fn stream(&self, preview: PreviewId) -> Arc<LogStream> {
        self.insert(preview, |ring| {
            let journal = self.kept.as_ref().map(|kept| Journal::new(kept.journal(preview)));
            LogStream::new(ring, journal, None, 0)
        })
    }

    /// The log that is there, else the one that `make` makes.
    fn insert(&self, preview: PreviewId, make: impl FnOnce(Ring) -> LogStream) -> Arc<LogStream> {
        let mut streams = self.lock();
        if let Some(stream) = streams.of.get(&preview) {
            return Arc::clone(stream);
        }
        // Streams that a subscription made, that nobody wrote to and nobody reads any more. Handles
        // are only made under this lock, so one (the map's) means that nobody is about to write.
        streams.of.retain(|_, stream| Arc::strong_count(stream) > 1 || !stream.is_untouched());
        let stream = Arc::new(make(Ring::new(self.config.lines, self.config.bytes)));
        streams.of.insert(preview, Arc::clone(&stream));
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a journal on a thread where that may take its time.
async fn recover(folder: PathBuf) -> Result<(Journal, Recovered), ArchiveError> {
    let recovered = tokio::task::spawn_blocking(|| Journal::recover(folder)).await;
    Ok(recovered.map_err(std::io::Error::other)??)
}

/// The newest of the lines whose numbers follow each other: a ring has no holes.
fn without_holes(lines: Vec<LogLine>) -> Vec<Arc<StreamLine>> {
    let follows = lines.windows(2).rposition(|pair| pair[0].seq + 1 != pair[1].seq);
    let whole = lines.into_iter().skip(follows.map_or(0, |at| at + 1));
    whole.map(|line| Arc::new(StreamLine::new(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::LogEvent;

    fn hub(lines: usize, bytes: usize) -> LogHub {
        LogHub::new(Config { lines, bytes, ended: 2, ..Config::default() })
    }

    fn say(hub: &LogHub, preview: PreviewId, message: &str) {
        hub.append(preview, Utc::now(), LogLevel::Info, LogSource::App, message);
    }

    fn told(lines: &[LogLine]) -> Vec<(u64, &str)> {
        lines.iter().map(|line| (line.seq, line.message.as_str())).collect()
    }

    #[test]
    fn lines_are_numbered_per_preview_and_the_oldest_go_first() {
        let hub = hub(3, 1 << 20);
        let (one, other) = (PreviewId::new(), PreviewId::new());
        say(&hub, one, "a\nb\n");
        say(&hub, other, "x");
        say(&hub, one, "c");
        say(&hub, one, "d");
        assert_eq!(told(&hub.tail(one, 10)), [(2, "b"), (3, "c"), (4, "d")]);
        assert_eq!(told(&hub.tail(one, 1)), [(4, "d")]);
        assert_eq!(told(&hub.tail(other, 10)), [(1, "x")]);
        assert!(hub.tail(PreviewId::new(), 10).is_empty());
    }

    #[test]
    fn bytes_are_bounded_and_the_newest_line_stays() {
        let hub = hub(1000, 10_000);
        let preview = PreviewId::new();
        for _ in 0..50 {
            say(&hub, preview, &"x".repeat(1000));
        }
        let kept = hub.tail(preview, 1000);
        assert!((3..10).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().map(|line| line.seq), Some(50));

        let hub = LogHub::new(Config { lines: 0, bytes: 0, ..Config::default() });
        say(&hub, preview, "only");
        assert_eq!(told(&hub.tail(preview, 10)), [(1, "only")]);
    }

    #[test]
    fn only_so_many_ended_previews_are_kept() {
        let hub = hub(10, 1 << 20);
        let previews: Vec<_> = (0..4).map(|_| PreviewId::new()).collect();
        for preview in &previews {
            say(&hub, *preview, "x");
        }
        for preview in &previews[..3] {
            hub.end(*preview);
            hub.end(*preview);
        }
        let kept: Vec<_> = previews.iter().map(|preview| hub.tail(*preview, 1).len()).collect();
        assert_eq!(kept, [0, 1, 1, 1]);

        say(&hub, previews[2], "too late");
        assert_eq!(told(&hub.tail(previews[2], 10)), [(1, "x")]);

        let silent = PreviewId::new();
        hub.end(silent);
        assert_eq!(hub.subscribe(silent, Start::Newest(1)).try_recv(), Some(LogEvent::Ended));
    }

    #[test]
    fn subscriptions_to_nothing_do_not_pile_up() {
        let hub = hub(10, 1 << 20);
        let kept = hub.subscribe(PreviewId::new(), Start::Newest(10));
        for _ in 0..100 {
            drop(hub.subscribe(PreviewId::new(), Start::Newest(10)));
        }
        assert_eq!(hub.inner.lock().of.len(), 2, "the one read, and the last one made");
        drop(kept);

        let written = PreviewId::new();
        say(&hub, written, "x");
        drop(hub.subscribe(PreviewId::new(), Start::Newest(10)));
        assert_eq!(hub.tail(written, 10).len(), 1);
    }
}
