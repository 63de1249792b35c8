//! Telling other programs of events, over HTTP: signed, in order, again until it is taken.
//!
//! ```text
//!   an event is appended ──► a pending delivery for each address (the same transaction)
//!   pending ── 2xx ──► delivered
//!      │  ▲└── anything else: tried again, later each time
//!      │  └───────┘
//!      └── after so many tries ──► dead
//! ```
//!
//! The outbox is in the store, so neither a crash nor a restart loses or forgets one. An answer that
//! was lost means that an event is told twice: deliveries have ids by which that is seen.

mod send;
mod sign;
mod target;
mod tries;

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use target::{Target, TargetError};

use crate::domain::{Attempt, Delivery, DeliveryState, DueDelivery, EventType, Invalid, UserId, Webhook};
use crate::seal::{NotSealed, Purpose, Seal};
use crate::store::{Page, PageOf, Store, StoreError};
use send::{Letter, Sender};
use tries::{OF_OWNER, Tries};

/// How events are told.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_WEBHOOK_ATTEMPTS`, default 8: tries before a delivery is given up.
    pub attempts: u32,
    /// `PREVIEW_WEBHOOK_PAUSE`, seconds, default 5: before the second try; each further pause is
    /// three times as long, up to an hour.
    pub pause: Duration,
    /// `PREVIEW_WEBHOOK_TIMEOUT`, seconds, default 10: one try, from the look-up of the name to the
    /// answer.
    pub timeout: Duration,
    /// `PREVIEW_WEBHOOK_PRIVATE`, default false: addresses of this host and of private networks may
    /// be told.
    pub private: bool,
}

impl Default for Config {
    fn default() -> Self {
        let (pause, timeout) = (Duration::from_secs(5), Duration::from_secs(10));
        Self { attempts: 8, pause, timeout, private: false }
    }
}

