//! Server-sent events with the headers every proxy needs to see.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};

use super::AppState;

/// Comments keep an idle stream open through proxies that close silent connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The stream ends with the daemon: a client that follows a log must not hold the shutdown up.
pub fn respond(state: &AppState, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let ending = state.shutdown.clone().cancelled_owned();
    let open = state.orchestrator.metrics().sse();
    let events = events.take_until(ending).map(move |event| {
        // Dropped with the stream: then it has closed.
        let _open = &open;
        Ok::<_, Infallible>(event)
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// One event carrying JSON. `id` lets a client resume after it.
pub fn event(id: Option<u64>, data: &impl serde::Serialize) -> Event {
    text(id, &serde_json::to_string(data).unwrap_or_default())
}

/// The same with JSON that is there already, on one line.
pub fn text(id: Option<u64>, json: &str) -> Event {
    let event = Event::default().data(json);
    match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}
