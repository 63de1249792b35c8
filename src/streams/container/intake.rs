//! From a container's output to numbered lines: whole, clean, masked, grouped, with levels; in
//! batches, at a pace that viewers can keep.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::QUIET;
use super::assemble::{Assembler, RawLine};
use super::group::Group;
use crate::domain::{LogEntry, LogLevel, LogSource, PreviewId};
use crate::engine::{LogStream, Output};
use crate::streams::mask::{KeyBlock, Masker};
use crate::streams::place::{Mark, Place};
use crate::streams::{LogHub, clean, level};

pub(super) struct Intake {
    logs: LogHub,
    preview: PreviewId,
    masker: Arc<Masker>,
    mark: Mark,
    stdout: Side,
    stderr: Side,
    /// Of one piece of output; kept for its room.
    lines: Vec<RawLine>,
    /// Read, not yet added to the log.
    entries: Vec<LogEntry>,
    batch: usize,
}

/// One of the two streams.
#[derive(Default)]
struct Side {
    assembler: Assembler,
    held: Option<Held>,
    key: KeyBlock,
}

/// A traceback that may go on.
struct Held {
    group: Group,
    at: DateTime<Utc>,
    /// When its newest line came.
    since: Instant,
    /// How far the stream is read once it is given out.
    place: Place,
}

impl Intake {
    pub(super) fn new(logs: LogHub, preview: PreviewId, mark: Mark) -> Self {
        let (masker, batch) = (logs.masker(preview), logs.batch());
        let (stdout, stderr) = (Side::default(), Side::default());
        let (lines, entries) = (Vec::new(), Vec::new());
        Self { logs, preview, masker, mark, stdout, stderr, lines, entries, batch }
    }

    /// How far the container was read with the lines that were added.
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// A piece of output, and how many lines ended in it. They are added with the next commit.
    pub(super) async fn output(&mut self, output: &Output, at: DateTime<Utc>) -> usize {
        self.give_out_stale();
        let mut lines = std::mem::take(&mut self.lines);
        self.side(output.stream).assembler.push(&output.bytes, |line| lines.push(line));
        let count = lines.len();
        for RawLine { text, continues } in lines.drain(..) {
            self.line(output.stream, &text, at, continues).await;
        }
        self.lines = lines;
        count
    }

    /// A line, or a piece of one. It is added with the next commit.
    pub(super) async fn line(&mut self, stream: LogStream, text: &str, at: DateTime<Utc>, continues: bool) {
        self.take(stream, text, at, continues);
        if self.entries.len() >= self.batch {
            self.commit().await;
        }
    }

    /// Adds what was read. Viewers who keep up are waited for, and so the container is.
    pub(super) async fn commit(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        // The next batch is likely as large; most apps say little, and each of hundreds would hold a whole one.
        let next = Vec::with_capacity(self.entries.len());
        let entries = std::mem::replace(&mut self.entries, next);
        self.logs.append_all(self.preview, entries, Some(self.mark.clone()));
        self.masker = self.logs.masker(self.preview);
        self.logs.keep_pace(self.preview).await;
    }

    pub(super) fn holds_back(&self) -> bool {
        self.stdout.held.is_some() || self.stderr.held.is_some()
    }

    /// Gives out what is held back.
    pub(super) async fn give_out(&mut self) {
        self.flush(LogStream::Stdout);
        self.flush(LogStream::Stderr);
        self.commit().await;
    }

    /// Gives out what is held back and had its time: the other stream may never be quiet.
    fn give_out_stale(&mut self) {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            if self.side(stream).held.as_ref().is_some_and(|held| held.since.elapsed() >= QUIET) {
                self.flush(stream);
            }
        }
    }

    /// There is no more: the last line may lack its newline.
    pub(super) async fn finish(&mut self, at: DateTime<Utc>) {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            if let Some(RawLine { text, continues }) = self.side(stream).assembler.finish() {
                self.line(stream, &text, at, continues).await;
            }
        }
        self.give_out().await;
    }

    /// What is not whole will come again from elsewhere.
    pub(super) fn forget_unfinished(&mut self) {
        (self.stdout, self.stderr) = (Side::default(), Side::default());
        self.entries.clear();
    }

    fn side(&mut self, stream: LogStream) -> &mut Side {
        match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        }
    }

    fn place(&mut self, stream: LogStream) -> &mut Place {
        match stream {
            LogStream::Stdout => &mut self.mark.stdout,
            LogStream::Stderr => &mut self.mark.stderr,
        }
    }

    fn take(&mut self, stream: LogStream, raw: &str, at: DateTime<Utc>, continues: bool) {
        let masker = Arc::clone(&self.masker);
        let cleaned = clean::line(raw);
        let Some(cleaned) = cleaned.as_deref() else {
            // It only moved the cursor.
            return self.read_on(stream, raw, at, continues);
        };
        let text = masker.mask_line(cleaned, &mut self.side(stream).key);
        if let Some(held) = &mut self.side(stream).held {
            if !continues && held.group.takes(&text) {
                held.group.push(text.into_owned());
                held.since = Instant::now();
                held.place.advance(raw, at, false);
                return;
            }
            self.flush(stream);
        }
        if !continues && let Some(group) = Group::begin(&text) {
            let mut place = *self.place(stream);
            place.advance(raw, at, false);
            self.side(stream).held = Some(Held { group, at, since: Instant::now(), place });
            return;
        }
        let reading = level::read(&text, stream == LogStream::Stderr);
        self.read_on(stream, raw, at, continues);
        self.add(text.into_owned(), at, reading);
    }

    /// The line is behind us.
    fn read_on(&mut self, stream: LogStream, raw: &str, at: DateTime<Utc>, continues: bool) {
        match &mut self.side(stream).held {
            Some(held) => held.place.advance(raw, at, continues),
            None => self.place(stream).advance(raw, at, continues),
        }
    }

    fn flush(&mut self, stream: LogStream) {
        let Some(Held { group, at, place, .. }) = self.side(stream).held.take() else { return };
        *self.place(stream) = place;
        let first = group.lines.first().map_or("", String::as_str);
        let mut reading = level::read(first, stream == LogStream::Stderr);
        if group.is_traceback() {
            reading.level = LogLevel::Error;
        }
        self.add(group.lines.join("\n"), at, reading);
    }

    fn add(&mut self, message: String, timestamp: DateTime<Utc>, reading: level::Reading) {
        let level::Reading { level, trace_id } = reading;
        if clean::is_short(&message) {
            let entry = LogEntry::new(timestamp, level, LogSource::App, message);
            return self.entries.push(LogEntry { trace_id, ..entry });
        }
        let mut pieces = Vec::new();
        clean::split(message, &mut pieces);
        self.entries.extend(pieces.into_iter().map(|message| LogEntry {
            trace_id: trace_id.clone(),
            ..LogEntry::new(timestamp, level, LogSource::App, message)
        }));
    }
}
