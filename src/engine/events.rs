//! What happens to our containers, as the engine tells it.

use std::collections::HashMap;

use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt, stream};

use super::ownership::instance_filter;
use super::{Engine, EngineError, Ownership};

#[derive(Debug, Clone, PartialEq)]
pub struct EngineEvent {
    pub kind: EventKind,
    pub container_id: String,
    pub ownership: Ownership,
    pub at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Create,
    Start,
    Pause,
    Unpause,
    /// A process was killed for want of memory; `Die` follows when it was the first one.
    Oom,
    Die {
        exit_code: Option<i64>,
    },
    /// It is removed.
    Destroy,
}

impl Engine {
    /// Events of this instance's containers from the moment of the call, by the engine's clock.
    /// It ends only with an error; open it again and list what was missed.
    pub fn events(&self) -> impl Stream<Item = Result<EngineEvent, EngineError>> + Send + 'static {
        const CALL: &str = "watch events";
        let mut filters = instance_filter(self.instance());
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        // Without it, what happens until the engine has taken the request would be lost.
        let now = Utc::now();
        let since = format!("{}.{:09}", now.timestamp(), now.timestamp_subsec_nanos());
        let options = EventsOptionsBuilder::default().since(&since).filters(&filters).build();
        let ended = EngineError::Unreachable { call: CALL, reason: "the stream ended".into() };
        self.streaming()
            .events(Some(options))
            .filter_map(|message| async {
                match message {
                    Ok(message) => EngineEvent::new(message).map(Ok),
                    Err(error) => Some(Err(EngineError::from_bollard(CALL, error))),
                }
            })
            .chain(stream::once(async { Err(ended) }))
            .boxed()
    }
}

impl EngineEvent {
    /// `None` for what we do not care about, or is not ours.
    fn new(message: EventMessage) -> Option<Self> {
        if message.typ != Some(EventMessageTypeEnum::CONTAINER) {
            return None;
        }
        let actor = message.actor?;
        let attributes = actor.attributes.unwrap_or_default();
        Some(Self {
            kind: EventKind::new(message.action.as_deref()?, &attributes)?,
            container_id: actor.id?,
            ownership: Ownership::from_labels(&attributes)?,
            at: message.time_nano.map(DateTime::from_timestamp_nanos),
        })
    }
}

impl EventKind {
    fn new(action: &str, attributes: &HashMap<String, String>) -> Option<Self> {
        Some(match action {
            "create" => Self::Create,
            "start" => Self::Start,
            "pause" => Self::Pause,
            "unpause" => Self::Unpause,
            "oom" => Self::Oom,
            "die" => Self::Die { exit_code: attributes.get("exitCode").and_then(|code| code.parse().ok()) },
            "destroy" => Self::Destroy,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstanceId;
    use crate::engine::Kind;

    #[test]
    fn an_exit_brings_its_code_and_whose_it_was() {
        let ownership = Ownership::of(InstanceId::random(), Kind::Preview);
        let mut attributes = ownership.to_labels();
        attributes.insert("exitCode".into(), "7".into());
        let message = |action: &str| {
            let text = serde_json::json!({
                "Type": "container", "Action": action, "timeNano": 1_500_000_000,
                "Actor": {"ID": "abc", "Attributes": attributes},
            });
            EngineEvent::new(serde_json::from_value(text).expect("a message"))
        };
        let died = message("die").expect("an event");
        assert_eq!(died.kind, EventKind::Die { exit_code: Some(7) });
        assert_eq!(died.ownership, ownership);
        assert_eq!(died.at.map(|at| at.timestamp_millis()), Some(1500));
        assert_eq!(message("exec_start: sh"), None);
    }
}
