//! The one reader of a container's output.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Life;
use crate::domain::{LogSource, PreviewId};
use crate::engine::{Engine, LogStream, LogsFrom};
use crate::streams::{LogHub, level_of};

impl Life {
    /// Starts reading the container's output from its first line. Docker keeps the lines, so a
    /// reader that begins after the start loses none.
    pub(super) fn follow_logs(&mut self) {
        self.watchers.cancel();
        self.watchers = CancellationToken::new();
        let Some(container) = self.preview.container_id.clone() else { return };
        let (done, settled) = oneshot::channel();
        self.log_end = Some(settled);
        let reader = Reader {
            engine: self.parts.engine.clone(),
            logs: self.parts.logs.clone(),
            preview: self.preview.id,
            container,
        };
        let stop = self.watchers.clone();
        let shutdown = self.parts.shutdown.clone();
        self.parts.tasks.spawn(async move {
            tokio::select! {
                () = reader.read() => {}
                () = stop.cancelled() => {}
                () = shutdown.cancelled() => {}
            }
            let _ = done.send(());
        });
    }

    /// Waits, not long, until the last lines of an ended container are read.
    pub(super) async fn logs_settled(&mut self) {
        if let Some(end) = self.log_end.take() {
            let _ = tokio::time::timeout(Duration::from_secs(1), end).await;
        }
    }
}

/// How far a reader has come: the moment of the last line, and how many lines of that moment.
/// The engine resumes at a moment, not after a line.
#[derive(Default)]
struct Place {
    last: Option<(DateTime<Utc>, usize)>,
}

impl Place {
    fn from(&self) -> LogsFrom {
        self.last.map_or(LogsFrom::Start, |(moment, _)| LogsFrom::Since(moment))
    }

    fn lines_of_last(&self) -> usize {
        self.last.map_or(0, |(_, lines)| lines)
    }

    fn is_at(&self, moment: DateTime<Utc>) -> bool {
        self.last.is_some_and(|(last, _)| last == moment)
    }

    fn advance(&mut self, moment: DateTime<Utc>) {
        self.last = match self.last {
            Some((last, lines)) if last == moment => Some((last, lines + 1)),
            _ => Some((moment, 1)),
        };
    }
}

struct Reader {
    engine: Engine,
    logs: LogHub,
    preview: PreviewId,
    container: String,
}

impl Reader {
    /// Reads to the end of the container, taking up a broken stream after the last line read.
    async fn read(&self) {
        let mut place = Place::default();
        loop {
            let mut lines = std::pin::pin!(self.engine.logs(&self.container, place.from(), true));
            // Lines of the last moment come again after a break, and only then.
            let mut again = place.lines_of_last();
            while let Some(line) = lines.next().await {
                match line {
                    Ok(line) => {
                        if again > 0 && place.is_at(line.timestamp) {
                            again -= 1;
                            continue;
                        }
                        place.advance(line.timestamp);
                        let level = level_of(&line.message, line.stream == LogStream::Stderr);
                        self.logs.append(self.preview, line.timestamp, level, LogSource::App, &line.message);
                    }
                    Err(error) => tracing::debug!(%error, preview = %self.preview, "the log stream broke"),
                }
            }
            // An engine that is away says nothing about the container; one that is back goes on.
            match self.engine.inspect(&self.container).await {
                Ok(None) => return,
                Ok(Some(state)) if !state.running => return,
                Ok(Some(_)) | Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
