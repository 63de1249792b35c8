//! How much a container may print before its output is read more slowly.
//!
//! What it costs to take lines in is the engine's time and ours, which no limit of the container
//! holds: one with a core of its own that prints without end takes as much again from its neighbours.
//! So it may print a great deal at once, as much as no program prints by itself, and then so much in a
//! second; a container whose reader is slow waits in its write, and nothing is lost.

use std::time::{Duration, Instant};

/// Lines, and KiB beside them, that are read as fast as they come.
const AT_ONCE: f64 = 500_000.0;
/// So many in each second afterwards.
const A_SECOND: f64 = 20_000.0;
/// The longest that is waited at once: the container may have ended meanwhile.
const LONGEST: Duration = Duration::from_millis(250);

pub(super) struct Allowance {
    left: f64,
    at: Instant,
    is_spent: bool,
}

/// What a container that has printed more is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overdrawn {
    /// Until it is read on.
    pub wait: Duration,
    /// It was within its allowance before.
    pub is_new: bool,
}

impl Allowance {
    pub(super) const fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, at: now, is_spent: false }
    }

    /// Takes off what was read until now.
    pub(super) fn spend(&mut self, lines: usize, bytes: usize, now: Instant) -> Option<Overdrawn> {
        let earned = now.duration_since(self.at).as_secs_f64() * A_SECOND;
        self.at = now;
        self.left = (self.left + earned).min(AT_ONCE);
        self.is_spent &= self.left < AT_ONCE / 2.0;
        self.left -= lines as f64 + bytes as f64 / 1024.0;
        (self.left < 0.0).then(|| {
            let wait = Duration::from_secs_f64(-self.left / A_SECOND).min(LONGEST);
            Overdrawn { wait, is_new: !std::mem::replace(&mut self.is_spent, true) }
        })
    }

    /// For who reads what becomes of it.
    pub(super) fn notice() -> String {
        format!(
            "it has printed more than {} lines at once: from here on {} a second are read, and it waits where it prints more",
            AT_ONCE, A_SECOND
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_great_deal_is_free_and_then_so_much_a_second() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(begun);
        for _ in 0..300 {
            assert_eq!(allowance.spend(1_000, 100 * 1024, begun), None, "what a program prints");
        }
        let (mut now, mut printed, mut told) = (begun, 0, 0);
        while now < begun + Duration::from_secs(60) {
            printed += 500;
            if let Some(Overdrawn { wait, is_new }) = allowance.spend(500, 0, now) {
                told += usize::from(is_new);
                assert!(wait <= LONGEST);
                now += wait;
            }
        }
        let sustained = (f64::from(printed) - AT_ONCE + 330_000.0) / 60.0;
        assert!((sustained - A_SECOND).abs() < 100.0, "{sustained}");
        assert_eq!(told, 1);
    }

    #[test]
    fn who_has_been_quiet_for_long_may_print_as_much_again() {
        let begun = Instant::now();
        let (mut allowance, all) = (Allowance::new(begun), AT_ONCE as usize);
        assert!(allowance.spend(all + 1, 0, begun).is_some_and(|over| over.is_new));
        assert!(allowance.spend(1, 0, begun).is_some_and(|over| !over.is_new), "it was told");
        let later = begun + Duration::from_secs(3600);
        assert_eq!(allowance.spend(all, 0, later), None);
        assert!(allowance.spend(all, 0, later).is_some_and(|over| over.is_new));
    }

    #[test]
    fn a_line_without_an_end_counts_by_its_bytes() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        assert_eq!(allowance.spend(0, 400_000 * 1024, now), None);
        assert!(allowance.spend(0, 200_000 * 1024, now).is_some());
    }
}
