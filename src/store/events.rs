//! The audit trail of each preview.

use super::db::{on_read, on_write};
use super::page::{Cursor, List};
use super::row::{RowName, read, to_json};
use super::{Fault, Page, PageOf, Store, StoreError};
use crate::domain::{Event, PreviewId};

const TABLE: &str = "preview_events";

const APPEND: &str =
    "INSERT INTO preview_events (preview_id, timestamp, event_type, event_data) VALUES ($1, $2, $3, $4)";

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
    /// Adds to the trail of a preview that is stored.
    pub async fn append_event(&self, event: &Event) -> Result<(), StoreError> {
        let data = to_json("event_data", &event.data).map_err(StoreError::AppendEvent)?;
        let append = async {
            on_write!(self.db, |pool| sqlx::query(APPEND)
                .bind(event.preview_id.to_string())
                .bind(event.timestamp.timestamp_millis())
                .bind(event.event_type.as_str())
                .bind(&data)
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::AppendEvent, append).await
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
