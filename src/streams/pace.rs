//! How far the viewers of one preview are, so that a flood can be read at a pace at which those
//! who keep reading lose nothing.
//!
//! A container that prints without end is read as fast as its lines can be taken in. A viewer who
//! takes lines all the time, and would lose some only because it shares the host's cores with
//! that flood, is waited for; the container then waits in its write. A viewer who takes fewer
//! than [`KEEPS_UP`] lines in [`WINDOW`] is slow by itself: nobody waits for it, and it is told
//! what it lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a viewer may be waited for before it is looked at again.
const WINDOW: Duration = Duration::from_millis(500);

/// Lines that a viewer takes in that time, who is waited for.
const KEEPS_UP: u64 = 500;

/// One viewer's place.
#[derive(Debug)]
pub(super) struct Place {
    /// Number of the next line to take.
    next: AtomicU64,
    /// Lines it may be behind.
    may_lag: AtomicU64,
    /// It was waited for in vain, and has not caught up since.
    is_slow: AtomicBool,
}

/// The places of all viewers of one preview.
#[derive(Debug, Default)]
pub(super) struct Viewers {
    places: Mutex<Vec<Weak<Place>>>,
    /// Somebody took lines; heard by a reader that waits.
    taken: Notify,
}

impl Place {
    pub(super) fn is_at(&self, next: u64, last: u64) {
        self.next.store(next, Ordering::Relaxed);
        if last.saturating_sub(next) < self.may_lag.load(Ordering::Relaxed) / 2 {
            self.is_slow.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn may_lag(&self, lines: u64) {
        self.may_lag.store(lines, Ordering::Relaxed);
    }

    fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// A quarter before it would lose lines.
    fn is_in_danger(&self, last: u64) -> bool {
        let may_lag = self.may_lag.load(Ordering::Relaxed);
        (last + 1).saturating_sub(self.next()) > may_lag - may_lag / 4
    }
}

impl Viewers {
    pub(super) fn enter(&self, next: u64, may_lag: u64) -> Arc<Place> {
        let place = Arc::new(Place {
            next: AtomicU64::new(next),
            may_lag: AtomicU64::new(may_lag),
            is_slow: AtomicBool::new(false),
        });
        let mut places = self.lock();
        places.retain(|place| place.strong_count() > 0);
        places.push(Arc::downgrade(&place));
        place
    }

    /// Called after lines were taken.
    pub(super) fn took(&self) {
        self.taken.notify_waiters();
    }

    pub(super) fn count(&self) -> usize {
        self.lock().iter().filter(|place| place.strong_count() > 0).count()
    }

    /// Returns when nobody who keeps up is in danger of losing lines up to `last`.
    pub(super) async fn wait_for(&self, last: u64) {
        let mut waited_for = self.in_danger(last);
        let mut begun = Instant::now();
        while !waited_for.is_empty() {
            let taken = self.taken.notified();
            let now_in_danger = self.in_danger(last);
            if now_in_danger.is_empty() {
                return;
            }
            if begun.elapsed() >= WINDOW {
                waited_for.iter().for_each(|(place, before)| {
                    place.is_slow.store(place.next() < before + KEEPS_UP, Ordering::Relaxed);
                });
                (waited_for, begun) = (self.in_danger(last), Instant::now());
                continue;
            }
            let left = WINDOW.saturating_sub(begun.elapsed());
            let _ = tokio::time::timeout(left, taken).await;
        }
    }

    /// Those who are worth waiting for, with where they are.
    fn in_danger(&self, last: u64) -> Vec<(Arc<Place>, u64)> {
        let places = self.lock();
        let there = places.iter().filter_map(Weak::upgrade);
        let endangered = there.filter(|place| !place.is_slow() && place.is_in_danger(last));
        endangered.map(|place| (Arc::clone(&place), place.next())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_waited_for_once_and_again_after_catching_up() {
        let viewers = Viewers::default();
        let place = viewers.enter(1, 100);
        let timed = async |last| {
            let begun = Instant::now();
            viewers.wait_for(last).await;
            begun.elapsed()
        };
        assert!(timed(50).await < WINDOW / 2, "nobody is in danger yet");
        assert!(timed(90).await >= WINDOW);
        assert!(timed(5000).await < WINDOW / 2, "it is slow");
        place.is_at(5000, 5000);
        assert!(timed(5099).await >= WINDOW, "it had caught up");
        drop(place);
        assert!(timed(9999).await < WINDOW / 2);
        assert_eq!(viewers.count(), 0);
    }

    #[tokio::test]
    async fn who_keeps_taking_is_waited_for_for_as_long_as_it_needs() {
        let viewers = Arc::new(Viewers::default());
        let place = viewers.enter(1, 1000);
        let reader = {
            let viewers = viewers.clone();
            tokio::spawn(async move { viewers.wait_for(20_000).await })
        };
        for next in (1..=19_000).step_by(250) {
            assert!(!reader.is_finished(), "given up at {next}");
            place.is_at(next, 20_000);
            viewers.took();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        place.is_at(19_500, 20_000);
        viewers.took();
        tokio::time::timeout(Duration::from_secs(5), reader).await.expect("goes on").expect("no panic");
    }
}
