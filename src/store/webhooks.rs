//! Addresses that are told of events.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::db::{in_transaction, on_read, on_write};
use super::row::{RowName, read};
use super::{Fault, Store, StoreError};
use crate::domain::{EventType, UserId, Webhook};

const TABLE: &str = "webhooks";

/// Serialises registrations: count, compare, insert.
const LOCK: &str = "previewd webhooks";

const COUNT: &str = "SELECT count(*) FROM webhooks WHERE owner = $1";

const INSERT: &str = "INSERT INTO webhooks (id, owner, url, events, everyone, secret, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

const LIST: &str = "SELECT id, owner, url, events, everyone, secret, created_at FROM webhooks
    WHERE (CAST($1 AS TEXT) IS NULL OR owner = $1) AND (CAST($2 AS TEXT) IS NULL OR id = $2)
    ORDER BY created_at, id
    LIMIT 1000";

const DELETE: &str = "DELETE FROM webhooks WHERE id = $1";

/// Stands for every event.
const ALL: &str = "*";

#[derive(sqlx::FromRow)]
struct WebhookRow {
    id: String,
    owner: String,
    url: String,
    events: String,
    everyone: bool,
    secret: String,
    created_at: i64,
}

impl Store {
    /// Adds an address unless its owner has `most` of them; whether it was added.
    pub async fn insert_webhook(&self, webhook: &Webhook, most: u32) -> Result<bool, StoreError> {
        let insert = async {
            let inserted = in_transaction!(self.db, LOCK, |tx| {
                let count: i64 =
                    sqlx::query_scalar(COUNT).bind(webhook.owner.as_str()).fetch_one(&mut *tx).await?;
                let fits = count < i64::from(most);
                if fits {
                    sqlx::query(INSERT)
                        .bind(webhook.id.to_string())
                        .bind(webhook.owner.as_str())
                        .bind(&webhook.url)
                        .bind(words(&webhook.events))
                        .bind(webhook.everyone)
                        .bind(&webhook.sealed_secret)
                        .bind(webhook.created_at.timestamp_millis())
                        .execute(&mut *tx)
                        .await?;
                }
                fits
            });
            Ok(inserted)
        };
        self.run(StoreError::PutWebhook, insert).await
    }

    /// Oldest first; of everybody when `owner` is none.
    pub async fn webhooks(&self, owner: Option<&UserId>) -> Result<Vec<Webhook>, StoreError> {
        self.find_webhooks(owner.map(UserId::as_str), None).await
    }

    pub async fn webhook(&self, id: Uuid) -> Result<Option<Webhook>, StoreError> {
        Ok(self.find_webhooks(None, Some(id.to_string())).await?.pop())
    }

    /// With all that was to be told there.
    pub async fn delete_webhook(&self, id: Uuid) -> Result<(), StoreError> {
        let delete = async {
            on_write!(self.db, |pool| sqlx::query(DELETE)
                .bind(id.to_string())
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::PutWebhook, delete).await
    }

    async fn find_webhooks(
        &self,
        owner: Option<&str>,
        id: Option<String>,
    ) -> Result<Vec<Webhook>, StoreError> {
        let find = async {
            let rows: Vec<WebhookRow> = on_read!(self.db, |pool| sqlx::query(LIST)
                .bind(owner)
                .bind(&id)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| read(TABLE, "id", row))
                .collect::<Result<_, _>>()?);
            rows.into_iter().map(WebhookRow::into_webhook).collect()
        };
        self.run(StoreError::ReadWebhooks, find).await
    }
}

/// `,failed,stopped,`: each word can be found with its commas.
fn words(events: &[EventType]) -> String {
    if events.is_empty() {
        return ALL.to_owned();
    }
    let words: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    format!(",{},", words.join(","))
}

impl WebhookRow {
    fn into_webhook(self) -> Result<Webhook, Fault> {
        let name = RowName { table: TABLE, id: self.id.clone() };
        let created_at: DateTime<Utc> = name.time("created_at", self.created_at)?;
        let words = self.events.split(',').filter(|word| !word.is_empty() && *word != ALL);
        Ok(Webhook {
            id: name.parsed("id", Uuid::parse_str(&self.id))?,
            owner: name.parsed("owner", UserId::parse(&self.owner))?,
            url: self.url,
            events: words.map(|word| name.word("events", word)).collect::<Result<_, _>>()?,
            everyone: self.everyone,
            sealed_secret: self.secret,
            created_at,
        })
    }
}
