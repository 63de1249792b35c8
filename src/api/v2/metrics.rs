//! What a preview used and how it served, over time.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::api::auth::Caller;
use crate::api::extract::{Path, Query};
use crate::api::problem::{ApiError, Problem};
use crate::api::{AppState, owned};
use crate::domain::{Invalid, MetricPoint, Preview, coarser, step_of};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MetricsQuery {
    /// RFC 3339; an hour before `end` unless given.
    start: Option<DateTime<Utc>>,
    /// RFC 3339; now unless given.
    end: Option<DateTime<Utc>>,
    /// Seconds of a step, 1 to 86400; unless given, such that there are some 300 steps. What is
    /// older was kept in coarser steps, and is told in those where they are longer.
    #[param(minimum = 1, maximum = 86400)]
    step: Option<u32>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsView {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    /// Seconds.
    step: u32,
    metrics: Metrics,
}

/// Oldest first. A step in which nothing was measured, or nobody came, is left out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// MiB.
    memory: Vec<Value>,
    /// Percent of the cores the preview may use.
    cpu: Vec<Value>,
    /// MiB of its writable layer and volumes.
    disk: Vec<Value>,
    /// Requests per minute.
    requests: Vec<Value>,
    response_time: Vec<ResponseTime>,
    errors: Vec<Errors>,
    /// Bytes from visitors, and to them.
    traffic: Vec<TrafficView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Value {
    timestamp: DateTime<Utc>,
    value: f64,
}

/// Milliseconds; `value` is the average.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ResponseTime {
    timestamp: DateTime<Utc>,
    value: f64,
    p95: f64,
    p99: f64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Errors {
    timestamp: DateTime<Utc>,
    count: u64,
    /// server_error, unreachable, timeout, bad_answer or broken_off.
    r#type: &'static str,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficView {
    timestamp: DateTime<Utc>,
    bytes_in: u64,
    bytes_out: u64,
}

/// As many steps as an answer may have.
const MOST_STEPS: i64 = 11_000;
/// As many as it has when nobody says.
const USUAL_STEPS: i64 = 300;
/// The finest there is.
const FINEST: u32 = 10;

/// What is asked for, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    step_s: u32,
}

