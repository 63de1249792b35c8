//! What a container prints, in whole lines.
//!
//! The engine hands out frames: a line longer than 16 KiB comes in several, and only the last
//! ends in a newline. They are put together for each stream; a line that never ends is cut, so
//! that no container can make us hold more than [`LINE_MAX`] bytes of it.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt, stream};

use super::{Engine, EngineError};

/// Longest piece of a line, bytes.
const LINE_MAX: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EngineLogLine {
    /// When the line, or this piece of it, began.
    pub timestamp: DateTime<Utc>,
    pub stream: LogStream,
    /// Without its newline; bytes that are not UTF-8 are replaced. Carriage returns stay.
    pub message: String,
    /// The line was too long and goes on in the next piece of this stream.
    pub continues: bool,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LogsFrom {
    /// With the oldest line the engine still has.
    Start,
    /// With the first line at or after that moment. Several lines may share it.
    Since(DateTime<Utc>),
    /// With the last so many lines.
    Tail(usize),
}

impl Engine {
    /// The container's lines. Following ends when the container does.
    pub fn logs(
        &self,
        id: &str,
        from: LogsFrom,
        follow: bool,
    ) -> impl Stream<Item = Result<EngineLogLine, EngineError>> + Send + 'static {
        const CALL: &str = "read logs";
        let mut options =
            LogsOptionsBuilder::default().follow(follow).stdout(true).stderr(true).timestamps(true);
        let mut lines = Lines::default();
        match from {
            LogsFrom::Start => {}
            LogsFrom::Since(moment) => {
                // Whole seconds are all the library can say; the rest is ours to drop.
                options = options.since(i32::try_from(moment.timestamp()).unwrap_or(i32::MAX));
                lines.since = Some(moment);
            }
            LogsFrom::Tail(count) => options = options.tail(&count.to_string()),
        }
        let frames = self.streaming().logs(id, Some(options.build()));
        // A sentinel after the last frame lets the assembler give out what it still holds.
        let frames = frames.map(Some).chain(stream::once(async { None }));
        frames
            .scan(lines, |lines, frame| {
                let out = match frame {
                    Some(Ok(frame)) => lines.frame(frame).into_iter().map(Ok).collect(),
                    Some(Err(error)) => vec![Err(EngineError::from_bollard(CALL, error))],
                    None => lines.finish().into_iter().map(Ok).collect(),
                };
                async move { Some(stream::iter(out)) }
            })
            .flatten()
            .boxed()
    }
}

/// Puts frames together.
#[derive(Default)]
struct Lines {
    since: Option<DateTime<Utc>>,
    stdout: Pending,
    stderr: Pending,
}

/// A line that has not ended yet.
#[derive(Default)]
struct Pending {
    began: Option<DateTime<Utc>>,
    bytes: Vec<u8>,
}

impl Lines {
    fn frame(&mut self, frame: LogOutput) -> Vec<EngineLogLine> {
        let (stream, pending) = match frame {
            LogOutput::StdErr { .. } => (LogStream::Stderr, &mut self.stderr),
            _ => (LogStream::Stdout, &mut self.stdout),
        };
        let (timestamp, content) = split_timestamp(frame.as_ref());
        let since = self.since;
        let mut lines = pending.push(stream, timestamp, content);
        lines.retain(|line| since.is_none_or(|since| line.timestamp >= since));
        lines
    }

    /// What was printed without a newline at the end.
    fn finish(&mut self) -> Vec<EngineLogLine> {
        let rest = [(LogStream::Stdout, &mut self.stdout), (LogStream::Stderr, &mut self.stderr)];
        rest.into_iter().filter_map(|(stream, pending)| pending.take(stream, false)).collect()
    }
}

impl Pending {
    fn push(
        &mut self,
        stream: LogStream,
        timestamp: Option<DateTime<Utc>>,
        content: &[u8],
    ) -> Vec<EngineLogLine> {
        let mut lines = Vec::new();
        for part in content.split_inclusive(|byte| *byte == b'\n') {
            let (part, ended) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            self.began = self.began.or(timestamp);
            self.bytes.extend_from_slice(part);
            while self.bytes.len() > LINE_MAX {
                let rest = self.bytes.split_off(cut_at(&self.bytes));
                lines.extend(self.take(stream, true));
                self.began = timestamp;
                self.bytes = rest;
            }
            if ended {
                // An empty line is a line.
                self.began = self.began.or_else(|| Some(Utc::now()));
                lines.extend(self.take(stream, false));
            }
        }
        lines
    }

