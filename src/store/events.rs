//! The audit trail of each preview.

use chrono::Utc;

use super::db::{in_transaction, on_read};
use super::deliveries::{ENQUEUE, MOST_PENDING};
use super::page::{Cursor, List};
use super::row::{RowName, read, to_json};
use super::{Fault, Page, PageOf, Store, StoreError};
use crate::domain::{Event, PreviewId};

const TABLE: &str = "preview_events";

const APPEND: &str = "INSERT INTO preview_events (preview_id, timestamp, event_type, event_data)
    VALUES ($1, $2, $3, $4) RETURNING id";

const LIST: &str = "SELECT id, preview_id, timestamp, event_type, event_data FROM preview_events
    WHERE preview_id = $1 AND id > $2
    ORDER BY id
    LIMIT $3";

#[derive(sqlx::FromRow)]
struct EventRow {
    id: i64,
    preview_id: String,
    timestamp: i64,
    event_type: String,
    event_data: String,
}

impl Store {
    /// Adds to the trail of a preview that is stored, and to what its webhooks are to be told: both
    /// or nothing.
    pub async fn append_event(&self, event: &Event) -> Result<(), StoreError> {
        let data = to_json("event_data", &event.data).map_err(StoreError::AppendEvent)?;
        let append = async {
            let (preview, word) = (event.preview_id.to_string(), event.event_type.as_str());
            let lock = format!("previewd events {preview}");
            in_transaction!(self.db, &lock, |tx| {
                let id: i64 = sqlx::query_scalar(APPEND)
                    .bind(&preview)
                    .bind(event.timestamp.timestamp_millis())
                    .bind(word)
                    .bind(&data)
                    .fetch_one(&mut *tx)
                    .await?;
                sqlx::query(ENQUEUE)
                    .bind(id)
                    .bind(&preview)
                    .bind(word)
                    .bind(Utc::now().timestamp_millis())
                    .bind(MOST_PENDING)
                    .execute(&mut *tx)
                    .await?;
            });
            Ok(())
        };
        self.run(StoreError::AppendEvent, append).await?;
        self.appended.notify_one();
        Ok(())
    }

    /// In the order in which they were appended, oldest first.
    pub async fn events(&self, preview: PreviewId, page: Page) -> Result<PageOf<Event>, StoreError> {
        let after = page.cursor(List::Events)?.map_or(0, |after| after.at);
        let find = async {
            let rows: Vec<EventRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(preview.to_string())
                .bind(after)
                .bind(page.fetch())
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "preview_id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(EventRow::into_event).collect::<Result<Vec<_>, _>>()
        };
        let events = self.run(StoreError::ListEvents, find).await?;
        let PageOf { items, next } =
            PageOf::of(events, &page, List::Events, |(id, _)| Cursor { at: *id, id: String::new() });
        Ok(PageOf { items: items.into_iter().map(|(_, event)| event).collect(), next })
    }
}

impl EventRow {
    fn into_event(self) -> Result<(i64, Event), Fault> {
        let name = RowName { table: TABLE, id: self.id.to_string() };
        let event = Event {
            preview_id: name.parsed("preview_id", PreviewId::parse(&self.preview_id))?,
            timestamp: name.time("timestamp", self.timestamp)?,
            event_type: name.word("event_type", &self.event_type)?,
            data: name.json("event_data", &self.event_data)?,
        };
        Ok((self.id, event))
    }
}
