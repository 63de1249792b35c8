//! The way into the audit trail: a bounded channel, and one task that writes what comes in batches.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Store;
use crate::domain::AuditEntry;

/// Takes entries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    entries: mpsc::Sender<AuditEntry>,
}

/// Writes them.
pub struct AuditWriter {
    store: Store,
    entries: mpsc::Receiver<AuditEntry>,
}

const WAITING: usize = 4096;
const BATCH: usize = 256;

/// How often a batch is tried that the store does not take.
const TRIES: u32 = 5;

impl AuditLog {
    pub fn new(store: Store) -> (Self, AuditWriter) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self { entries: sender }, AuditWriter { store, entries: receiver })
    }

    /// Waits for room: what is done is not done faster than it is written down.
    pub async fn record(&self, entry: AuditEntry) {
        if self.entries.send(entry).await.is_err() {
            tracing::warn!("an entry of the audit trail came after its end");
        }
    }

    /// Once in a `window` until `over`, and then once more: what was `gathered` since the last time.
    pub async fn record_every(
        &self,
        window: Duration,
        over: CancellationToken,
        gathered: impl Fn() -> Vec<AuditEntry> + Send,
    ) {
        loop {
            let is_over = tokio::time::timeout(window, over.cancelled()).await.is_ok();
            for entry in gathered() {
                self.record(entry).await;
            }
            if is_over {
                return;
            }
        }
    }

    /// For who cannot wait.
    pub fn record_soon(&self, entry: AuditEntry) {
        if let Err(error) = self.entries.try_send(entry) {
            let lost = match &error {
                mpsc::error::TrySendError::Full(entry) | mpsc::error::TrySendError::Closed(entry) => entry,
            };
            tracing::warn!(action = lost.action, target = ?lost.target, "an entry of the audit trail is lost");
        }
    }
}

impl AuditWriter {
    /// Until `over`, and then until all is written that came before.
    pub async fn write(mut self, over: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                count = self.entries.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                }
                () = over.cancelled() => self.entries.close(),
            }
            if !batch.is_empty() {
                self.put(&batch).await;
                batch.clear();
            }
        }
    }

    async fn put(&self, batch: &[AuditEntry]) {
        let mut pause = Duration::from_millis(100);
        for _ in 0..TRIES {
            match self.store.append_audit(batch).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the audit trail waits"),
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
        // The daemon's own log is the last place there is.
        for entry in batch {
            tracing::error!(?entry, "the audit trail could not take this");
        }
    }
}
