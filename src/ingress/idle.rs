//! Connections that wait for another request.

use std::time::{Duration, Instant};

use super::upstream::Kept;

/// The one used last is used first: the others may grow old, and go.
#[derive(Debug)]
pub(super) struct Idle<C> {
    /// The oldest first, with when each was put here.
    waiting: Vec<(C, Instant)>,
}

impl<C> Idle<C> {
    pub(super) const fn new() -> Self {
        Self { waiting: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn put(&mut self, connection: C, now: Instant) {
        self.waiting.push((connection, now));
    }

    /// Those that have waited for too long.
    pub(super) fn take_old(&mut self, limit: Duration) -> Vec<(C, Instant)> {
        let fresh = self.waiting.iter().position(|(_, since)| since.elapsed() < limit);
        self.waiting.drain(..fresh.unwrap_or(self.waiting.len())).collect()
    }
}

impl<C: Kept> Idle<C> {
    /// One that the app has not closed.
    pub(super) fn take(&mut self, now: Instant, limit: Duration) -> Option<C> {
        while let Some((connection, since)) = self.waiting.pop() {
            if now.saturating_duration_since(since) >= limit {
                self.waiting.clear();
            } else if connection.is_open() {
                return Some(connection);
            }
        }
        None
    }
}