/// A registration that was asked for.
#[derive(Debug, Clone)]
pub struct Registration {
    pub owner: UserId,
    pub url: String,
    /// All, when there is none.
    pub events: Vec<EventType>,
    pub everyone: bool,
    pub secret: String,
}

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("you have {most} webhooks and may have no more; delete one first")]
    Full { most: u32 },
    #[error("the secret: {0}")]
    Seal(#[from] NotSealed),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A cheap handle.
#[derive(Clone)]
pub struct Webhooks {
    store: Store,
    config: Config,
    seal: Seal,
    sender: Sender,
}

/// Registrations of one user.
const MOST_EACH: u32 = 20;
/// Due letters that are looked at. Fewer of them are under way or wait for others of their owner, so that
/// one that can start is seen.
const BATCH: u32 = 64;
/// How long to sleep when nobody says that there is something to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl Webhooks {
    pub fn new(store: Store, config: Config, seal: Seal) -> Self {
        let sender = Sender::new(config.timeout, config.private);
        Self { store, config, seal, sender }
    }

    /// Checks and stores an address; its secret is not shown again.
    pub async fn register(&self, asked: Registration) -> Result<Webhook, WebhookError> {
        let target = Target::parse(&asked.url).map_err(|error| Invalid::new("url", error.to_string()))?;
        if !self.config.private {
            target.refuse_literal().map_err(|error| Invalid::new("url", error.to_string()))?;
        }
        if !(16..=256).contains(&asked.secret.chars().count()) {
            return Err(Invalid::new("secret", "expected 16 to 256 characters").into());
        }
        let (mut events, id) = (asked.events, Uuid::now_v7());
        events.sort_by_key(|event| event.as_str());
        events.dedup();
        let sealed_secret = self.seal.close(Purpose::WebhookSecret, id, &asked.secret)?;
        let webhook = Webhook {
            id,
            owner: asked.owner,
            url: asked.url,
            events,
            everyone: asked.everyone,
            sealed_secret,
            created_at: Utc::now(),
        };
        match self.store.insert_webhook(&webhook, MOST_EACH).await? {
            true => Ok(webhook),
            false => Err(WebhookError::Full { most: MOST_EACH }),
        }
    }

    /// Of everybody when `owner` is none.
    pub async fn list(&self, owner: Option<&UserId>) -> Result<Vec<Webhook>, StoreError> {
        self.store.webhooks(owner).await
    }

    pub async fn get(&self, id: Uuid) -> Result<Option<Webhook>, StoreError> {
        self.store.webhook(id).await
    }

    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        self.store.delete_webhook(id).await
    }

    /// Newest first.
    pub async fn deliveries(&self, id: Uuid, page: Page) -> Result<PageOf<Delivery>, StoreError> {
        self.store.deliveries(id, page).await
    }

    /// Sends what is due until the daemon ends; a try under way ends with it, and is one more later.
    pub async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.send_for_ever()).await;
    }

    async fn send_for_ever(&self) {
        let mut tries = Tries::default();
        loop {
            let rest = match self.start_due(&mut tries).await {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::warn!(%error, "deliveries to webhooks cannot be read");
                    self.config.pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.store.event_appended() => {}
                noted = tries.ended() => {
                    if !noted {
                        // It is due still, and would be sent again at once.
                        tokio::time::sleep(self.config.pause).await;
                    }
                }
            }
        }
    }

    /// Starts what is due and has room; how long until more is due. What has no room waits until another
    /// has ended.
    async fn start_due(&self, tries: &mut Tries) -> Result<Duration, StoreError> {
        if tries.are_full() {
            return Ok(LONGEST_SLEEP);
        }
        let now = Utc::now();
        // As many again as may be under way, which are due until they have ended.
        for letter in self.store.due_deliveries(now, BATCH, 2 * OF_OWNER).await? {
            if tries.have_room_for(&letter) {
                tries.start(self, letter);
            }
        }
        let next = self.store.next_delivery(now).await?;
        let left = next.map(|at| (at - Utc::now()).to_std().unwrap_or_default());
        Ok(left.unwrap_or(LONGEST_SLEEP).clamp(Duration::from_millis(10), LONGEST_SLEEP))
    }

    async fn attempt(&self, delivery: DueDelivery) -> Result<(), StoreError> {
        let attempts = delivery.attempts.saturating_add(1);
        let outcome = match self.letter(&delivery) {
            Some(letter) => self.sender.send(&delivery.url, &letter).await,
            None => Err("its secret was sealed under another key".to_owned()),
        };
        let (status, problem) = match outcome {
            Ok(status @ 200..=299) => (Some(status), None),
            Ok(status) => (Some(status), Some(format!("it answered {status}"))),
            Err(reason) => (None, Some(reason)),
        };
        let state = match &problem {
            None => DeliveryState::Delivered,
            Some(_) if attempts >= self.config.attempts => DeliveryState::Dead,
            Some(_) => DeliveryState::Pending,
        };
        if state == DeliveryState::Dead {
            tracing::warn!(delivery = delivery.id, reason = problem, "a delivery to a webhook is given up");
        }
        let next_at = Utc::now() + pause_after(attempts, self.config.pause);
        let attempt = Attempt { state, attempts, status, problem, next_at };
        self.store.note_attempt(&delivery.id, delivery.webhook, &attempt).await
    }

    fn letter(&self, delivery: &DueDelivery) -> Option<Letter> {
        let secret = self.seal.open(Purpose::WebhookSecret, delivery.webhook, &delivery.sealed_secret)?;
        let body = body(delivery);
        let timestamp = Utc::now().timestamp();
        let signature = sign::signature(&secret, timestamp, &body);
        let event = delivery.event_type.as_str();
        Some(Letter { id: delivery.id.clone(), event, timestamp, signature, body })
    }
}

/// Three times as long each time.
fn pause_after(attempts: u32, first: Duration) -> TimeDelta {
    let pause = first.saturating_mul(3_u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_PAUSE);
    TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(1))
}

/// Bytes of what one event says.
const MOST_SAID: usize = 64 * 1024;

fn body(delivery: &DueDelivery) -> String {
    let with = |data: &Value| {
        json!({
            "id": delivery.id,
            "type": delivery.event_type,
            "timestamp": delivery.timestamp,
            "preview": {
                "previewInstanceId": delivery.preview_id.to_string(),
                "generationId": delivery.generation_id,
                "projectId": delivery.project_id,
                "userId": delivery.user_id,
            },
            "data": data,
        })
        .to_string()
    };
    let whole = with(&delivery.data);
    if whole.len() <= MOST_SAID { whole } else { with(&json!({ "truncated": true })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds = |attempts| pause_after(attempts, Duration::from_secs(5)).num_seconds();
        assert_eq!([1, 2, 3, 4].map(seconds), [5, 15, 45, 135]);
        assert_eq!((seconds(50), seconds(u32::MAX)), (3600, 3600));
    }
}
