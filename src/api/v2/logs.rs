//! A preview's log: the newest lines, and live.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};

use crate::api::auth::Caller;
use crate::api::extract::{Path, Query};
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned, sse};
use crate::domain::{Invalid, LogLevel, LogLine, LogSource, Preview};
use crate::streams::{LogEvent, LogFilter, Start};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// This level and worse.
    pub level: Option<String>,
    /// app, system, build, startup, request, database or error.
    pub source: Option<String>,
    /// Text within the message, in any case.
    pub search: Option<String>,
    /// Lines from this time on, RFC 3339.
    pub since: Option<DateTime<Utc>>,
    /// Lines to give, 1 to 1000, default 100; a stream may begin with 0.
    pub limit: Option<usize>,
    /// `nextCursor` of an earlier answer: lines after it.
    pub cursor: Option<u64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogPage {
    /// Oldest first.
    pub logs: Vec<LogLine>,
    /// Give it as `cursor` to get what came after these lines.
    pub next_cursor: Option<u64>,
}

/// The newest lines that match, oldest first.
#[utoipa::path(get, path = "/generations/{gid}/preview/logs", operation_id = "getLogs", tag = "previews",
    params(("gid" = String, Path), LogQuery),
    responses((status = 200, body = LogPage), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn newest(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    Ok(Json(page(&state, &preview, &query)?))
}

pub fn page(state: &AppState, preview: &Preview, query: &LogQuery) -> Result<LogPage, ApiError> {
    let limit = query.lines(1)?;
    let logs = state.logs.query(preview.id, &query.filter()?, limit);
    let next_cursor = logs.last().map(|line| line.seq).or(query.cursor);
    Ok(LogPage { logs, next_cursor })
}

/// The log live, as server-sent events. The last lines come first; `Last-Event-ID` resumes
/// after that line. A slow reader gets a `dropped` event with the exact count.
#[utoipa::path(get, path = "/generations/{gid}/preview/logs/stream", operation_id = "streamLogs", tag = "previews",
    params(("gid" = String, Path), LogQuery, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = LogLine), (status = 404, body = Problem)))]
pub async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let events = live(&state, &preview, &query, &headers, |line| sse::event(Some(line.seq), line))?;
    Ok(sse::respond(&state, events))
}

/// The lines of a preview as events of one face of the API.
pub fn live<V>(
    state: &AppState,
    preview: &Preview,
    query: &LogQuery,
    headers: &HeaderMap,
    view: V,
) -> Result<impl Stream<Item = Event> + Send + use<V>, ApiError>
where
    V: Fn(&LogLine) -> Event + Send + 'static,
{
    let filter = query.filter()?;
    let seen =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).or(query.cursor);
    let start = match seen {
        Some(seq) => Start::After(seq),
        None => Start::Newest(query.lines(0)?),
    };
    let subscription = state.logs.subscribe(preview.id, start);
    if !preview.status.is_live() {
        // Its lines may be forgotten; there is nothing to wait for.
        state.logs.end(preview.id);
    }
    Ok(stream::unfold((subscription, filter, view), |(mut subscription, filter, view)| async move {
        loop {
            let event = match subscription.recv().await? {
                LogEvent::Line(line) if filter.passes(&line) => view(&line),
                LogEvent::Line(_) => continue,
                LogEvent::Dropped { count, from_seq, to_seq } => {
                    let data = serde_json::json!({ "type": "dropped", "count": count, "fromSeq": from_seq, "toSeq": to_seq });
                    sse::event(Some(to_seq), &data).event("dropped")
                }
                LogEvent::Ended => return None,
            };
            return Some((event, (subscription, filter, view)));
        }
    }))
}

impl LogQuery {
    /// How many lines are wanted, from `least` to 1000.
    fn lines(&self, least: usize) -> Result<usize, Invalid> {
        let limit = self.limit.unwrap_or(100);
        match (least..=1000).contains(&limit) {
            true => Ok(limit),
            false => Err(Invalid::new("limit", format!("expected {least} to 1000"))),
        }
    }

    fn filter(&self) -> Result<LogFilter, ApiError> {
        let level = self.level.as_deref().map(str::parse::<LogLevel>).transpose()?;
        let source = self.source.as_deref().map(source).transpose()?;
        Ok(LogFilter {
            level,
            source,
            search: self.search.clone(),
            since: self.since,
            after_seq: self.cursor,
        })
    }
}

/// `subprocess` is what the first API calls the app.
fn source(word: &str) -> Result<LogSource, Invalid> {
    let word = if word == "subprocess" { "app" } else { word };
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| {
        Invalid::new("source", "expected app, system, build, startup, request, database or error")
    })
}
