//! The way to the client: messages into frames, frames out within a deadline.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use chrono::{SecondsFormat, Utc};
use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use serde::Deserialize;
use serde_json::{Value, json};

/// How many messages a text frame carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frames {
    #[default]
    One,
    /// As many as there are, each on a line of its own.
    Many,
}

/// How long a client may leave unread what it was sent before it is given up. It may stop
/// reading for a while and go on: what it lost it is told.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of messages in one frame, about.
const FRAME: usize = 64 * 1024;

pub struct Outbox {
    sink: SplitSink<WebSocket, Message>,
    frames: Frames,
    /// Messages of a frame that is not full yet.
    pending: String,
    /// Bytes since the last flush.
    unflushed: usize,
}

/// The client is gone, or as good as.
pub struct Gone;

impl Outbox {
    pub fn new(sink: SplitSink<WebSocket, Message>, frames: Frames) -> Self {
        Self { sink, frames, pending: String::new(), unflushed: 0 }
    }

    /// Adds a message, which is on one line.
    pub async fn add(&mut self, message: &str) -> Result<(), Gone> {
        match self.frames {
            Frames::One => self.feed(Message::Text(Utf8Bytes::from(message))).await,
            Frames::Many => {
                if !self.pending.is_empty() {
                    self.pending.push('\n');
                }
                self.pending.push_str(message);
                if self.pending.len() < FRAME { Ok(()) } else { self.end_frame().await }
            }
        }
    }

    /// One with its time, from its other members.
    pub async fn say(&mut self, kind: &str, members: Value) -> Result<(), Gone> {
        let mut message = json!({ "type": kind, "timestamp": now() });
        if let (Value::Object(all), Value::Object(more)) = (&mut message, members) {
            all.extend(more);
        }
        self.add(&message.to_string()).await
    }

    /// Sends what was added.
    pub async fn flush(&mut self) -> Result<(), Gone> {
        self.end_frame().await?;
        self.unflushed = 0;
        within(self.sink.flush()).await
    }

    pub async fn ping(&mut self) -> Result<(), Gone> {
        within(self.sink.send(Message::Ping(Default::default()))).await
    }

    /// Says why it ends.
    pub async fn close(&mut self, code: u16, reason: &'static str) {
        let _ = self.end_frame().await;
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let goodbye = self.sink.send(Message::Close(Some(frame)));
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }

    async fn end_frame(&mut self) -> Result<(), Gone> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.pending);
        self.feed(Message::Text(frame.into())).await
    }

    async fn feed(&mut self, message: Message) -> Result<(), Gone> {
        if let Message::Text(text) = &message {
            self.unflushed += text.len();
        }
        within(self.sink.feed(message)).await?;
        if self.unflushed >= FRAME {
            self.unflushed = 0;
            within(self.sink.flush()).await?;
        }
        Ok(())
    }
}

pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

async fn within(sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Gone> {
    match tokio::time::timeout(PATIENCE, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}
