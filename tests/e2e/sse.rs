//! Server-sent events, read as they come.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::http::Client;

pub struct Events {
    pub headers: HeaderMap,
    body: Incoming,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: u64,
    pub data: String,
}

impl Events {
    pub async fn open(client: &Client, path: &str) -> Self {
        let answer = client.open(Method::GET, path, Bytes::new()).await.expect("an answer");
        let (head, body) = answer.into_parts();
        assert_eq!(head.status, 200, "{head:?}");
        assert_eq!(head.headers["content-type"], "text/event-stream");
        Self { headers: head.headers, body, text: String::new() }
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let parsed = Event::parse(event);
                self.text = rest.to_owned();
                match parsed {
                    Some(event) => return Some(event),
                    None => continue, // a comment that keeps the stream open
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(60), self.body.frame());
            let frame = frame.await.expect("an event in time")?.expect("a whole stream");
            self.text.push_str(std::str::from_utf8(frame.data_ref()?).expect("UTF-8"));
        }
    }

    pub async fn all(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

impl Event {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let data = field("data: ")?.to_owned();
        Some(Self { id: field("id: ").expect("an id").parse().expect("a number"), data })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("JSON")
    }
}
