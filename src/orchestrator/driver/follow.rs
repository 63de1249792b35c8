//! The log of a preview, as its driver keeps it: opened, guarded, and read from the container by
//! one reader.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Life;
use crate::streams::{ContainerReader, Masker};

impl Life {
    /// Takes up the log where an earlier run of the daemon left it. A store that is away is
    /// waited for, not for ever: a preview without its old lines is better than none.
    pub(super) async fn open_log(&self) {
        let mut pause = Duration::from_millis(100);
        for _ in 0..8 {
            match self.parts.logs.open(self.preview.id).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, preview = %self.preview.id, "the log cannot be taken up yet")
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    pub(super) fn bound_log(&self) {
        self.parts.logs.bound(self.preview.id, self.preview.max_log_lines);
    }

    /// Hides what the preview's environment holds, its database's password among it, and its token
    /// in every line from now on.
    pub(super) fn guard_log(&self) {
        let dotenv = self.recipe.as_ref().map(|recipe| recipe.plan.dotenv.clone());
        let environment = dotenv.into_iter().flatten().chain(self.preview.environment.clone());
        let environment = environment.chain(self.database_environment()).chain(self.cache_environment());
        let environment = environment.collect();
        let token = self.parts.token(&self.preview);
        self.parts.logs.guard(self.preview.id, Masker::new(&environment, [token.as_str()]));
    }

    /// Attaches to the container that is about to be started: nothing it prints is missed.
    pub(super) async fn attach_log(&mut self) {
        let Some(container) = self.preview.container_id.clone() else { return };
        let (engine, logs) = (self.parts.engine.clone(), self.parts.logs.clone());
        let reader = ContainerReader::attached(engine, logs, self.preview.id, container).await;
        self.read_log(reader);
    }

    /// Follows a container that runs from what was read of it last; an attachment that reads
    /// already goes on.
    pub(super) fn follow_log(&mut self) {
        if self.log_end.as_mut().is_some_and(|end| end.try_recv() == Err(oneshot::error::TryRecvError::Empty))
        {
            return;
        }
        let Some(container) = self.preview.container_id.clone() else { return };
        let (engine, logs) = (self.parts.engine.clone(), self.parts.logs.clone());
        self.read_log(ContainerReader::following(engine, logs, self.preview.id, container));
    }

    pub(super) fn read_log(&mut self, reader: ContainerReader) {
        self.watchers.cancel();
        self.watchers = CancellationToken::new();
        let (done, settled) = oneshot::channel();
        self.log_end = Some(settled);
        let stop = self.watchers.clone();
        let shutdown = self.parts.shutdown.clone();
        self.parts.tasks.spawn(async move {
            tokio::select! {
                () = reader.read() => {}
                () = stop.cancelled() => {}
                () = shutdown.cancelled() => {}
            }
            let _ = done.send(());
        });
    }

    /// Waits, not long, until the last lines of an ended container are read.
    pub(super) async fn logs_settled(&mut self) {
        if let Some(end) = self.log_end.take() {
            let _ = tokio::time::timeout(Duration::from_secs(1), end).await;
        }
    }
}
