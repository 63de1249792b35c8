//! Lines of log: appended in batches, read by number, removed by age and count.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};

use super::db::{on_read, on_write};
use super::row::{RowName, read, to_count, to_json};
use super::{Fault, Store, StoreError};
use crate::domain::{LogLine, PreviewId};

const TABLE: &str = "preview_logs";

macro_rules! columns {
    () => {
        "preview_id, seq, timestamp, nanos, level, source, message, metadata, trace_id"
    };
}

const APPEND: &str = concat!("INSERT INTO preview_logs (", columns!(), ") ");

/// A line that is there already is the same line.
const UNLESS_THERE: &str = " ON CONFLICT (preview_id, seq) DO NOTHING";

const AFTER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM preview_logs WHERE preview_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
);

const BEFORE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM preview_logs WHERE preview_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3"
);

const LAST: &str = "SELECT COALESCE(max(seq), 0) FROM preview_logs WHERE preview_id = $1";

const TRIM: &str = "DELETE FROM preview_logs WHERE preview_id = $1 AND seq <= $2";

/// In pieces, so that others get their turn between them.
const EXPIRE: &str = "DELETE FROM preview_logs WHERE (preview_id, seq) IN
    (SELECT preview_id, seq FROM preview_logs WHERE timestamp < $1 ORDER BY timestamp LIMIT $2)";

const COUNT: &str = "SELECT count(*) FROM preview_logs";

const PIECE: i64 = 5000;

#[derive(sqlx::FromRow)]
struct LogRow {
    preview_id: String,
    seq: i64,
    timestamp: i64,
    nanos: i64,
    level: String,
    source: String,
    message: String,
    metadata: Option<String>,
    trace_id: Option<String>,
}

impl Store {
    /// Adds lines of a stored preview. Those that are there already stay as they are. At most
    /// some hundred at once: all are one statement.
    pub async fn append_logs(&self, preview: PreviewId, lines: &[&LogLine]) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let rows: Result<Vec<_>, _> = lines.iter().map(|line| LogRow::of(preview, line)).collect();
        let rows = rows.map_err(StoreError::AppendLogs)?;
        let append = async {
            on_write!(self.db, |pool| {
                let mut insert = sqlx::QueryBuilder::new(APPEND);
                insert.push_values(rows, |mut values, row: LogRow| {
                    values
                        .push_bind(row.preview_id)
                        .push_bind(row.seq)
                        .push_bind(row.timestamp)
                        .push_bind(row.nanos)
                        .push_bind(row.level)
                        .push_bind(row.source)
                        .push_bind(row.message)
                        .push_bind(row.metadata)
                        .push_bind(row.trace_id);
                });
                insert.push(UNLESS_THERE);
                // Of many lengths: not worth being remembered.
                insert.build().persistent(false).execute(pool).await.map(drop)
            })?;
            Ok(())
        };
        self.run(StoreError::AppendLogs, append).await
    }

    /// Up to `limit` lines after number `seq`, oldest first.
    pub async fn logs_after(
        &self,
        preview: PreviewId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>, StoreError> {
        self.logs(AFTER, preview, seq, limit).await
    }

    /// The newest up to `limit` lines before number `seq`, oldest first.
    pub async fn logs_before(
        &self,
        preview: PreviewId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>, StoreError> {
        let mut lines = self.logs(BEFORE, preview, seq, limit).await?;
        lines.reverse();
        Ok(lines)
    }

    /// Number of the newest line of a preview; 0 when there is none.
    pub async fn last_log(&self, preview: PreviewId) -> Result<u64, StoreError> {
        let find = async {
            let last: i64 = on_read!(self.db, |pool| sqlx::query_scalar(LAST)
                .bind(preview.to_string())
                .fetch_one(pool)
                .await?);
            Ok(u64::try_from(last).unwrap_or(0))
        };
        self.run(StoreError::ReadLogs, find).await
    }

    /// Removes the lines of a preview up to number `seq`.
    pub async fn trim_logs(&self, preview: PreviewId, seq: u64) -> Result<(), StoreError> {
        let trim = async {
            on_write!(self.db, |pool| sqlx::query(TRIM)
                .bind(preview.to_string())
                .bind(to_count(seq))
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::TrimLogs, trim).await
    }

    /// Removes lines older than `before`, and the oldest of those beyond `most`. How many.
    pub async fn expire_logs(&self, before: DateTime<Utc>, most: u64) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let piece = self.expire_piece(before, PIECE).await?;
            gone += piece;
            if piece == 0 {
                break;
            }
        }
        let count = async {
            Ok(on_read!(self.db, |pool| sqlx::query_scalar::<_, i64>(COUNT).fetch_one(pool).await?))
        };
        let mut over = self.run(StoreError::ReadLogs, count).await?.saturating_sub(to_count(most));
        // Lines of the future are no older than those of now.
        let any_time = Utc::now() + TimeDelta::days(1);
        while over > 0 {
            let piece = self.expire_piece(any_time, over.min(PIECE)).await?;
            gone += piece;
            over = if piece == 0 { 0 } else { over - to_count(piece) };
        }
        Ok(gone)
    }

    async fn expire_piece(&self, before: DateTime<Utc>, most: i64) -> Result<u64, StoreError> {
        let expire = async {
            Ok(on_write!(self.db, |pool| sqlx::query(EXPIRE)
                .bind(before.timestamp_millis())
                .bind(most)
                .execute(pool)
                .await?
                .rows_affected()))
        };
        self.run(StoreError::TrimLogs, expire).await
    }

    async fn logs(
        &self,
        sql: &'static str,
        preview: PreviewId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>, StoreError> {
        let find = async {
            let rows: Vec<LogRow> = on_read!(self.db, |pool| sqlx::query(sql)
                .bind(preview.to_string())
                .bind(to_count(seq))
                .bind(to_count(limit as u64))
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "preview_id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(LogRow::into_line).collect()
        };
        self.run(StoreError::ReadLogs, find).await
    }
}

impl LogRow {
    fn of(preview: PreviewId, line: &LogLine) -> Result<Self, Fault> {
        Ok(Self {
            preview_id: preview.to_string(),
            seq: to_count(line.seq),
            timestamp: line.timestamp.timestamp_millis(),
            nanos: i64::from(line.timestamp.nanosecond() % 1_000_000),
            level: line.level.as_str().to_owned(),
            source: line.source.as_str().to_owned(),
            message: line.message.clone(),
            metadata: line.metadata.as_ref().map(|data| to_json("metadata", data)).transpose()?,
            trace_id: line.trace_id.clone(),
        })
    }

    fn into_line(self) -> Result<LogLine, Fault> {
        let name = RowName { table: TABLE, id: format!("{}/{}", self.preview_id, self.seq) };
        let ms = name.time("timestamp", self.timestamp)?;
        Ok(LogLine {
            seq: name.number("seq", self.seq)?,
            timestamp: ms + TimeDelta::nanoseconds(self.nanos.clamp(0, 999_999)),
            level: name.word("level", &self.level)?,
            source: name.word("source", &self.source)?,
            message: self.message,
            metadata: self.metadata.map(|text| name.json("metadata", &text)).transpose()?.map(Box::new),
            trace_id: self.trace_id,
        })
    }
}
