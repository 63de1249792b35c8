//! The one reader of a container's output.
//!
//! A container that we start is attached to before it starts: its first line cannot be missed,
//! and its last is read before the end is. One that an earlier run of the daemon started, or
//! whose attachment broke, is followed in the engine's log from the place that was read last.

mod allowance;
mod assemble;
mod group;
mod intake;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::LogHub;
use super::place::{Cut, Finder, Mark};
use crate::domain::{LogLevel, LogSource, PreviewId};
use crate::engine::{Engine, EngineError, EngineLogLine, LogStream, LogsFrom, Output};
pub use allowance::Flood;
use allowance::{Allowance, Overdrawn};
use intake::Intake;

/// The lines that a program's output comes to, in pieces cut anywhere.
#[cfg(fuzzing)]
pub fn read_output<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let lines = assemble::assembled(pieces);
    lines.iter().flat_map(|line| super::clean::lines(&line.text)).collect()
}

/// How long a traceback may take to be printed on.
const QUIET: Duration = Duration::from_millis(50);

/// Pieces of output that are taken at once. Each is a line or many, 32 KiB at the most.
const PIECES: usize = 64;

/// Lines of the engine's log that are taken at once.
const READY: usize = 256;

/// Until a broken stream is tried again.
const PAUSE: Duration = Duration::from_millis(500);

pub struct ContainerReader {
    source: Source,
    attached: Option<BoxStream<'static, Result<Output, EngineError>>>,
}

/// Whose output it is, and whose lines they become.
struct Source {
    engine: Engine,
    logs: LogHub,
    preview: PreviewId,
    container: String,
}

impl ContainerReader {
    /// For a container that runs, or has run.
    pub fn following(engine: Engine, logs: LogHub, preview: PreviewId, container: String) -> Self {
        Self { source: Source { engine, logs, preview, container }, attached: None }
    }

    /// For a container that is about to be started. An engine that lets nobody attach has the
    /// lines in its log.
    pub async fn attached(engine: Engine, logs: LogHub, preview: PreviewId, container: String) -> Self {
        let attached = engine.attach(&container).await;
        let attached = attached.inspect_err(|error| tracing::warn!(%error, %preview, "cannot attach")).ok();
        Self { attached, ..Self::following(engine, logs, preview, container) }
    }

    /// For a container that was attached to before it started, and has printed nothing yet.
    pub fn with(
        engine: Engine,
        logs: LogHub,
        preview: PreviewId,
        container: String,
        output: BoxStream<'static, Result<Output, EngineError>>,
    ) -> Self {
        Self { attached: Some(output), ..Self::following(engine, logs, preview, container) }
    }

