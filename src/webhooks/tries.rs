//! The letters under way: each a task of its own, so that one which nobody answers delays no other.

use std::collections::HashMap;
use std::future::pending;

use tokio::task::{Id, JoinSet};
use uuid::Uuid;

use super::Webhooks;
use crate::domain::{DueDelivery, UserId};
use crate::store::StoreError;

/// Dropped, it ends all of them.
#[derive(Default)]
pub(super) struct Tries {
    tasks: JoinSet<Result<(), StoreError>>,
    /// To which address each goes, and whose that is.
    to: HashMap<Id, (Uuid, UserId)>,
}

/// Letters under way at once.
const AT_ONCE: usize = 8;

/// Those of one owner: whose addresses never answer leaves room for others.
pub(super) const OF_OWNER: u32 = 2;

impl Tries {
    pub(super) fn are_full(&self) -> bool {
        self.to.len() >= AT_ONCE
    }

    /// An address is told one thing at a time, which keeps its events in order.
    pub(super) fn have_room_for(&self, letter: &DueDelivery) -> bool {
        let of_owner = self.to.values().filter(|(_, owner)| *owner == letter.owner).count();
        let is_told = self.to.values().any(|(webhook, _)| *webhook == letter.webhook);
        !self.are_full() && !is_told && of_owner < OF_OWNER as usize
    }

    pub(super) fn start(&mut self, webhooks: &Webhooks, letter: DueDelivery) {
        let (webhooks, to) = (webhooks.clone(), (letter.webhook, letter.owner.clone()));
        let task = self.tasks.spawn(async move { webhooks.attempt(letter).await });
        self.to.insert(task.id(), to);
    }

    /// Waits for one to end; whether what came of it is written down.
    pub(super) async fn ended(&mut self) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else { return pending().await };
        let (id, noted) = match ended {
            Ok((id, noted)) => (id, noted.map_err(|error| error.to_string())),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        self.to.remove(&id);
        if let Err(error) = &noted {
            tracing::warn!(error, "what came of a delivery to a webhook cannot be written");
        }
        noted.is_ok()
    }
}