    fn take(&mut self, stream: LogStream, continues: bool) -> Option<EngineLogLine> {
        let bytes = std::mem::take(&mut self.bytes);
        let timestamp = match self.began.take() {
            Some(began) => began,
            None if bytes.is_empty() => return None,
            None => Utc::now(),
        };
        let message = String::from_utf8_lossy(&bytes).into_owned();
        Some(EngineLogLine { timestamp, stream, message, continues })
    }
}

/// At most [`LINE_MAX`], and not inside a character: UTF-8 continues with bytes `10xxxxxx`.
fn cut_at(bytes: &[u8]) -> usize {
    let starts_character = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    (LINE_MAX - 3..=LINE_MAX).rev().find(starts_character).unwrap_or(LINE_MAX)
}

/// `2026-01-02T03:04:05.123456789Z the message`.
fn split_timestamp(frame: &[u8]) -> (Option<DateTime<Utc>>, &[u8]) {
    let space = frame.iter().take(40).position(|byte| *byte == b' ');
    let parsed = space.and_then(|space| {
        let text = std::str::from_utf8(&frame[..space]).ok()?;
        let timestamp = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
        Some((timestamp, &frame[space + 1..]))
    });
    parsed.map_or((None, frame), |(timestamp, rest)| (Some(timestamp), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(second: u32, text: &str) -> LogOutput {
        LogOutput::StdOut { message: format!("2026-01-02T03:04:{second:02}.5Z {text}").into() }
    }

    fn err(second: u32, text: &str) -> LogOutput {
        LogOutput::StdErr { message: format!("2026-01-02T03:04:{second:02}.5Z {text}").into() }
    }

    fn assemble(mut lines: Lines, frames: Vec<LogOutput>) -> Vec<EngineLogLine> {
        let mut all: Vec<_> = frames.into_iter().flat_map(|frame| lines.frame(frame)).collect();
        all.extend(lines.finish());
        all
    }

    fn texts(lines: &[EngineLogLine]) -> Vec<(LogStream, &str)> {
        lines.iter().map(|line| (line.stream, line.message.as_str())).collect()
    }

    #[test]
    fn pieces_are_joined_per_stream_under_the_first_timestamp() {
        use LogStream::{Stderr, Stdout};
        let frames = vec![out(1, "a"), err(2, "x\n"), out(3, "b\n"), out(4, "\n"), err(5, "no newline\r")];
        let lines = assemble(Lines::default(), frames);
        assert_eq!(texts(&lines), [(Stderr, "x"), (Stdout, "ab"), (Stdout, ""), (Stderr, "no newline\r")]);
        assert_eq!(lines[1].timestamp.to_rfc3339(), "2026-01-02T03:04:01.500+00:00");
        assert!(lines.iter().all(|line| !line.continues));
    }

    #[test]
    fn an_endless_line_is_cut_between_characters_and_marked() {
        let long = "é".repeat(LINE_MAX);
        let pieces = long.as_bytes().chunks(16383).map(|piece| {
            let mut message = b"2026-01-02T03:04:05.5Z ".to_vec();
            message.extend_from_slice(piece);
            LogOutput::StdOut { message: message.into() }
        });
        let lines = assemble(Lines::default(), pieces.chain([out(6, "\n")]).collect());
        assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<String>(), long);
        assert!(lines.iter().all(|line| line.message.len() <= LINE_MAX));
        assert_eq!(lines.iter().filter(|line| !line.continues).count(), 1);
    }

    #[test]
    fn broken_utf8_is_replaced() {
        let frame = LogOutput::StdOut { message: b"2026-01-02T03:04:05.5Z a\xFFb\n"[..].into() };
        assert_eq!(assemble(Lines::default(), vec![frame])[0].message, "a\u{FFFD}b");
    }

    #[test]
    fn lines_before_the_moment_are_dropped() {
        let since = "2026-01-02T03:04:02.5Z".parse().ok();
        let frames = vec![out(1, "old\n"), out(2, "same\n"), out(3, "new\n")];
        let lines = assemble(Lines { since, ..Default::default() }, frames);
        assert_eq!(texts(&lines), [(LogStream::Stdout, "same"), (LogStream::Stdout, "new")]);
    }
}
