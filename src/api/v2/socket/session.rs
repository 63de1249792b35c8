//! One client: what it hears, and what it is told.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use super::actions::{Action, Filters};
use super::checked_buffer;
use super::outbox::{Frames, Gone, Outbox};
use crate::api::AppState;
use crate::domain::{Invalid, Notice, NoticeContent, Preview, PreviewId};
use crate::streams::{LogEvent, LogFilter, LogHub, NoticeReader, Start, Subscription};

/// How often a client is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// How often it may not answer. A client that leaves unread what it was sent is not asked
/// meanwhile.
const UNANSWERED: u32 = 3;

/// Events taken together when they are there.
const TOGETHER: usize = 512;

/// Messages without meaning that a client may send.
const MOST_SLIPS: u32 = 20;

pub struct Session {
    logs: LogHub,
    preview: PreviewId,
    lines: Option<Subscription>,
    filter: LogFilter,
    notices: NoticeReader,
    /// The preview's state when the client came, when nothing newer is known.
    state: Option<NoticeContent>,
    frames: Frames,
    shutdown: CancellationToken,
    slips: u32,
}

/// Why a session ends.
enum End {
    /// The client is gone.
    Gone,
    /// The client says goodbye; it is answered while the rest is read.
    Goodbye,
    Close(u16, &'static str),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl Session {
    pub fn new(
        state: &AppState,
        preview: &Preview,
        lines: Subscription,
        filter: LogFilter,
        frames: Frames,
    ) -> Self {
        let notices = state.logs.notices().subscribe(preview.id);
        let now = NoticeContent::State { status: preview.status };
        Self {
            logs: state.logs.clone(),
            preview: preview.id,
            lines: Some(lines),
            filter,
            state: (!notices.knows_state()).then_some(now),
            notices,
            frames,
            shutdown: state.shutdown.clone(),
            slips: 0,
        }
    }

    pub async fn run(mut self, socket: WebSocket) {
        let (sink, mut incoming) = socket.split();
        let mut outbox = Outbox::new(sink, self.frames);
        let end = self.serve(&mut outbox, &mut incoming).await;
        if let End::Close(code, reason) = end {
            outbox.close(code, reason).await;
        }
        if !matches!(end, End::Gone) {
            // A connection that is dropped with unread bytes in it may take the goodbye along.
            let rest = async { while let Some(Ok(_)) = incoming.next().await {} };
            let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
        }
    }

    async fn serve(&mut self, outbox: &mut Outbox, incoming: &mut SplitStream<WebSocket>) -> End {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = self.shutdown.clone();
        let (mut unanswered, mut has_notices) = (0, true);
        if let Err(end) = self.greet(outbox).await {
            return end;
        }
        loop {
            let done = tokio::select! {
                biased;
                () = shutdown.cancelled() => Err(End::Close(1001, "the daemon goes; connect again")),
                message = incoming.next() => {
                    unanswered = 0;
                    self.hear(message, outbox).await
                }
                _ = heartbeat.tick() => match unanswered < UNANSWERED {
                    true => {
                        unanswered += 1;
                        outbox.ping().await.map_err(End::from)
                    }
                    false => Err(End::Gone),
                },
                notice = self.notices.recv(), if has_notices => match notice {
                    Some(notice) => tell(&notice, outbox).await,
                    None => {
                        has_notices = false;
                        Ok(())
                    }
                },
                event = next_of(&mut self.lines) => self.send(event, outbox).await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn greet(&mut self, outbox: &mut Outbox) -> Result<(), End> {
        if let Some(content) = self.state.take() {
            tell(&Notice { timestamp: chrono::Utc::now(), content }, outbox).await?;
        }
        Ok(())
    }

    /// Sends an event and those that are there already.
    async fn send(&mut self, first: Option<LogEvent>, outbox: &mut Outbox) -> Result<(), End> {
        let mut next = first;
        for room in (0..TOGETHER).rev() {
            match next {
                None => break,
                Some(LogEvent::Line(line)) if self.filter.passes(&line) => outbox.add(line.json()).await?,
                Some(LogEvent::Line(_)) => {}
                Some(LogEvent::Dropped { count, from_seq, to_seq }) => {
                    let members = json!({ "count": count, "fromSeq": from_seq, "toSeq": to_seq });
                    outbox.say("dropped", members).await?;
                }
                Some(LogEvent::Ended) => {
                    // Its last state was published before the end, and may not have been sent yet.
                    while let Some(notice) = self.notices.try_recv() {
                        tell(&notice, outbox).await?;
                    }
                    outbox.flush().await?;
                    return Err(End::Close(1000, "the preview has ended"));
                }
            }
            // Nothing is taken that is not sent.
            next = self.lines.as_mut().filter(|_| room > 0).and_then(Subscription::try_recv);
        }
        outbox.flush().await?;
        // A flood that passes no filter must leave others their turn too.
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn hear(
        &mut self,
        message: Option<Result<Message, axum::Error>>,
        outbox: &mut Outbox,
    ) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(text))) => self.act(&text, outbox).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(End::Close(1003, "send text")),
            Some(Ok(Message::Close(_))) => Err(End::Goodbye),
            None => Err(End::Gone),
            Some(Err(error)) => Err(end_of(&error)),
        }
    }

    async fn act(&mut self, text: &str, outbox: &mut Outbox) -> Result<(), End> {
        let done = match serde_json::from_str(text) {
            Ok(Action::Subscribe { filters, since, buffer }) => {
                self.subscribe(&filters, since, buffer).await.map_err(|error| error.to_string())
            }
            Ok(Action::Unsubscribe) => {
                self.lines = None;
                Ok(())
            }
            Ok(Action::Ping) => {
                outbox.say("pong", json!({})).await?;
                outbox.flush().await?;
                Ok(())
            }
            Err(error) => Err(format!("expected an action such as {{\"action\":\"ping\"}}: {error}")),
        };
        if let Err(detail) = done {
            self.slips += 1;
            if self.slips > MOST_SLIPS {
                return Err(End::Close(1008, "too many messages that mean nothing"));
            }
            outbox.say("error", json!({ "code": "invalid", "detail": detail })).await?;
            outbox.flush().await?;
        }
        Ok(())
    }

    /// Another filter goes on where the client is; past lines are for who asks for them.
    async fn subscribe(
        &mut self,
        filters: &Filters,
        since: Option<u64>,
        buffer: Option<usize>,
    ) -> Result<(), Invalid> {
        let filter = filters.filter()?;
        let buffer = buffer.map(checked_buffer).transpose()?;
        if let Some(seq) = since {
            self.lines = Some(self.logs.subscribe(self.preview, Start::After(seq)));
        } else if self.lines.is_none() || buffer.is_some() {
            let lines = self.logs.subscribe_filtered(self.preview, &filter, buffer.unwrap_or(0)).await;
            let unreadable = |_| Invalid::new("buffer", "past lines cannot be read now; ask for none");
            self.lines = Some(lines.map_err(unreadable)?);
        }
        self.filter = filter;
        Ok(())
    }
}

/// The next event of a client that is subscribed.
async fn next_of(lines: &mut Option<Subscription>) -> Option<LogEvent> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

async fn tell(notice: &Notice, outbox: &mut Outbox) -> Result<(), End> {
    let text = serde_json::to_string(notice).unwrap_or_default();
    outbox.add(&text).await?;
    outbox.flush().await?;
    Ok(())
}

/// What to answer to a frame that is none.
fn end_of(error: &axum::Error) -> End {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => return End::Close(1009, "at most 16 KiB"),
            Some(tungstenite::Error::Utf8(_)) => return End::Close(1007, "not UTF-8"),
            Some(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return End::Gone,
            Some(tungstenite::Error::Protocol(_)) => return End::Close(1002, "not a WebSocket frame"),
            _ => cause = error.source(),
        }
    }
    End::Gone
}
