//! A preview's log: the newest lines, and live as server-sent events. The same address upgraded
//! to a WebSocket is in [`super::socket`].

use axum::Json;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};

use super::socket;
use crate::api::auth::Caller;
use crate::api::extract::{self, Path, Query};
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned, sse};
use crate::domain::{Invalid, LogLevel, LogLine, LogSource, Preview, text};
use crate::streams::{LogEvent, LogFilter, Search, Sources, Start, StreamLine};

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// This level and worse.
    #[param(value_type = Option<LogLevel>, inline)]
    pub level: Option<String>,
    /// Any of app, system, build, startup, request, database, error, with commas.
    #[param(value_type = Option<text::Sources>, inline)]
    pub source: Option<String>,
    /// Text within the message, in any case.
    #[param(max_length = 1000)]
    pub search: Option<String>,
    /// Lines from this time on, RFC 3339.
    pub since: Option<DateTime<Utc>>,
    /// Lines before this time, RFC 3339.
    pub until: Option<DateTime<Utc>>,
    /// Lines to give, 1 to 1000, default 100; a stream may begin with 0.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
    /// `nextCursor` of an earlier answer: lines after it.
    pub cursor: Option<u64>,
    /// The number of a line: lines before it.
    pub before: Option<u64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogPage {
    /// Oldest first.
    pub logs: Vec<LogLine>,
    /// Give it as `cursor` to get what came after these lines.
    pub next_cursor: Option<u64>,
}

/// The newest lines that match, oldest first; also of a preview that has ended.
///
/// Upgraded to a WebSocket (`?token={previewToken}&level=INFO&buffer=100`) the same address sends
/// lines, figures, health and state live, and takes `subscribe`, `unsubscribe` and `ping`.
#[utoipa::path(get, path = "/generations/{gid}/preview/logs", operation_id = "getLogs", tag = "previews",
    params(("gid" = String, Path), LogQuery),
    responses((status = 101, description = "A WebSocket, when the request asks for one"),
        (status = 200, body = LogPage), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn newest(
    State(state): State<AppState>,
    caller: Result<Caller, ApiError>,
    Path(gid): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    if let Ok(upgrade) = upgrade {
        return socket::open(&state, caller.ok(), &gid, &uri, &headers, upgrade).await;
    }
    let caller = caller?;
    let query: LogQuery = extract::query(&uri)?;
    let preview = owned::preview(&state, &caller, &gid).await?;
    Ok(Json(page(&state, &preview, &query).await?).into_response())
}

pub async fn page(state: &AppState, preview: &Preview, query: &LogQuery) -> Result<LogPage, ApiError> {
    let limit = query.lines(1)?;
    let filter = query.filter()?;
    opened(state, preview).await?;
    let found = state.logs.query(preview.id, &filter, limit).await?;
    let logs: Vec<LogLine> = found.iter().map(|line| line.line().clone()).collect();
    let next_cursor = logs.last().map(|line| line.seq).or(query.cursor);
    Ok(LogPage { logs, next_cursor })
}

/// Makes sure that the log of a preview can be read, which may be one of an earlier run.
pub async fn opened(state: &AppState, preview: &Preview) -> Result<(), ApiError> {
    state.logs.open(preview.id).await?;
    if !preview.status.is_live() {
        state.logs.end(preview.id);
    }
    Ok(())
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
    let view = |line: &StreamLine| sse::text(Some(line.seq), line.json());
    let events = live(&state, &preview, &query, &headers, view).await?;
    Ok(sse::respond(&state, events))
}

/// The lines of a preview as events of one face of the API.
pub async fn live<V>(
    state: &AppState,
    preview: &Preview,
    query: &LogQuery,
    headers: &HeaderMap,
    view: V,
) -> Result<impl Stream<Item = Event> + Send + use<V>, ApiError>
where
    V: Fn(&StreamLine) -> Event + Send + 'static,
{
    let mut filter = query.filter()?;
    let lines = query.lines(0)?;
    let seen =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok()).or(query.cursor);
    opened(state, preview).await?;
    filter.after_seq = None;
    let subscription = match seen {
        Some(seq) => state.logs.subscribe(preview.id, Start::After(seq)),
        None => state.logs.subscribe_filtered(preview.id, &filter, lines).await?,
    };
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

    fn filter(&self) -> Result<LogFilter, Invalid> {
        let filter = filter(self.level.as_deref(), self.source.as_deref(), self.search.as_deref())?;
        Ok(LogFilter {
            since: self.since,
            until: self.until,
            after_seq: self.cursor,
            before_seq: self.before,
            ..filter
        })
    }
}

/// The filter that every way to a log understands: level, sources with commas, text.
pub fn filter(level: Option<&str>, source: Option<&str>, search: Option<&str>) -> Result<LogFilter, Invalid> {
    /// Longer than anybody types, shorter than what costs.
    const LONGEST: usize = 1000;
    if search.is_some_and(|text| text.chars().count() > LONGEST) {
        return Err(Invalid::new("search", format!("expected at most {LONGEST} characters")));
    }
    let sources = |text: &str| {
        text.split(',').map(|word| word.trim().parse::<LogSource>()).collect::<Result<Sources, _>>()
    };
    Ok(LogFilter {
        level: level.map(str::parse::<LogLevel>).transpose()?,
        sources: source.map(sources).transpose()?,
        search: search.filter(|text| !text.is_empty()).map(Search::new),
        ..LogFilter::default()
    })
}
