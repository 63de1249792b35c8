//! Which lines somebody wants to see.

use chrono::{DateTime, Utc};

use crate::domain::{LogLevel, LogLine, LogSource};

/// What is `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// This level and the more severe ones.
    pub level: Option<LogLevel>,
    pub sources: Option<Sources>,
    /// Text anywhere in the message, in any case.
    pub search: Option<Search>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Only lines with a greater number.
    pub after_seq: Option<u64>,
    /// Only lines with a smaller number.
    pub before_seq: Option<u64>,
}

/// Some of the sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sources(u8);

/// A text to look for, prepared once for many lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    text: String,
    lower: String,
}

impl LogFilter {
    pub fn passes(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| line.level >= level)
            && self.sources.is_none_or(|sources| sources.contains(line.source))
            && self.since.is_none_or(|since| line.timestamp >= since)
            && self.until.is_none_or(|until| line.timestamp < until)
            && self.after_seq.is_none_or(|seq| line.seq > seq)
            && self.before_seq.is_none_or(|seq| line.seq < seq)
            && self.search.as_ref().is_none_or(|search| search.is_in(&line.message))
    }
}

impl Sources {
    pub const fn contains(self, source: LogSource) -> bool {
        self.0 & Self::bit(source) != 0
    }

    const fn bit(source: LogSource) -> u8 {
        1 << source as u8
    }
}

impl FromIterator<LogSource> for Sources {
    fn from_iter<I: IntoIterator<Item = LogSource>>(sources: I) -> Self {
        Self(sources.into_iter().fold(0, |bits, source| bits | Self::bit(source)))
    }
}

impl Search {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), lower: text.to_lowercase() }
    }

    fn is_in(&self, message: &str) -> bool {
        message.contains(&self.text) || message.to_lowercase().contains(&self.lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LogEntry;

    #[test]
    fn each_part_restricts() {
        let at = Utc::now();
        let line =
            LogEntry::new(at, LogLevel::Warning, LogSource::App, "Größe: Too Large".into()).numbered(5);
        let second = chrono::Duration::seconds(1);
        let sources = |list: &[LogSource]| Some(list.iter().copied().collect());
        let search = |text: &str| Some(Search::new(text));
        let all = LogFilter::default;
        let pass = [
            all(),
            LogFilter { level: Some(LogLevel::Info), ..all() },
            LogFilter { level: Some(LogLevel::Warning), ..all() },
            LogFilter { sources: sources(&[LogSource::App]), ..all() },
            LogFilter { sources: sources(&LogSource::ALL), ..all() },
            LogFilter { search: search(&"GRÖSSE".replace("SS", "ß")), ..all() },
            LogFilter { search: search("too large"), ..all() },
            LogFilter { since: Some(at), ..all() },
            LogFilter { until: Some(at + second), ..all() },
            LogFilter { after_seq: Some(4), ..all() },
            LogFilter { before_seq: Some(6), ..all() },
        ];
        for filter in pass {
            assert!(filter.passes(&line), "{filter:?}");
        }
        let refuse = [
            LogFilter { level: Some(LogLevel::Error), ..all() },
            LogFilter { sources: sources(&[LogSource::Build, LogSource::Error]), ..all() },
            LogFilter { sources: sources(&[]), ..all() },
            LogFilter { search: search("small"), ..all() },
            LogFilter { since: Some(at + second), ..all() },
            LogFilter { until: Some(at), ..all() },
            LogFilter { after_seq: Some(5), ..all() },
            LogFilter { before_seq: Some(5), ..all() },
        ];
        for filter in refuse {
            assert!(!filter.passes(&line), "{filter:?}");
        }
    }
}
