//! Events on their way to the addresses that want to hear of them: an outbox that is written with
//! the event, and emptied by whoever sends.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::db::{in_transaction, on_read};
use super::page::{Cursor, List};
use super::row::{RowName, read};
use super::{Fault, Page, PageOf, Store, StoreError};
use crate::domain::{Attempt, Delivery, DeliveryState, DueDelivery, GenerationId, PreviewId, UserId};

const TABLE: &str = "webhook_deliveries";

/// What of one webhook may wait; what comes on top of it is dead at once, and said to be.
pub(super) const MOST_PENDING: i64 = 1000;

/// What is kept of the past of one webhook.
const KEPT: i64 = 200;

/// One for each address that wants the event. `$1` the event, `$2` its preview, `$3` its word, `$4` now.
pub(super) const ENQUEUE: &str = "INSERT INTO webhook_deliveries
    (id, webhook_id, event_id, state, attempts, next_at, problem, created_at, ended_at)
    SELECT w.id || '-' || CAST($1 AS TEXT), w.id, $1,
        CASE WHEN w.waiting < $5 THEN 'pending' ELSE 'dead' END, 0, $4,
        CASE WHEN w.waiting < $5 THEN NULL ELSE 'too many deliveries wait' END, $4,
        CASE WHEN w.waiting < $5 THEN NULL ELSE $4 END
    FROM (
        SELECT h.id, (SELECT count(*) FROM webhook_deliveries d WHERE d.webhook_id = h.id AND d.state = 'pending') AS waiting
        FROM webhooks h JOIN preview_instances p ON p.id = $2
        WHERE (h.everyone OR h.owner = p.user_id)
          AND (h.events = '*' OR h.events LIKE '%,' || CAST($3 AS TEXT) || ',%')
    ) w
    WHERE TRUE
    ON CONFLICT DO NOTHING";

/// The oldest of each address: an address is told in order, one thing at a time. Owners take turns, so that
/// one with many addresses hides nobody.
const DUE: &str = "SELECT * FROM (
        SELECT d.id, d.event_id, d.webhook_id, w.owner, w.url, w.secret, d.attempts, e.event_type, e.timestamp,
            e.event_data, e.preview_id, p.generation_id, p.project_id, p.user_id,
            row_number() OVER (PARTITION BY w.owner ORDER BY d.event_id, d.id) AS turn
        FROM (
            SELECT webhook_id, min(event_id) AS event_id FROM webhook_deliveries
            WHERE state = 'pending' GROUP BY webhook_id
        ) head
        JOIN webhook_deliveries d ON d.webhook_id = head.webhook_id AND d.event_id = head.event_id
        JOIN webhooks w ON w.id = d.webhook_id
        JOIN preview_events e ON e.id = d.event_id
        JOIN preview_instances p ON p.id = e.preview_id
        WHERE d.next_at <= $1
    ) due
    WHERE turn <= $3
    ORDER BY turn, event_id
    LIMIT $2";

const NEXT: &str =
    "SELECT min(d.next_at) FROM webhook_deliveries d WHERE d.state = 'pending' AND d.next_at > $1
      AND NOT EXISTS (SELECT 1 FROM webhook_deliveries o
        WHERE o.webhook_id = d.webhook_id AND o.state = 'pending' AND o.event_id < d.event_id)";

const NOTE: &str = "UPDATE webhook_deliveries
    SET (state, attempts, next_at, status, problem, ended_at) = ($2, $3, $4, $5, $6, $7)
    WHERE id = $1";

const TRIM: &str =
    "DELETE FROM webhook_deliveries WHERE webhook_id = $1 AND state <> 'pending' AND event_id < (
        SELECT min(event_id) FROM (
            SELECT event_id FROM webhook_deliveries WHERE webhook_id = $1 AND state <> 'pending'
            ORDER BY event_id DESC LIMIT $2
        ) newest
    )";

const LIST: &str =
    "SELECT d.id, d.event_id, e.event_type, e.preview_id, d.state, d.attempts, d.next_at, d.status,
        d.problem, d.created_at, d.ended_at
    FROM webhook_deliveries d JOIN preview_events e ON e.id = d.event_id
    WHERE d.webhook_id = $1 AND (CAST($2 AS BIGINT) IS NULL OR d.event_id < $2)
    ORDER BY d.event_id DESC
    LIMIT $3";

#[derive(sqlx::FromRow)]
struct DueRow {
    id: String,
    webhook_id: String,
    owner: String,
    url: String,
    secret: String,
    attempts: i64,
    event_type: String,
    timestamp: i64,
    event_data: String,
    preview_id: String,
    generation_id: String,
    project_id: Option<String>,
    user_id: String,
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    id: String,
    event_id: i64,
    event_type: String,
    preview_id: String,
    state: String,
    attempts: i64,
    next_at: i64,
    status: Option<i64>,
    problem: Option<String>,
    created_at: i64,
    ended_at: Option<i64>,
}

