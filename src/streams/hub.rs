//! Which previews have lines, and the calls that add to and read them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::ring::{LogStream, Ring};
use super::subscription::{Start, Subscription};
use super::{LogFilter, Notices, clean};
use crate::domain::{LogLevel, LogLine, LogSource, PreviewId};

/// How much is kept, and how far behind a subscriber may be.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_LOG_STREAM_BUFFER_SIZE`, default 1000: lines a subscriber may be behind. What it
    /// asked for when it came is not counted.
    pub subscriber_lines: usize,
    /// Lines kept of each preview, default 10,000.
    pub lines: usize,
    /// Bytes kept of each preview, default 8 MiB.
    pub bytes: usize,
    /// Ended previews whose lines are kept, default 64.
    pub ended: usize,
}

/// A handle to all lines; clones share them.
#[derive(Debug, Clone)]
pub struct LogHub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    notices: Notices,
    streams: Mutex<Streams>,
}

#[derive(Debug, Default)]
struct Streams {
    of: HashMap<PreviewId, Arc<LogStream>>,
    /// In the order in which they ended.
    ended: VecDeque<PreviewId>,
}

impl Default for Config {
    fn default() -> Self {
        Self { subscriber_lines: 1000, lines: 10_000, bytes: 8 << 20, ended: 64 }
    }
}

impl LogHub {
    pub fn new(config: Config) -> Self {
        Self { inner: Arc::new(Inner { config, notices: Notices::default(), streams: Mutex::default() }) }
    }

    /// What viewers are told beside the lines.
    pub fn notices(&self) -> &Notices {
        &self.inner.notices
    }

    /// Adds what was printed. Newlines make several lines of it, and so does a length of more
    /// than 2,000 characters, whose pieces end, or begin, or both, with `…`. Of a progress bar
    /// that rewrites its line the last state stays; terminal sequences and control characters go.
    /// After [`LogHub::end`] it does nothing.
    pub fn append(
        &self,
        preview: PreviewId,
        timestamp: DateTime<Utc>,
        level: LogLevel,
        source: LogSource,
        message: &str,
    ) {
        let messages = clean::lines(message);
        self.inner.stream(preview).append(messages, |seq, message| LogLine {
            seq,
            timestamp,
            level,
            source,
            message,
        });
    }

    /// The newest `n` lines, oldest first.
    pub fn tail(&self, preview: PreviewId, n: usize) -> Vec<LogLine> {
        self.query(preview, &LogFilter::default(), n)
    }

    /// Up to `limit` lines that pass the filter, oldest first: those nearest to `after_seq` when
    /// it is given, so that the last one's `seq` asks for the next page; else the newest.
    pub fn query(&self, preview: PreviewId, filter: &LogFilter, limit: usize) -> Vec<LogLine> {
        let Some(stream) = self.inner.known(preview) else { return Vec::new() };
        let after = filter.after_seq.unwrap_or(0);
        // Filtering happens on a copy of the pointers: appending does not wait for it.
        let lines = stream.lock().after(after, usize::MAX);
        let passes = lines.iter().filter(|line| filter.passes(line));
        if filter.after_seq.is_some() {
            return passes.take(limit).map(|line| LogLine::clone(line)).collect();
        }
        let mut newest: Vec<_> = passes.rev().take(limit).map(|line| LogLine::clone(line)).collect();
        newest.reverse();
        newest
    }

    /// Lines kept, then lines as they come, without gap or repeat. The preview need not have a
    /// line yet; whether it exists is for the caller to know.
    pub fn subscribe(&self, preview: PreviewId, start: Start) -> Subscription {
        Subscription::new(self.inner.stream(preview), start, self.inner.config.subscriber_lines.max(1))
    }

    /// There will be no more lines: subscribers are told so once they have read what there is,
    /// and so are later ones while the preview is among the ended ones kept. Not for a restart,
    /// which goes on in the same log.
    pub fn end(&self, preview: PreviewId) {
        self.inner.notices.end(preview);
        let ended_now = self.inner.stream(preview).end();
        let mut streams = self.inner.lock();
        if ended_now {
            streams.ended.push_back(preview);
        }
        while streams.ended.len() > self.inner.config.ended
            && let Some(oldest) = streams.ended.pop_front()
        {
            streams.of.remove(&oldest);
        }
    }
}

impl Inner {
    fn known(&self, preview: PreviewId) -> Option<Arc<LogStream>> {
        self.lock().of.get(&preview).cloned()
    }

    fn stream(&self, preview: PreviewId) -> Arc<LogStream> {
        let mut streams = self.lock();
        if let Some(stream) = streams.of.get(&preview) {
            return Arc::clone(stream);
        }
        // Streams that a subscription made, that nobody wrote to and nobody reads any more. Handles
        // are only made under this lock, so one (the map's) means that nobody is about to write.
        streams.of.retain(|_, stream| Arc::strong_count(stream) > 1 || !stream.is_untouched());
        let stream = Arc::new(LogStream::new(Ring::new(self.config.lines, self.config.bytes)));
        streams.of.insert(preview, Arc::clone(&stream));
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        assert!((5..10).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().map(|line| line.seq), Some(50));

        let hub = LogHub::new(Config { lines: 0, bytes: 0, ..Config::default() });
        say(&hub, preview, "only");
        assert_eq!(told(&hub.tail(preview, 10)), [(1, "only")]);
    }

    #[test]
    fn a_query_gives_the_newest_or_the_next_after_a_number() {
        let hub = hub(100, 1 << 20);
        let preview = PreviewId::new();
        for i in 1..=10 {
            let level = if i % 2 == 0 { LogLevel::Error } else { LogLevel::Debug };
            hub.append(preview, Utc::now(), level, LogSource::App, &format!("Line {i}"));
        }
        let errors = LogFilter { level: Some(LogLevel::Warning), ..LogFilter::default() };
        assert_eq!(told(&hub.query(preview, &errors, 2)), [(8, "Line 8"), (10, "Line 10")]);
        let next = LogFilter { after_seq: Some(2), ..errors };
        assert_eq!(told(&hub.query(preview, &next, 2)), [(4, "Line 4"), (6, "Line 6")]);
        let beyond = LogFilter { after_seq: Some(10), ..LogFilter::default() };
        assert!(hub.query(preview, &beyond, 2).is_empty());
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
