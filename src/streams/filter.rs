//! Which lines somebody wants to see.

use chrono::{DateTime, Utc};

use crate::domain::{LogLevel, LogLine, LogSource};

/// What is `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// This level and the more severe ones.
    pub level: Option<LogLevel>,
    pub source: Option<LogSource>,
    /// Text anywhere in the message, in any case.
    pub search: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Only lines with a greater number.
    pub after_seq: Option<u64>,
}

impl LogFilter {
    pub fn passes(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| line.level >= level)
            && self.source.is_none_or(|source| line.source == source)
            && self.since.is_none_or(|since| line.timestamp >= since)
            && self.after_seq.is_none_or(|seq| line.seq > seq)
            && self.search.as_deref().is_none_or(|search| contains(&line.message, search))
    }
}

fn contains(text: &str, search: &str) -> bool {
    text.contains(search) || text.to_lowercase().contains(&search.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_restricts() {
        let at = Utc::now();
        let line = LogLine {
            seq: 5,
            timestamp: at,
            level: LogLevel::Warning,
            source: LogSource::App,
            message: "Größe: Too Large".into(),
        };
        let second = chrono::Duration::seconds(1);
        let pass = [
            LogFilter::default(),
            LogFilter { level: Some(LogLevel::Info), ..LogFilter::default() },
            LogFilter { level: Some(LogLevel::Warning), ..LogFilter::default() },
            LogFilter { source: Some(LogSource::App), ..LogFilter::default() },
            LogFilter { search: Some("GRÖSSE".replace("SS", "ß")), ..LogFilter::default() },
            LogFilter { search: Some("too large".into()), ..LogFilter::default() },
            LogFilter { since: Some(at), ..LogFilter::default() },
            LogFilter { after_seq: Some(4), ..LogFilter::default() },
        ];
        for filter in pass {
            assert!(filter.passes(&line), "{filter:?}");
        }
        let refuse = [
            LogFilter { level: Some(LogLevel::Error), ..LogFilter::default() },
            LogFilter { source: Some(LogSource::Build), ..LogFilter::default() },
            LogFilter { search: Some("small".into()), ..LogFilter::default() },
            LogFilter { since: Some(at + second), ..LogFilter::default() },
            LogFilter { after_seq: Some(5), ..LogFilter::default() },
        ];
        for filter in refuse {
            assert!(!filter.passes(&line), "{filter:?}");
        }
    }
}
