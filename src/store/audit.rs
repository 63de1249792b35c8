//! The trail of accesses and of what was changed: appended to, read by admins, bounded by age.

use chrono::{DateTime, Utc};

use super::db::{in_transaction, on_read, on_write};
use super::page::{Cursor, List};
use super::row::{RowName, read};
use super::{Fault, Page, PageOf, Store, StoreError};
use crate::domain::AuditEntry;

const TABLE: &str = "audit";

const APPEND: &str = "INSERT INTO audit
    (timestamp, actor, on_behalf, via, action, target, address, status, trace_id, times)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const LIST: &str =
    "SELECT id, timestamp, actor, on_behalf, via, action, target, address, status, trace_id, times
    FROM audit
    WHERE (CAST($1 AS TEXT) IS NULL OR actor = $1 OR on_behalf = $1)
      AND (CAST($2 AS TEXT) IS NULL OR action = $2)
      AND (CAST($3 AS TEXT) IS NULL OR target = $3)
      AND (CAST($4 AS BIGINT) IS NULL OR timestamp >= $4)
      AND (CAST($5 AS BIGINT) IS NULL OR timestamp < $5)
      AND (CAST($6 AS BIGINT) IS NULL OR id < $6)
    ORDER BY id DESC
    LIMIT $7";

const SWEEP: &str = "DELETE FROM audit WHERE timestamp < $1";

const LOCK: &str = "previewd audit";

/// What is `None` does not restrict it.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Whoever did it, or for whom it was done.
    pub user: Option<String>,
    pub action: Option<String>,
    pub target: Option<String>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: i64,
    timestamp: i64,
    actor: Option<String>,
    on_behalf: Option<String>,
    via: String,
    action: String,
    target: Option<String>,
    address: Option<String>,
    status: i64,
    trace_id: Option<String>,
    times: i64,
}

impl Store {
    /// All of them, or none.
    pub async fn append_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let append = async {
            in_transaction!(self.db, LOCK, |tx| {
                for entry in entries {
                    sqlx::query(APPEND)
                        .bind(entry.timestamp.timestamp_millis())
                        .bind(entry.actor.as_deref())
                        .bind(entry.on_behalf.as_deref())
                        .bind(&entry.via)
                        .bind(&entry.action)
                        .bind(entry.target.as_deref())
                        .bind(entry.address.as_deref())
                        .bind(i64::from(entry.status))
                        .bind(entry.trace_id.as_deref())
                        .bind(i64::try_from(entry.times).unwrap_or(i64::MAX))
                        .execute(&mut *tx)
                        .await?;
                }
            });
            Ok::<_, Fault>(())
        };
        self.run(StoreError::AppendAudit, append).await
    }

    /// Newest first.
    pub async fn audit(&self, filter: &AuditFilter, page: Page) -> Result<PageOf<AuditEntry>, StoreError> {
        let before = page.cursor(List::Audit)?.map(|before| before.at);
        let find = async {
            let rows: Vec<AuditRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(filter.user.as_deref())
                .bind(filter.action.as_deref())
                .bind(filter.target.as_deref())
                .bind(filter.since.map(|at| at.timestamp_millis()))
                .bind(filter.until.map(|at| at.timestamp_millis()))
                .bind(before)
                .bind(page.fetch())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "via", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(AuditRow::into_entry).collect::<Result<Vec<_>, _>>()
        };
        let entries = self.run(StoreError::ReadAudit, find).await?;
        let PageOf { items, next } =
            PageOf::of(entries, &page, List::Audit, |(id, _)| Cursor { at: *id, id: String::new() });
        Ok(PageOf { items: items.into_iter().map(|(_, entry)| entry).collect(), next })
    }

    /// Removes what happened before `oldest`.
    pub async fn sweep_audit(&self, oldest: DateTime<Utc>) -> Result<u64, StoreError> {
        let sweep = async {
            let gone = on_write!(self.db, |pool| sqlx::query(SWEEP)
                .bind(oldest.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected());
            Ok(gone)
        };
        self.run(StoreError::AppendAudit, sweep).await
    }
}

impl AuditRow {
    fn into_entry(self) -> Result<(i64, AuditEntry), Fault> {
        let name = RowName { table: TABLE, id: self.id.to_string() };
        let entry = AuditEntry {
            timestamp: name.time("timestamp", self.timestamp)?,
            actor: self.actor,
            on_behalf: self.on_behalf,
            via: self.via,
            action: self.action,
            target: self.target,
            address: self.address,
            status: name.number("status", self.status)?,
            trace_id: self.trace_id,
            times: name.number("times", self.times)?,
        };
        Ok((self.id, entry))
    }
}
