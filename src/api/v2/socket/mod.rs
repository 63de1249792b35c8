//! A preview's log as a WebSocket: lines, figures, health and state, live.
//!
//! Every message is a JSON object with `type` and `timestamp`, in a text frame of its own; so
//! simple clients parse one frame at a time. A client that asks for `frames=many` gets as many
//! messages as there are in one frame, each on a line of its own, which costs both sides a
//! fraction of the work in a flood.
//!
//! | close code | says |
//! |---|---|
//! | 1000 | the preview has ended, and all its lines were sent |
//! | 1001 | the daemon goes; connect again with `since` |
//! | 1002, 1007 | what came is no WebSocket frame, no UTF-8 |
//! | 1003 | binary messages mean nothing here |
//! | 1008 | too many messages that mean nothing |
//! | 1009 | a message was longer than 16 KiB |

mod actions;
mod outbox;
mod session;

use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Deserialize;

use self::outbox::Frames;
use self::session::Session;
use super::logs::{filter, opened};
use crate::api::auth::Caller;
use crate::api::extract;
use crate::api::problem::ApiError;
use crate::api::{AppState, owned};
use crate::domain::{Invalid, Preview};
use crate::streams::Start;

/// Most of the past lines that one may ask for.
const MOST_BUFFER: usize = 1000;

/// A message of a client is a filter at most.
const LONGEST_MESSAGE: usize = 16 * 1024;

/// What the address of the socket says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SocketQuery {
    token: Option<String>,
    level: Option<String>,
    source: Option<String>,
    search: Option<String>,
    /// Past lines that come first, 0 to 1000, default 100.
    buffer: Option<usize>,
    /// The number of the last line seen: all after it come first.
    since: Option<u64>,
    #[serde(default)]
    frames: Frames,
}

/// Answers a request that wants to become a socket.
pub async fn open(
    state: &AppState,
    caller: Option<Caller>,
    gid: &str,
    uri: &Uri,
    headers: &HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let query: SocketQuery = extract::query(uri)?;
    let preview = permitted(state, caller.as_ref(), gid, query.token.as_deref()).await?;
    state.config.origins.check(headers)?;
    let filter = filter(query.level.as_deref(), query.source.as_deref(), query.search.as_deref())?;
    let buffer = checked_buffer(query.buffer.unwrap_or(100))?;
    opened(state, &preview).await?;
    let lines = match query.since {
        Some(seq) => state.logs.subscribe(preview.id, Start::After(seq)),
        None => state.logs.subscribe_filtered(preview.id, &filter, buffer).await?,
    };
    let session = Session::new(state, &preview, lines, filter, query.frames);
    let (tasks, open) = (state.sockets.clone(), state.orchestrator.metrics().websocket());
    let upgrade = upgrade.max_message_size(LONGEST_MESSAGE).max_frame_size(LONGEST_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| tasks.track_future(open.during(session.run(socket)))))
}

fn checked_buffer(buffer: usize) -> Result<usize, Invalid> {
    match buffer <= MOST_BUFFER {
        true => Ok(buffer),
        false => Err(Invalid::new("buffer", format!("expected 0 to {MOST_BUFFER}"))),
    }
}

/// The preview, for who shows its token or a bearer token of its owner.
async fn permitted(
    state: &AppState,
    caller: Option<&Caller>,
    gid: &str,
    token: Option<&str>,
) -> Result<Preview, ApiError> {
    match (token, caller) {
        (Some(token), _) => {
            let generation = owned::generation_id(gid)?;
            let found = state.orchestrator.preview_with_token(&generation, token);
            found.ok_or(ApiError::BadPreviewToken(
                "this is not the token of a live preview of this generation",
            ))
        }
        (None, Some(caller)) => owned::preview(state, caller, gid).await,
        (None, None) => Err(ApiError::NoToken),
    }
}
