//! What the API asks of previews that exist.

use std::time::Duration;

use tokio::sync::oneshot;

use super::driver::{Message, Refusal};
use super::metrics::ErrorType;
use super::queue::{self, Ask, Denial, Verdict};
use super::{Orchestrator, token};
use crate::domain::{GenerationId, Preview, PreviewId, Status, UserId};
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Orchestrator {
    /// A user's preview of a generation: the live one, else the last; `None` as user is any.
    pub async fn preview_of(
        &self,
        generation: &GenerationId,
        user: Option<&UserId>,
    ) -> Result<Option<Preview>, StoreError> {
        let stored = self.parts.store.latest_preview(generation, user).await?;
        Ok(stored.map(|preview| self.newest(preview)))
    }

    /// The driver's view of a stored row, when it has a driver.
    pub fn newest(&self, stored: Preview) -> Preview {
        self.parts.registry.get(stored.id).map_or(stored, |entry| entry.view.borrow().clone())
    }

    /// Asks the driver of a preview; a preview without one has ended.
    pub async fn ask(&self, preview: &Preview, ask: Ask) -> Result<(), AskError> {
        let Some(entry) = self.parts.registry.get(preview.id) else {
            return match queue::decide(preview.status, ask, 0) {
                Verdict::Deny(denial) => Err(denial.into()),
                _ => Ok(()),
            };
        };
        let (reply, answered) = oneshot::channel();
        let asked = entry.inbox.send_timeout(Message::Ask(ask, reply), PATIENCE).await;
        if asked.is_err() {
            return Err(AskError::Failed("the preview is busy; try again".to_owned()));
        }
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(Refusal::Denied(denial)))) => Err(denial.into()),
            Ok(Ok(Err(Refusal::Failed(reason)))) => Err(AskError::Failed(reason)),
            // The driver ended before it read the request: the preview has ended.
            Ok(Err(_)) if ask == Ask::Stop => Ok(()),
            Ok(Err(_)) => Err(Denial::Ended.into()),
            Err(_) => Err(AskError::Failed("the preview did not answer in time".to_owned())),
        }
    }

    /// Stops a preview and waits until nothing of it is left, at most `patience`; the work goes
    /// on behind a wait that ends early.
    pub async fn stop(&self, preview: &Preview, patience: Duration) -> Result<(), AskError> {
        self.ask(preview, Ask::Stop).await?;
        self.ended(preview, patience).await;
        Ok(())
    }

    /// Waits until nothing of a preview is left, at most `patience`.
    pub(super) async fn ended(&self, preview: &Preview, patience: Duration) {
        if let Some(mut entry) = self.parts.registry.get(preview.id) {
            let gone = entry.view.wait_for(|preview| !preview.status.is_live());
            let _ = tokio::time::timeout(patience, gone).await;
        }
    }

    /// Waits until a launch has come to something: healthy, failed or stopped. The row as it is
    /// when the patience ends.
    pub async fn settled(&self, preview: Preview, patience: Duration) -> Preview {
        let Some(mut entry) = self.parts.registry.get(preview.id) else {
            let stored = self.parts.store.preview(preview.id).await;
            return stored.ok().flatten().unwrap_or(preview);
        };
        let is_settled = |preview: &Preview| !matches!(preview.status, Status::Launching | Status::Stopping);
        tokio::select! {
            _ = tokio::time::timeout(patience, entry.view.wait_for(is_settled)) => {}
            () = self.parts.shutdown.cancelled() => {}
        }
        entry.view.borrow().clone()
    }

    /// Says the token of a live preview again.
    pub fn token(&self, preview: &Preview) -> String {
        self.parts.token(preview)
    }

    /// Whether a presented preview token is this preview's present one.
    pub fn token_matches(&self, preview: &Preview, presented: &str) -> bool {
        let matches = is_present(preview, presented);
        if !matches {
            self.parts.metrics.error(ErrorType::TokenValidation);
        }
        matches
    }

    /// The live preview of a generation whose present token this is.
    pub fn preview_with_token(&self, generation: &GenerationId, presented: &str) -> Option<Preview> {
        let live = self.parts.registry.previews().into_iter();
        let mut of_generation = live.filter(|preview| preview.generation_id == *generation);
        let found = of_generation.find(|preview| is_present(preview, presented));
        if found.is_none() {
            self.parts.metrics.error(ErrorType::TokenValidation);
        }
        found
    }

    pub fn live(&self, id: PreviewId) -> Option<Preview> {
        self.parts.registry.get(id).map(|entry| entry.view.borrow().clone())
    }
}

fn is_present(preview: &Preview, presented: &str) -> bool {
    preview.status.is_live() && token::matches(presented, &preview.token_hash)
}

/// How long a request waits for a driver; pausing and resuming are engine calls of their own.
const PATIENCE: Duration = Duration::from_secs(30);