/// Memory, CPU, response times and errors of the preview in steps of time.
#[utoipa::path(get, path = "/generations/{gid}/preview/metrics", operation_id = "getPreviewMetrics", tag = "previews",
    params(("gid" = String, Path), MetricsQuery),
    responses((status = 200, body = MetricsView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(gid): Path<String>,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<MetricsView>, ApiError> {
    let preview = owned::preview(&state, &caller, &gid).await?;
    let range = query.range(Utc::now())?;
    let points = history(&state, &preview, range).await?;
    let Range { start, end, step_s: step } = range;
    Ok(Json(MetricsView { start, end, step, metrics: Metrics::of(&points) }))
}

async fn history(state: &AppState, preview: &Preview, range: Range) -> Result<Vec<MetricPoint>, ApiError> {
    let start = step_of(range.start, range.step_s);
    let points = state.orchestrator.history(preview.id, start, range.end).await?;
    Ok(coarser(points, range.step_s))
}

impl MetricsQuery {
    fn range(&self, now: DateTime<Utc>) -> Result<Range, Invalid> {
        let end = self.end.unwrap_or(now);
        // Of the first moments that can be written there is no hour before.
        let start = self.start.or_else(|| end.checked_sub_signed(TimeDelta::hours(1)));
        let start = start.ok_or_else(|| Invalid::new("end", "expected a later time"))?;
        if start >= end {
            return Err(Invalid::new("start", "expected a time before end"));
        }
        let seconds = (end - start).num_seconds();
        let step_s = match self.step {
            Some(step @ 1..=86_400) => step,
            Some(_) => return Err(Invalid::new("step", "expected 1 to 86400 seconds")),
            None => usual_step(seconds),
        };
        if seconds / i64::from(step_s) > MOST_STEPS {
            return Err(Invalid::new("step", format!("expected one that makes at most {MOST_STEPS} steps")));
        }
        Ok(Range { start, end, step_s })
    }
}

/// Whole tens of seconds.
fn usual_step(seconds: i64) -> u32 {
    let step = u32::try_from(seconds / USUAL_STEPS).unwrap_or(86_400).min(86_400);
    step.div_ceil(FINEST).max(1) * FINEST
}

impl Metrics {
    fn of(points: &[MetricPoint]) -> Self {
        let values = |value: fn(&MetricPoint) -> Option<f64>| {
            let of = |point: &MetricPoint| Some(Value { timestamp: point.at, value: value(point)? });
            points.iter().filter_map(of).collect()
        };
        let visited = || points.iter().filter(|point| point.traffic.requests() > 0);
        Self {
            memory: values(|point| point.memory_mb),
            cpu: values(|point| point.cpu_percent),
            disk: values(|point| point.disk_mb),
            requests: values(|point| Some(point.requests_per_minute())),
            response_time: visited().map(ResponseTime::of).collect(),
            errors: points.iter().flat_map(Errors::of).collect(),
            traffic: points.iter().map(TrafficView::of).collect(),
        }
    }
}

impl ResponseTime {
    fn of(point: &MetricPoint) -> Self {
        let latencies = &point.traffic.latencies;
        Self {
            timestamp: point.at,
            value: latencies.average_ms(),
            p95: latencies.percentile_ms(95.0),
            p99: latencies.percentile_ms(99.0),
        }
    }
}

impl Errors {
    fn of(point: &MetricPoint) -> impl Iterator<Item = Self> {
        let timestamp = point.at;
        point.traffic.errors.iter().map(move |(kind, count)| Self { timestamp, count, r#type: kind.as_str() })
    }
}

impl TrafficView {
    const fn of(point: &MetricPoint) -> Self {
        let (bytes_in, bytes_out) = (point.traffic.bytes_in, point.traffic.bytes_out);
        Self { timestamp: point.at, bytes_in, bytes_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: Option<i64>, end: Option<i64>, step: Option<u32>) -> Result<Range, String> {
        let at = |seconds: i64| DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time");
        let query = MetricsQuery { start: start.map(at), end: end.map(at), step };
        query.range(at(0)).map_err(|invalid| invalid.field)
    }

    #[test]
    fn what_is_not_said_is_the_last_hour_in_some_hundred_steps() {
        let last = range(None, None, None).expect("valid");
        assert_eq!(((last.end - last.start).num_seconds(), last.step_s), (3600, 20));
        let day = range(Some(-86_400), None, None).expect("valid");
        assert_eq!(day.step_s, 290);
        assert_eq!(range(Some(-60), Some(0), None).map(|range| range.step_s), Ok(10));
    }

    #[test]
    fn times_at_the_ends_of_the_calendar_are_refused_or_answered() {
        let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        let hour = TimeDelta::hours(1);
        let range = |start, end| {
            let range = MetricsQuery { start, end, step: None }.range(Utc::now());
            range.map(|range| (range.start, range.end)).map_err(|invalid| invalid.field)
        };
        assert_eq!(range(None, Some(first)), Err("end".to_owned()));
        assert_eq!(range(None, Some(first + hour)), Ok((first, first + hour)));
        assert_eq!(range(Some(first), None), Err("step".to_owned()));
        assert_eq!(range(Some(first), Some(last)), Err("step".to_owned()));
        assert_eq!(range(None, Some(last)), Ok((last - hour, last)));
        assert_eq!(step_of(first, 7), first, "no step begins before it");
    }

    #[test]
    fn what_makes_no_sense_names_its_parameter() {
        assert_eq!(range(Some(0), Some(0), None), Err("start".to_owned()));
        assert_eq!(range(None, None, Some(0)), Err("step".to_owned()));
        assert_eq!(range(None, None, Some(86_401)), Err("step".to_owned()));
        assert_eq!(range(Some(-86_400), None, Some(1)), Err("step".to_owned()));
    }
}
