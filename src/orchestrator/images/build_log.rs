//! What one build said, kept whole for whoever comes late, and followed live by any number.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::BuildEvent;

/// A cheap handle; all clones are the same log.
#[derive(Debug, Clone)]
pub struct BuildLog {
    shared: Arc<Shared>,
}

/// Reads a log from its beginning; see [`BuildLog::follow`].
#[derive(Debug)]
pub struct BuildFollower {
    log: BuildLog,
    next: u64,
    written: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    /// Events written so far; followers sleep on it.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Number of the first event still kept.
    first: u64,
    events: VecDeque<BuildEvent>,
}

/// A chatty build prints some thousands of lines; older ones make room.
const KEPT_EVENTS: usize = 10_000;

impl Default for BuildLog {
    fn default() -> Self {
        let shared = Shared { kept: Mutex::default(), written: watch::Sender::new(0) };
        Self { shared: Arc::new(shared) }
    }
}

impl BuildLog {
    pub fn push(&self, event: BuildEvent) {
        let written = {
            let mut kept = self.kept();
            if kept.events.len() == KEPT_EVENTS {
                kept.events.pop_front();
                kept.first += 1;
            }
            kept.events.push_back(event);
            kept.first + kept.events.len() as u64
        };
        self.shared.written.send_replace(written);
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub fn follow(&self) -> BuildFollower {
        BuildFollower { log: self.clone(), next: 0, written: self.shared.written.subscribe() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, number: u64) -> Option<(u64, BuildEvent)> {
        let kept = self.kept();
        let number = number.max(kept.first);
        let event = kept.events.get((number - kept.first) as usize)?;
        Some((number, event.clone()))
    }
}

impl BuildFollower {
    /// The next event with its number, waiting for it if need be; `None` after the last one.
    pub async fn next(&mut self) -> Option<(u64, BuildEvent)> {
        loop {
            // Marked as seen before looking, so that an event written in between wakes us.
            self.written.borrow_and_update();
            if let Some((number, event)) = self.log.at(self.next) {
                self.next = if is_last(&event) { u64::MAX } else { number + 1 };
                return Some((number, event));
            }
            if self.next == u64::MAX || self.written.changed().await.is_err() {
                return None;
            }
        }
    }
}

fn is_last(event: &BuildEvent) -> bool {
    matches!(event, BuildEvent::Done { .. } | BuildEvent::Failed { .. } | BuildEvent::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize) -> BuildEvent {
        BuildEvent::Output { step: "1".into(), line: n.to_string() }
    }

    #[tokio::test]
    async fn a_late_follower_reads_from_the_beginning_and_ends_with_the_build() {
        let log = BuildLog::default();
        log.push(line(0));
        let mut follower = log.follow();
        log.push(line(1));
        log.push(BuildEvent::Cancelled);
        let mut seen = Vec::new();
        while let Some((number, event)) = follower.next().await {
            seen.push((number, event));
        }
        assert_eq!(seen, [(0, line(0)), (1, line(1)), (2, BuildEvent::Cancelled)]);
    }

    #[tokio::test]
    async fn a_flood_is_bounded_and_the_numbers_tell_what_is_missing() {
        let log = BuildLog::default();
        for n in 0..KEPT_EVENTS + 5 {
            log.push(line(n));
        }
        assert_eq!(log.follow().next().await, Some((5, line(5))));
    }
}
