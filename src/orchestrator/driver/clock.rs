//! When a session ends, and when that is said beforehand. Pure.
//!
//! On the monotonic clock: a wall clock that jumps neither ends previews early nor keeps them for
//! ever.

use std::time::Duration;

use tokio::time::Instant;

/// How long before its end a session says so.
const WARNINGS: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(60)];

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub ends: Instant,
    /// Warnings for moments up to here were given, or came too late.
    warned_until: Instant,
}

/// The next thing the clock has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    /// So much is left.
    Warning(Duration),
    End,
}

impl Clock {
    pub(super) fn new(now: Instant, left: Duration) -> Self {
        Self { ends: now + left, warned_until: now }
    }

    pub(super) fn extend(&mut self, now: Instant, by: Duration) {
        self.ends += by;
        self.warned_until = now;
    }

    /// What comes next, and when.
    pub(super) fn next(&self) -> (Instant, Tick) {
        let due = |left: &Duration| Some((self.ends.checked_sub(*left)?, Tick::Warning(*left)));
        WARNINGS
            .iter()
            .filter_map(due)
            .find(|(at, _)| *at > self.warned_until)
            .unwrap_or((self.ends, Tick::End))
    }

    /// The warning of this moment was given.
    pub(super) fn warned(&mut self, at: Instant) {
        self.warned_until = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_session_warns_twice_and_ends() {
        let start = Instant::now();
        let mut clock = Clock::new(start, s(1000));
        assert_eq!(clock.next(), (start + s(700), Tick::Warning(s(300))));
        clock.warned(start + s(700));
        assert_eq!(clock.next(), (start + s(940), Tick::Warning(s(60))));
        clock.warned(start + s(940));
        assert_eq!(clock.next(), (start + s(1000), Tick::End));
    }

    #[test]
    fn a_short_session_gives_the_warnings_it_has_time_for() {
        let start = Instant::now();
        assert_eq!(Clock::new(start, s(100)).next(), (start + s(40), Tick::Warning(s(60))));
        assert_eq!(Clock::new(start, s(30)).next(), (start + s(30), Tick::End));
        assert_eq!(Clock::new(start, Duration::ZERO).next(), (start, Tick::End));
    }

    #[test]
    fn an_extended_session_warns_again() {
        let start = Instant::now();
        let mut clock = Clock::new(start, s(1000));
        clock.warned(start + s(940));
        clock.extend(start + s(950), s(600));
        assert_eq!(clock.next(), (start + s(1300), Tick::Warning(s(300))));
    }
}
