//! Changed files for live previews, as the API asks for them.

use std::time::Duration;

use tokio::sync::oneshot;

use super::driver::{Message, PatchError, Patched, Patching};
use super::queue::{self, Ask, Denial, Verdict};
use super::{Orchestrator, Parts};
use crate::domain::{Generation, Mode, Patch, Preview};
use crate::generation::{Language, Plan};
use crate::store::StoreError;

/// How long a patch may wait for those before it.
const TURN: Duration = Duration::from_secs(60);

impl Orchestrator {
    /// Puts files in place of those a live preview runs, and waits until it answers with them, or
    /// has failed to. Patches of one preview are done one after the other; the work goes on behind
    /// a caller that hangs up.
    pub async fn patch(
        &self,
        preview: &Preview,
        patch: Patch,
        max_bytes: u64,
    ) -> Result<Patched, PatchError> {
        let Some(entry) = self.parts.registry.get(preview.id) else {
            let denied = match queue::decide(preview.status, Ask::Patch, 0) {
                Verdict::Deny(denial) => denial,
                Verdict::Accept | Verdict::Redundant => Denial::Ended,
            };
            return Err(denied.into());
        };
        let (reply, answered) = oneshot::channel();
        let message = Message::Patch(Box::new(Patching { patch, max_bytes, reply }));
        if entry.inbox.send_timeout(message, TURN).await.is_err() {
            return Err(PatchError::Busy("the preview is busy; try again".to_owned()));
        }
        match tokio::time::timeout(self.parts.patch_patience(), answered).await {
            Ok(Ok(outcome)) => outcome,
            // The driver ended before it read the message: the preview has ended.
            Ok(Err(_)) => Err(Denial::Ended.into()),
            Err(_) => Err(PatchError::Busy("the preview is not there yet; ask for its status".to_owned())),
        }
    }

    /// What a preview runs: its generation, with what was changed on top. None when it was deleted.
    ///
    /// Who asks is about to change something: from now on its pages refresh themselves.
    pub async fn source(&self, preview: &Preview) -> Result<Option<Generation>, StoreError> {
        let source = self.parts.source(preview).await?;
        if let Some(source) = &source
            && preview.status.is_live()
            && let Ok(Some(recipe)) = self.parts.images.known(&source.owner, &source.content_hash).await
        {
            self.parts.make_pages_live(preview, &recipe.plan);
        }
        Ok(source)
    }
}

impl Parts {
    /// Development servers of Node refresh their pages themselves, and better.
    pub(super) fn make_pages_live(&self, preview: &Preview, plan: &Plan) {
        let by_itself = plan.mode == Mode::Dev && plan.language == Language::Node;
        self.ingress.set_live(preview.id, !by_itself);
    }

    /// A build, a start, and as much again for a patch before this one.
    fn patch_patience(&self) -> Duration {
        2 * (self.config.images.timeout + self.config.startup_timeout) + TURN
    }
}
