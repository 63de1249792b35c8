//! From counters that only grow to what goes on now.

use std::time::{Duration, Instant};

use crate::domain::Counters;

/// Two readings nearer than this say more about the scheduler than about the app.
const WINDOW: Duration = Duration::from_secs(1);

/// What the newest readings of one container were.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// At least [`WINDOW`] before `newer`.
    older: Option<Mark>,
    newer: Option<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    cpu_seconds: f64,
    periods: u64,
    throttled: u64,
}

/// Over the last second or more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub cores: f64,
    /// 0 to 1; 0 as well for a container that ran in no period.
    pub throttled: f64,
}

impl Rates {
    /// `None` until enough time has passed since the first reading. Readings may come as often
    /// as anybody asks: each is compared with one that is a second or more before it.
    pub(super) fn look(&mut self, at: Instant, counters: &Counters) -> Option<Rate> {
        let now = Mark::new(at, counters);
        let Some(newer) = self.newer else {
            self.newer = Some(now);
            return None;
        };
        if now.cpu_seconds < newer.cpu_seconds {
            // It was started anew.
            (self.older, self.newer) = (None, Some(now));
            return None;
        }
        if at.saturating_duration_since(newer.at) >= WINDOW {
            (self.older, self.newer) = (Some(newer), Some(now));
        }
        self.older.map(|older| older.to(&now))
    }
}

impl Mark {
    const fn new(at: Instant, counters: &Counters) -> Self {
        Self {
            at,
            cpu_seconds: counters.cpu_seconds,
            periods: counters.cpu_periods,
            throttled: counters.cpu_throttled_periods,
        }
    }

    fn to(self, now: &Self) -> Rate {
        let passed = now.at.saturating_duration_since(self.at).as_secs_f64().max(f64::MIN_POSITIVE);
        let periods = now.periods.saturating_sub(self.periods);
        let throttled = now.throttled.saturating_sub(self.throttled);
        Rate {
            cores: (now.cpu_seconds - self.cpu_seconds).max(0.0) / passed,
            throttled: if periods == 0 { 0.0 } else { throttled as f64 / periods as f64 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(cpu_seconds: f64, periods: u64, throttled: u64) -> Counters {
        Counters {
            cpu_seconds,
            cpu_periods: periods,
            cpu_throttled_periods: throttled,
            ..Counters::default()
        }
    }

    #[test]
    fn a_reading_is_compared_with_one_at_least_a_second_before_it() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let after = |millis: u64| start + Duration::from_millis(millis);
        assert_eq!(rates.look(start, &counters(1.0, 0, 0)), None);
        assert_eq!(rates.look(after(500), &counters(1.5, 5, 0)), None, "too soon");
        let rate = rates.look(after(2000), &counters(2.0, 20, 5)).expect("enough");
        assert!((rate.cores - 0.5).abs() < 1e-9 && (rate.throttled - 0.25).abs() < 1e-9, "{rate:?}");
        // Asked again at once, a burst of these milliseconds does not make 40 cores of it.
        let rate = rates.look(after(2010), &counters(2.4, 20, 5)).expect("enough");
        assert!((rate.cores - 1.4 / 2.01).abs() < 1e-9, "{rate:?}");
        let rate = rates.look(after(4000), &counters(2.4, 20, 5)).expect("enough");
        assert!((rate.cores - 0.2).abs() < 1e-9 && rate.throttled == 0.0, "{rate:?}");
    }

    #[test]
    fn a_container_started_anew_begins_anew() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        assert_eq!(rates.look(start, &counters(9.0, 0, 0)), None);
        assert_eq!(rates.look(start + Duration::from_secs(2), &counters(0.1, 0, 0)), None);
        assert!(rates.look(start + Duration::from_secs(4), &counters(0.3, 0, 0)).is_some());
    }
}
