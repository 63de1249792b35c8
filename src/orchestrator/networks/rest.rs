//! Networks of previews that have just ended, which rest for a while before they go.
//!
//! A platform that stops a preview launches the next one soon. It gets such a network at once, and
//! whoever stops one does not wait for the engine to take its network down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Held, Inner};

/// So many rest at most: a daemon that ends removes them all first, a fifth of a second each.
const MOST: usize = 24;

/// A network that nobody uses, since when.
#[derive(Debug)]
pub(super) struct Resting {
    pub name: String,
    since: Instant,
}

impl Held {
    /// Lets it rest, if more may; the moment from which it does.
    pub(super) fn rest(&mut self, name: &str) -> Option<Instant> {
        if self.closed || self.resting.len() >= MOST {
            return None;
        }
        let since = Instant::now();
        self.resting.push_back(Resting { name: name.to_owned(), since });
        Some(since)
    }

    /// The one that has rested longest, so that an address is not used again at once.
    pub(super) fn wake(&mut self) -> Option<String> {
        self.resting.pop_front().map(|resting| resting.name)
    }

    /// Takes it out if it has rested since then, and was not used in between.
    fn rested(&mut self, name: &str, since: Instant) -> bool {
        let at = self.resting.iter().position(|resting| resting.name == name && resting.since == since);
        at.and_then(|at| self.resting.remove(at)).is_some()
    }
}

impl Inner {
    /// Removes it after its rest, if nobody has had it by then.
    pub(super) fn remove_rested(self: &Arc<Self>, name: String, since: Instant, rest: Duration) {
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            if inner.closing.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                // Who closes removes all that rest.
                return;
            }
            if !inner.held().rested(&name, since) {
                return;
            }
            if let Err(error) = inner.remove(&name).await {
                tracing::warn!(%error, network = name, "a network that nobody uses stays until the next start");
            }
        });
    }
}