    /// Reads to the end of the container.
    pub async fn read(self) {
        let Self { source, attached } = self;
        let mut intake = source.intake();
        if let Some(attached) = attached
            && source.read_attached(attached, &mut intake).await
        {
            return;
        }
        loop {
            source.follow(&mut intake).await;
            if source.is_over().await {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Source {
    /// What goes on behind the last line of this container that was read.
    fn intake(&self) -> Intake {
        let mark = self.logs.mark(self.preview).filter(|mark| mark.container == self.container);
        let mark = mark.unwrap_or_else(|| Mark { container: self.container.clone(), ..Mark::default() });
        Intake::new(self.logs.clone(), self.preview, mark)
    }

    /// Whether it came to an end, and did not break.
    async fn read_attached(
        &self,
        attached: BoxStream<'static, Result<Output, EngineError>>,
        intake: &mut Intake,
    ) -> bool {
        // A program that does not buffer makes a piece of every line: those that are there already
        // are added together.
        let mut ready = attached.ready_chunks(PIECES).boxed();
        let (limits, kept) = self.logs.flood();
        let mut allowance = Allowance::new(limits, kept / 2, Instant::now());
        loop {
            let Some(next) = next_or_quiet(&mut ready, intake).await else { continue };
            let Some(pieces) = next else { break };
            let now = Utc::now();
            for piece in pieces {
                match piece {
                    Ok(output) => {
                        let lines = intake.output(&output, now).await;
                        if let Some(over) = allowance.spend(lines, output.bytes.len(), Instant::now()) {
                            intake.commit().await;
                            self.hold_back(&over).await;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, preview = %self.preview, "the attachment broke");
                        intake.commit().await;
                        // What had begun is read again, whole, from the engine's log.
                        intake.forget_unfinished();
                        return false;
                    }
                }
            }
            intake.commit().await;
        }
        if self.is_over().await {
            intake.finish(Utc::now()).await;
            return true;
        }
        intake.forget_unfinished();
        false
    }

    /// Leaves a container that prints without end waiting in its write.
    async fn hold_back(&self, over: &Overdrawn) {
        if let Some(notice) = &over.notice {
            self.logs.append(self.preview, Utc::now(), LogLevel::Warning, LogSource::System, notice);
        }
        tokio::time::sleep(over.wait).await;
    }

    /// Follows the engine's log from behind the last line that was read.
    async fn follow(&self, intake: &mut Intake) {
        let Ok(mut skip) = self.locate(intake.mark()).await else { return };
        let lines = self.engine.logs(&self.container, skip.from(), true);
        let mut ready = lines.ready_chunks(READY).boxed();
        loop {
            let Some(next) = next_or_quiet(&mut ready, intake).await else { continue };
            let Some(lines) = next else { break };
            for line in lines {
                match line {
                    Ok(line) if skip.passes(&line) => {
                        intake.line(line.stream, &line.message, line.timestamp, line.continues).await;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, preview = %self.preview, "the log stream broke");
                    }
                }
            }
            intake.commit().await;
        }
        intake.finish(Utc::now()).await;
    }

    /// Where the engine's log goes on after what was read before.
    async fn locate(&self, mark: &Mark) -> Result<Skip, EngineError> {
        if mark.stdout.is_start() && mark.stderr.is_start() {
            return Ok(Skip::default());
        }
        let (mut stdout, mut stderr) = (Finder::new(mark.stdout), Finder::new(mark.stderr));
        let mut lines = self.engine.logs(&self.container, LogsFrom::Start, false).boxed();
        while let Some(line) = lines.next().await {
            let line = line?;
            let finder = if line.stream == LogStream::Stdout { &mut stdout } else { &mut stderr };
            finder.see(&line.message, line.timestamp, line.continues);
        }
        if !(stdout.is_certain() && stderr.is_certain()) {
            let gone = "the engine no longer has all of the container's output: lines may be missing here";
            self.logs.append(self.preview, Utc::now(), LogLevel::Warning, LogSource::System, gone);
        }
        Ok(Skip {
            stdout: Side { cut: stdout.found(), pieces: mark.stdout.pieces, ..Side::default() },
            stderr: Side { cut: stderr.found(), pieces: mark.stderr.pieces, ..Side::default() },
        })
    }

    /// An engine that is away says nothing about the container.
    async fn is_over(&self) -> bool {
        match self.engine.inspect(&self.container).await {
            Ok(None) => true,
            Ok(Some(state)) => !state.running,
            Err(_) => false,
        }
    }
}

/// The next of a stream; `None` when a traceback that is held back has waited long enough and
/// was given out instead.
async fn next_or_quiet<T>(stream: &mut BoxStream<'static, T>, intake: &mut Intake) -> Option<Option<T>> {
    if !intake.holds_back() {
        return Some(stream.next().await);
    }
    match tokio::time::timeout(QUIET, stream.next()).await {
        Ok(next) => Some(next),
        Err(_) => {
            intake.give_out().await;
            None
        }
    }
}

/// Lines of the engine's log that were read before.
#[derive(Default)]
struct Skip {
    stdout: Side,
    stderr: Side,
}

#[derive(Default)]
struct Side {
    cut: Option<Cut>,
    /// Lines seen of the moment of the cut.
    seen: u64,
    /// Pieces read of the line after the cut.
    pieces: u64,
}

impl Skip {
    fn from(&self) -> LogsFrom {
        let cuts = self.stdout.cut.zip(self.stderr.cut);
        cuts.map_or(LogsFrom::Start, |(stdout, stderr)| LogsFrom::Since(stdout.at.min(stderr.at)))
    }

    fn passes(&mut self, line: &EngineLogLine) -> bool {
        let side = if line.stream == LogStream::Stdout { &mut self.stdout } else { &mut self.stderr };
        side.passes(line.timestamp, line.continues)
    }
}

impl Side {
    fn passes(&mut self, at: DateTime<Utc>, continues: bool) -> bool {
        if let Some(cut) = self.cut {
            self.seen += u64::from(at == cut.at);
            if at < cut.at || at == cut.at && self.seen <= cut.ordinal {
                return false;
            }
        }
        if self.pieces > 0 && continues {
            self.pieces -= 1;
            return false;
        }
        self.pieces = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_skipped_line_for_line() {
        let at = |ms| DateTime::from_timestamp_millis(ms).expect("a time");
        let mut side = Side { cut: Some(Cut { at: at(5), ordinal: 2 }), pieces: 1, ..Side::default() };
        let lines = [(1, false), (5, false), (5, false), (5, true), (5, true), (5, false), (6, false)];
        let passed: Vec<_> = lines.map(|(ms, continues)| side.passes(at(ms), continues)).into();
        assert_eq!(passed, [false, false, false, false, true, true, true]);
    }
}
