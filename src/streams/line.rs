//! A line with the text in which it is sent and kept, made once for all who want it.

use std::fmt::Write as _;
use std::ops::Deref;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::{LogEntry, LogLine};

/// Dereferences to the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLine {
    line: LogLine,
    json: String,
}

/// A moment in words: lines that were read together share it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    at: Option<DateTime<Utc>>,
    words: String,
}

impl StreamLine {
    pub fn new(line: LogLine) -> Self {
        let json = to_json(&line, Clock::default().words(line.timestamp));
        Self { line, json }
    }

    /// `clock` serves one line after the other.
    pub(super) fn numbered(entry: LogEntry, seq: u64, clock: &mut Clock) -> Self {
        let line = entry.numbered(seq);
        let json = to_json(&line, clock.words(line.timestamp));
        Self { line, json }
    }

    /// The message of the socket and of the files: `{"type":"log","seq":…}`, on one line.
    pub fn json(&self) -> &str {
        &self.json
    }

    pub fn line(&self) -> &LogLine {
        &self.line
    }

    pub fn into_line(self) -> LogLine {
        self.line
    }

    /// Bytes it takes in memory, about.
    pub(super) fn cost(&self) -> usize {
        /// The line itself, its counters and its pointer.
        const BESIDE: usize = 192;
        self.line.message.len() + self.json.len() + BESIDE
    }
}

impl Deref for StreamLine {
    type Target = LogLine;

    fn deref(&self) -> &LogLine {
        &self.line
    }
}

impl Clock {
    fn words(&mut self, at: DateTime<Utc>) -> &str {
        if self.at != Some(at) {
            self.words = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            self.at = Some(at);
        }
        &self.words
    }
}

/// What serde would write, with `type` in front; by hand, because it is done for every line.
fn to_json(line: &LogLine, time: &str) -> String {
    let mut json = String::with_capacity(line.message.len() + 128);
    let (level, source) = (line.level.as_str(), line.source.as_str());
    let _ = write!(
        json,
        "{{\"type\":\"log\",\"seq\":{},\"timestamp\":\"{time}\",\"level\":\"{level}\",\"source\":\"{source}\",\"message\":",
        line.seq
    );
    push_text(&mut json, &line.message);
    if let Some(metadata) = &line.metadata {
        json.push_str(",\"metadata\":");
        json.push_str(&serde_json::to_string(metadata).unwrap_or_else(|_| "{}".to_owned()));
    }
    if let Some(trace_id) = &line.trace_id {
        json.push_str(",\"traceId\":");
        push_text(&mut json, trace_id);
    }
    json.push('}');
    json
}

/// A JSON string. Almost every line needs no escape.
fn push_text(json: &mut String, text: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{LogLevel, LogSource};

    fn line(message: &str) -> LogLine {
        let at = "2026-01-02T03:04:05.123456789Z".parse().expect("a time");
        LogEntry::new(at, LogLevel::Error, LogSource::Request, message.to_owned()).numbered(7)
    }

    #[test]
    fn it_is_the_line_with_its_type() {
        let mut line = line("GET /ü \"x\"\n\t\\");
        line.metadata = json!({"statusCode": 200}).as_object().cloned().map(Box::new);
        line.trace_id = Some("abc".into());
        let text = StreamLine::new(line.clone()).json().to_owned();
        assert!(!text.contains('\n'));
        let mut expected = serde_json::to_value(&line).expect("JSON");
        expected["type"] = "log".into();
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), expected);
        assert_eq!(serde_json::from_str::<LogLine>(&text).expect("a line"), line);
        assert!(text.starts_with(
            "{\"type\":\"log\",\"seq\":7,\"timestamp\":\"2026-01-02T03:04:05.123456789Z\",\"level\":\"ERROR\",\"source\":\"request\""
        ));
    }

    proptest! {
        #[test]
        fn any_message_comes_back(message in any::<String>()) {
            let line = line(&message);
            let text = StreamLine::new(line.clone()).json().to_owned();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<LogLine>(&text).expect("a line"), line);
        }
    }
}
