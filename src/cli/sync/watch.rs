//! Tells that something in a directory has changed, once it is quiet for a moment.
//!
//! Editors save by writing beside and renaming over, and tools write many files at once: what
//! happened is not of interest, only that something did.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Quiet for so long is the end of a change.
const QUIET: Duration = Duration::from_millis(40);
/// A directory that is never quiet is looked at all the same.
const AT_LAST: Duration = Duration::from_millis(600);

pub struct Watch {
    watcher: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    /// One place: that there was a change says it for all of them.
    changes: mpsc::Receiver<()>,
}

impl Watch {
    pub fn new() -> anyhow::Result<Self> {
        let (tell, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is a change too: what was missed is found by looking.
            if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
                let _ = tell.try_send(());
            }
        });
        let watcher = watcher.context("cannot watch directories here")?;
        Ok(Self { watcher, watched: HashSet::new(), changes })
    }

    /// Watches `dir` and these folders of it, and no others any more. Whether there was a new one,
    /// in which something may have changed since it was read. Folders that are left out, with their
    /// thousands of packages, cost nothing.
    pub fn these(&mut self, dir: &Path, folders: &[PathBuf]) -> anyhow::Result<bool> {
        let wanted: HashSet<PathBuf> =
            folders.iter().map(|folder| dir.join(folder)).chain([dir.to_owned()]).collect();
        for gone in self.watched.difference(&wanted) {
            // One that was removed is not watched any more.
            let _ = self.watcher.unwatch(gone);
        }
        let mut is_new = false;
        for folder in wanted.difference(&self.watched) {
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => is_new = true,
                // Gone since it was listed: its parent has told of that.
                Err(_) if !folder.exists() => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot watch {}", folder.display()));
                }
            }
        }
        self.watched = wanted;
        Ok(is_new)
    }

    /// Returns after a change, when nothing further happens for a moment.
    pub async fn changed(&mut self) -> anyhow::Result<()> {
        self.changes.recv().await.context("directories are not watched any more")?;
        let at_last = Instant::now() + AT_LAST;
        while Instant::now() < at_last {
            let quiet = timeout_at((Instant::now() + QUIET).min(at_last), self.changes.recv()).await;
            if quiet.is_err() {
                break;
            }
        }
        Ok(())
    }
}