impl Store {
    /// Returns when an event may have been appended since the last call.
    pub async fn event_appended(&self) {
        self.appended.notified().await;
    }

    /// What is to be sent now, at most `most` and at most `of_owner` of one owner's, and of each address the
    /// oldest alone.
    pub async fn due_deliveries(
        &self,
        now: DateTime<Utc>,
        most: u32,
        of_owner: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let find = async {
            let rows: Vec<DueRow> = on_read!(self.db, |pool| sqlx::query(DUE)
                .bind(now.timestamp_millis())
                .bind(i64::from(most))
                .bind(i64::from(of_owner))
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(DueRow::into_due).collect()
        };
        self.run(StoreError::ReadWebhooks, find).await
    }

    /// When the next is due of what is not due at `now`, if one waits.
    pub async fn next_delivery(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let find = async {
            let next: Option<i64> = on_read!(self.db, |pool| sqlx::query_scalar(NEXT)
                .bind(now.timestamp_millis())
                .fetch_one(pool)
                .await?);
            let name = RowName { table: TABLE, id: "?".to_owned() };
            name.time_or_none("next_at", next)
        };
        self.run(StoreError::ReadWebhooks, find).await
    }

    /// What came of a try; of what is over, the oldest makes room.
    pub async fn note_attempt(&self, id: &str, webhook: Uuid, attempt: &Attempt) -> Result<(), StoreError> {
        let over = attempt.state != DeliveryState::Pending;
        let lock = format!("previewd webhook {webhook}");
        let note = async {
            in_transaction!(self.db, &lock, |tx| {
                sqlx::query(NOTE)
                    .bind(id)
                    .bind(attempt.state.as_str())
                    .bind(i64::from(attempt.attempts))
                    .bind(attempt.next_at.timestamp_millis())
                    .bind(attempt.status.map(i64::from))
                    .bind(&attempt.problem)
                    .bind(over.then(|| Utc::now().timestamp_millis()))
                    .execute(&mut *tx)
                    .await?;
                if over {
                    sqlx::query(TRIM).bind(webhook.to_string()).bind(KEPT).execute(&mut *tx).await?;
                }
            });
            Ok(())
        };
        self.run(StoreError::PutWebhook, note).await
    }

    /// Those of one address, newest first.
    pub async fn deliveries(&self, webhook: Uuid, page: Page) -> Result<PageOf<Delivery>, StoreError> {
        let after = page.cursor(List::Deliveries)?;
        let find = async {
            let rows: Vec<DeliveryRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(webhook.to_string())
                .bind(after.as_ref().map(|after| after.at))
                .bind(page.fetch())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(DeliveryRow::into_delivery).collect::<Result<Vec<_>, _>>()
        };
        let found = self.run(StoreError::ReadWebhooks, find).await?;
        let PageOf { items, next } =
            PageOf::of(found, &page, List::Deliveries, |(at, _)| Cursor { at: *at, id: String::new() });
        Ok(PageOf { items: items.into_iter().map(|(_, delivery)| delivery).collect(), next })
    }
}

impl DueRow {
    fn into_due(self) -> Result<DueDelivery, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        Ok(DueDelivery {
            webhook: name.parsed("webhook_id", Uuid::parse_str(&self.webhook_id))?,
            owner: name.parsed("owner", UserId::parse(&self.owner))?,
            url: self.url,
            sealed_secret: self.secret,
            attempts: name.number("attempts", self.attempts)?,
            event_type: name.word("event_type", &self.event_type)?,
            timestamp: name.time("timestamp", self.timestamp)?,
            data: name.json("event_data", &self.event_data)?,
            preview_id: name.parsed("preview_id", PreviewId::parse(&self.preview_id))?,
            generation_id: name.parsed("generation_id", GenerationId::parse(&self.generation_id))?,
            project_id: self.project_id,
            user_id: name.parsed("user_id", UserId::parse(&self.user_id))?,
            id: self.id,
        })
    }
}

impl DeliveryRow {
    fn into_delivery(self) -> Result<(i64, Delivery), Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        let delivery = Delivery {
            event_type: name.word("event_type", &self.event_type)?,
            preview_id: name.parsed("preview_id", PreviewId::parse(&self.preview_id))?,
            state: name.word("state", &self.state)?,
            attempts: name.number("attempts", self.attempts)?,
            next_at: name.time("next_at", self.next_at)?,
            status: self.status.map(|status| name.number("status", status)).transpose()?,
            problem: self.problem,
            created_at: name.time("created_at", self.created_at)?,
            ended_at: name.time_or_none("ended_at", self.ended_at)?,
            id: self.id,
        };
        Ok((self.event_id, delivery))
    }
}
