//! The history of what previews used and how they served, and what each used last.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::db::{in_transaction, on_read, on_write};
use super::row::{RowName, read, to_count, to_json};
use super::{Fault, Store, StoreError};
use crate::domain::{
    ErrorCounts, ErrorKind, Latencies, MetricPoint, PreviewId, TrafficTotals, coarser, step_of,
};

/// What a preview's container used when it was last looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct LastUse {
    pub preview: PreviewId,
    pub at: DateTime<Utc>,
    /// A JSON object of figures.
    pub usage: serde_json::Value,
}

const TABLE: &str = "preview_metrics";

/// Serialises what rewrites the history on all daemons.
const LOCK: &str = "previewd metrics";

/// Points read at once: a month of the coarsest steps is 4,320.
const MOST_POINTS: i64 = 20_000;

/// Fine steps taken together in one transaction.
const BATCH: i64 = 5_000;

macro_rules! columns {
    () => {
        "preview_id, timestamp, step_s, memory_usage_mb, cpu_usage_percent, disk_usage_mb, \
         bytes_in, bytes_out, errors, latencies"
    };
}

/// Writes nothing when the preview was deleted meanwhile, or the step is there already.
const INSERT: &str = concat!(
    "INSERT INTO preview_metrics (",
    columns!(),
    ", requests, requests_per_minute, avg_response_time_ms, p95_response_time_ms, p99_response_time_ms,
       error_rate_percent)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
     WHERE EXISTS (SELECT 1 FROM preview_instances WHERE id = $1)
     ON CONFLICT (preview_id, timestamp) DO NOTHING"
);

const USE: &str = "UPDATE preview_instances SET resource_usage = $2, last_resource_check = $3 WHERE id = $1";

const RANGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM preview_metrics WHERE preview_id = $1 AND timestamp >= $2 AND timestamp < $3
      ORDER BY timestamp LIMIT $4"
);

const AT: &str =
    concat!("SELECT ", columns!(), " FROM preview_metrics WHERE preview_id = $1 AND timestamp = $2");

const FINER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM preview_metrics WHERE step_s < $1 AND timestamp < $2 ORDER BY preview_id, timestamp LIMIT $3"
);

const DROP_FINER: &str = "DELETE FROM preview_metrics
    WHERE preview_id = $1 AND step_s < $2 AND timestamp >= $3 AND timestamp <= $4";

const DROP_OLD: &str = "DELETE FROM preview_metrics WHERE timestamp < $1";

#[derive(sqlx::FromRow)]
struct MetricRow {
    preview_id: String,
    timestamp: i64,
    step_s: i64,
    memory_usage_mb: Option<f64>,
    cpu_usage_percent: Option<f64>,
    disk_usage_mb: Option<f64>,
    bytes_in: Option<i64>,
    bytes_out: Option<i64>,
    errors: Option<String>,
    latencies: Option<String>,
}

macro_rules! bind_point {
    ($preview:expr, $point:expr) => {{
        let (point, traffic) = ($point, &$point.traffic);
        sqlx::query(INSERT)
            .bind($preview.to_string())
            .bind(point.at.timestamp_millis())
            .bind(i64::from(point.step_s))
            .bind(point.memory_mb)
            .bind(point.cpu_percent)
            .bind(point.disk_mb)
            .bind(to_count(traffic.bytes_in))
            .bind(to_count(traffic.bytes_out))
            .bind(errors_text(&traffic.errors)?)
            .bind((traffic.requests() > 0).then(|| traffic.latencies.to_text()))
            .bind(to_count(traffic.requests()))
            .bind(point.requests_per_minute())
            .bind(traffic.latencies.average_ms())
            .bind(traffic.latencies.percentile_ms(95.0))
            .bind(traffic.latencies.percentile_ms(99.0))
            .bind(point.error_rate_percent())
    }};
}

/// Writes a step, together with what is there of it already. In a transaction of either backend.
macro_rules! put_point {
    ($tx:ident, $preview:expr, $point:expr) => {{
        let (preview, point): (&PreviewId, &MetricPoint) = ($preview, $point);
        let written = bind_point!(preview, point).execute(&mut *$tx).await?.rows_affected();
        let (id, at) = (preview.to_string(), point.at.timestamp_millis());
        let there = match written {
            0 => sqlx::query(AT).bind(&id).bind(at).fetch_optional(&mut *$tx).await?,
            _ => None,
        };
        if let Some(row) = there {
            let there: MetricRow = read(TABLE, "preview_id", &row)?;
            let there = there.into_point()?;
            let step_s = there.step_s.max(point.step_s);
            let drop = sqlx::query(DROP_FINER).bind(&id).bind(i64::from(step_s) + 1).bind(at).bind(at);
            drop.execute(&mut *$tx).await?;
            for both in &coarser([there, point.clone()], step_s) {
                bind_point!(preview, both).execute(&mut *$tx).await?;
            }
        }
    }};
}

impl Store {
    /// Writes steps of the history, and what containers used last, all or nothing. A step that is
    /// there already, because an earlier run of the daemon ended in the middle of it, is taken
    /// together with the new one.
    pub async fn record_metrics(
        &self,
        points: &[(PreviewId, MetricPoint)],
        uses: &[LastUse],
    ) -> Result<(), StoreError> {
        let record = async {
            in_transaction!(self.db, LOCK, |tx| {
                for (preview, point) in points {
                    put_point!(tx, preview, point);
                }
                for last in uses {
                    let query = sqlx::query(USE).bind(last.preview.to_string());
                    let query = query.bind(to_json("resource_usage", &last.usage)?);
                    query.bind(last.at.timestamp_millis()).execute(&mut *tx).await?;
                }
            });
            Ok(())
        };
        self.run(StoreError::RecordMetrics, record).await
    }

