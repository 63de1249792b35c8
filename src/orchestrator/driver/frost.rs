//! Freezing and thawing a container.
//!
//! It is frozen by the engine, which then says so. It is thawed where the kernel has the switch,
//! because somebody waits; the engine, which unpauses only what is frozen, is told in a quiet
//! moment, for which the container is frozen once more. An engine that did not answer then may have
//! done it or do it later: from there on nothing is taken for granted of what it believes, and what
//! the kernel shows counts.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Life;
use crate::engine::{ContainerState, EngineError, Freezer};

/// How soon after a wake the engine is told, and how long a busy preview may put that off.
pub(super) const TELL_AFTER: Duration = Duration::from_millis(300);
const TELL_WITHIN: Duration = Duration::from_secs(10);

/// Containers of which the engine is told at once.
pub(in crate::orchestrator) const TELL_AT_ONCE: usize = 2;

/// The container stands still for so long at the most while the engine is told.
const TELLING_TAKES: Duration = Duration::from_secs(1);

impl Life {
    /// The kernel knows better than an engine that was not told yet, or too late.
    pub(super) fn is_frozen(&self, state: &ContainerState) -> bool {
        let seen = self.freezer.as_ref().and_then(Freezer::is_frozen);
        seen.unwrap_or(state.paused)
    }

    pub(super) async fn freeze(&mut self) -> Result<(), EngineError> {
        let untold = self.tell_engine_at.take().is_some();
        // An engine that was told nothing believes it frozen already.
        if untold
            && !self.engine_may_differ
            && self.freezer.as_ref().is_some_and(|freezer| freezer.freeze().is_ok())
        {
            return Ok(());
        }
        // The engine freezes nothing that is frozen.
        self.thaw_in_kernel();
        let id = self.preview.container_id.as_deref().unwrap_or_default();
        if let Err(error) = self.parts.engine.pause(id).await {
            self.engine_may_differ = true;
            self.tell_engine_at = untold.then(|| Instant::now() + TELL_WITHIN);
            return Err(error);
        }
        self.engine_may_differ = false;
        // One that believed it frozen did nothing.
        if let Some(freezer) = self.freezer.as_ref().filter(|freezer| freezer.is_frozen() == Some(false))
            && let Err(error) = freezer.freeze()
        {
            tracing::debug!(%error, preview = %self.preview.id, "a container ended as it was frozen");
        }
        Ok(())
    }

    /// It is frozen and to stay so, and the engine believes that it runs: they become of one mind.
    pub(super) async fn agree_on_frost(&mut self) {
        self.engine_may_differ = true;
        if let Err(error) = self.freeze().await {
            tracing::debug!(%error, preview = %self.preview.id, "the engine does not believe a preview asleep");
        }
    }

    /// Whatever the engine believes. A frozen process does not even die.
    pub(super) fn thaw_in_kernel(&self) {
        if let Some(freezer) = self.freezer.as_ref().filter(|freezer| freezer.is_frozen() == Some(true))
            && let Err(error) = freezer.thaw()
        {
            tracing::debug!(%error, preview = %self.preview.id, "a container is not thawed");
        }
    }

    /// For somebody who waits: by the kernel's switch where there is one.
    pub(super) async fn thaw(&mut self) -> Result<(), EngineError> {
        let switch = self.freezer.as_ref().filter(|freezer| freezer.is_frozen() == Some(true));
        if switch.is_none_or(|freezer| freezer.thaw().is_err()) {
            return self.unpause().await;
        }
        self.tell_engine_at = Some(Instant::now() + TELL_AFTER);
        self.serve_as_before();
        Ok(())
    }

    /// By the engine, of which more is wanted next.
    pub(super) async fn unpause(&mut self) -> Result<(), EngineError> {
        self.parts.engine.unpause(self.preview.container_id.as_deref().unwrap_or_default()).await?;
        // One that believed it awake did nothing.
        self.thaw_in_kernel();
        self.serve_as_before();
        Ok(())
    }

    /// The container keeps its address while it is frozen.
    fn serve_as_before(&mut self) {
        if let Some(address) = self.address {
            self.serve_at(address);
        }
    }

    /// Tells the engine in a moment without a request.
    pub(super) async fn tell_engine(&mut self) {
        let is_busy = self.parts.ingress.unused_since(self.preview.id).is_none();
        let parts = Arc::clone(&self.parts);
        // A crowd that woke at once tells it one after the other: each stands still meanwhile.
        match parts.telling.try_acquire() {
            Ok(_turn) if !is_busy || self.used.elapsed() >= TELL_WITHIN => self.tell_engine_now().await,
            _ => self.tell_engine_at = Some(Instant::now() + TELL_AFTER),
        }
    }

    /// Leaves the engine and the kernel of one mind.
    pub(super) async fn tell_engine_now(&mut self) {
        if self.tell_engine_at.take().is_none() {
            return;
        }
        let Some(freezer) = self.freezer.clone() else { return };
        if freezer.freeze().is_err() {
            // It has ended, which is seen elsewhere.
            return;
        }
        let id = self.preview.container_id.as_deref().unwrap_or_default();
        let told = tokio::time::timeout(TELLING_TAKES, self.parts.engine.unpause(id)).await;
        // An engine that has done it has thawed it.
        let thawed = freezer.thaw();
        self.engine_may_differ = !matches!(told, Ok(Ok(())));
        self.tell_engine_at = self.engine_may_differ.then(|| Instant::now() + TELL_WITHIN);
        if let Err(error) = thawed {
            tracing::debug!(%error, preview = %self.preview.id, "a container ended while the engine was told");
        }
    }
}
