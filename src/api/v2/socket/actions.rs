//! What a client says.

use serde::Deserialize;

use super::super::logs::filter;
use crate::domain::Invalid;
use crate::streams::LogFilter;

#[derive(Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(tag = "action", rename_all = "lowercase")]
#[schema(as = LogSocketAction)]
pub enum Action {
    /// Lines that pass the filter from here on; a client that is not subscribed may ask for
    /// past ones too.
    Subscribe {
        #[serde(default)]
        filters: Filters,
        /// The number of the last line seen: all after it come first.
        since: Option<u64>,
        /// Past lines that come first, at most 1000.
        buffer: Option<usize>,
    },
    /// No lines until the next subscribe.
    Unsubscribe,
    /// Answered with `{"type":"pong"}`.
    Ping,
}

#[derive(Debug, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LogSocketFilters)]
pub struct Filters {
    level: Option<String>,
    source: Option<OneOrMany>,
    search: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = LogSocketSources)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Filters {
    pub fn filter(&self) -> Result<LogFilter, Invalid> {
        let source = match &self.source {
            None => None,
            Some(OneOrMany::One(source)) => Some(source.clone()),
            Some(OneOrMany::Many(sources)) if sources.is_empty() => None,
            Some(OneOrMany::Many(sources)) => Some(sources.join(",")),
        };
        filter(self.level.as_deref(), source.as_deref(), self.search.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LogLevel, LogSource};

    fn parse(text: &str) -> Option<Action> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn the_messages_of_the_contract_are_understood() {
        let text = r#"{"action":"subscribe","filters":{"level":"INFO","source":["request","database"],"search":"error"}}"#;
        let Some(Action::Subscribe { filters, since: None, buffer: None }) = parse(text) else {
            panic!("not a subscription")
        };
        let filter = filters.filter().expect("valid");
        assert_eq!(filter.level, Some(LogLevel::Info));
        let sources = filter.sources.expect("some");
        assert!(sources.contains(LogSource::Request) && sources.contains(LogSource::Database));
        assert!(!sources.contains(LogSource::App));
        assert_eq!(parse(r#"{"action":"ping"}"#), Some(Action::Ping));
        assert_eq!(parse(r#"{"action":"unsubscribe"}"#), Some(Action::Unsubscribe));
        assert!(matches!(parse(r#"{"action":"subscribe"}"#), Some(Action::Subscribe { .. })));
    }

    #[test]
    fn slips_are_refused() {
        for text in
            ["", "{}", "[]", r#"{"action":"dance"}"#, r#"{"action":"subscribe","filters":{"levle":"INFO"}}"#]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        let Some(Action::Subscribe { filters, .. }) =
            parse(r#"{"action":"subscribe","filters":{"level":"LOUD"}}"#)
        else {
            panic!("well-formed")
        };
        assert!(filters.filter().is_err());
    }
}