    /// The steps of a preview that begin from `start` until before `end`, oldest first.
    pub async fn metrics(
        &self,
        preview: PreviewId,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Result<Vec<MetricPoint>, StoreError> {
        let find = async {
            let rows: Vec<MetricRow> = on_read!(self.db, |pool| sqlx::query(RANGE)
                .bind(preview.to_string())
                .bind(start.timestamp_millis())
                .bind(end.timestamp_millis())
                .bind(MOST_POINTS)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "preview_id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(MetricRow::into_point).collect()
        };
        self.run(StoreError::ReadMetrics, find).await
    }

    /// Takes all steps shorter than `step_s` seconds that lie before `before` together to steps of
    /// that length. How many there were.
    pub async fn age_metrics(&self, step_s: u32, before: DateTime<Utc>) -> Result<u64, StoreError> {
        // Only whole steps: what is not over yet stays as it is.
        let before = step_of(before, step_s);
        let mut all = 0;
        loop {
            let aged = self.run(StoreError::AgeMetrics, self.age_some(step_s, before)).await?;
            all += aged;
            if aged == 0 {
                return Ok(all);
            }
        }
    }

    async fn age_some(&self, step_s: u32, before: DateTime<Utc>) -> Result<u64, Fault> {
        let aged = in_transaction!(self.db, LOCK, |tx| {
            let rows: Vec<MetricRow> = sqlx::query(FINER)
                .bind(i64::from(step_s))
                .bind(before.timestamp_millis())
                .bind(BATCH)
                .fetch_all(&mut *tx)
                .await?
                .iter()
                .map(|row| read(TABLE, "preview_id", row))
                .collect::<Result<_, _>>()?;
            let steps = whole_steps(rows, step_s)?;
            let mut aged = 0;
            for (preview, points) in steps {
                let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
                sqlx::query(DROP_FINER)
                    .bind(preview.to_string())
                    .bind(i64::from(step_s))
                    .bind(first.at.timestamp_millis())
                    .bind(last.at.timestamp_millis())
                    .execute(&mut *tx)
                    .await?;
                aged += points.len() as u64;
                for point in &coarser(points, step_s) {
                    put_point!(tx, &preview, point);
                }
            }
            aged
        });
        Ok(aged)
    }

    /// Removes what begins before then. How many steps.
    pub async fn drop_metrics(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let drop = async {
            Ok(on_write!(self.db, |pool| sqlx::query(DROP_OLD)
                .bind(before.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected()))
        };
        self.run(StoreError::AgeMetrics, drop).await
    }
}

/// The steps by preview. A batch that ends because it is full may end in the middle of a coarse
/// step: that one is left for the next batch.
fn whole_steps(rows: Vec<MetricRow>, step_s: u32) -> Result<BTreeMap<PreviewId, Vec<MetricPoint>>, Fault> {
    let is_full = rows.len() as i64 == BATCH;
    let mut last = None;
    let mut of = BTreeMap::<PreviewId, Vec<MetricPoint>>::new();
    for row in rows {
        let name = RowName { table: TABLE, id: row.preview_id.clone() };
        let preview = name.parsed("preview_id", PreviewId::parse(&row.preview_id))?;
        let point = row.into_point()?;
        last = Some((preview, step_of(point.at, step_s)));
        of.entry(preview).or_default().push(point);
    }
    if let (true, Some((preview, step))) = (is_full, last)
        && let Some(points) = of.get_mut(&preview)
    {
        points.retain(|point| step_of(point.at, step_s) != step);
    }
    Ok(of)
}

impl MetricRow {
    fn into_point(self) -> Result<MetricPoint, Fault> {
        let name = RowName { table: TABLE, id: self.preview_id };
        let latencies = match &self.latencies {
            Some(text) => Latencies::parse(text).ok_or_else(|| name.bad("latencies", "no histogram"))?,
            None => Latencies::none(),
        };
        let errors: BTreeMap<String, u64> =
            self.errors.map(|text| name.json("errors", &text)).transpose()?.unwrap_or_default();
        let traffic = TrafficTotals {
            latencies,
            errors: ErrorCounts::from_counts(|kind| errors.get(kind.as_str()).copied().unwrap_or(0)),
            bytes_in: name.number("bytes_in", self.bytes_in.unwrap_or(0))?,
            bytes_out: name.number("bytes_out", self.bytes_out.unwrap_or(0))?,
        };
        Ok(MetricPoint {
            at: name.time("timestamp", self.timestamp)?,
            step_s: name.number("step_s", self.step_s)?,
            memory_mb: self.memory_usage_mb,
            cpu_percent: self.cpu_usage_percent,
            disk_mb: self.disk_usage_mb,
            traffic,
        })
    }
}

fn errors_text(errors: &ErrorCounts) -> Result<Option<String>, Fault> {
    let words: BTreeMap<&str, u64> =
        errors.iter().map(|(kind, count)| (ErrorKind::as_str(kind), count)).collect();
    (!words.is_empty()).then(|| to_json("errors", &words)).transpose()
}
