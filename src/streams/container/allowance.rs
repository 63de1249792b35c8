//! How much a container may print before its output is read more slowly.
//!
//! What it costs to take lines in is the engine's time and ours, which no limit of the container
//! holds: one with a core of its own that prints without end takes as much again from its neighbours.
//! So it may print a great deal at once, as much as no program prints by itself, and then so much in a
//! second; a container whose reader is slow waits in its write, and nothing is lost.

use std::time::{Duration, Instant};

/// The longest that is waited at once: the container may have ended meanwhile.
const LONGEST: Duration = Duration::from_millis(250);

/// In lines, and in KiB beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// Read as fast as they come; 500,000.
    pub at_once: u32,
    /// Read in each second afterwards; 20,000.
    pub a_second: u32,
}

impl Default for Flood {
    fn default() -> Self {
        Self { at_once: 500_000, a_second: 20_000 }
    }
}

pub(super) struct Allowance {
    limits: Flood,
    left: f64,
    at: Instant,
    /// Lines until it is said again: by then it has left the log.
    silent_for: usize,
    /// Of these, how many are to come.
    silent: usize,
}

/// What becomes of a container that has printed more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overdrawn {
    /// Until it is read on.
    pub wait: Duration,
    /// For who reads its log, now and then.
    pub notice: Option<String>,
}

impl Allowance {
    /// It is said once in `silent_for` lines.
    pub(super) fn new(limits: Flood, silent_for: usize, now: Instant) -> Self {
        Self { limits, left: f64::from(limits.at_once), at: now, silent_for, silent: 0 }
    }

    /// Takes off what was read until now.
    pub(super) fn spend(&mut self, lines: usize, bytes: usize, now: Instant) -> Option<Overdrawn> {
        let Flood { at_once, a_second } = self.limits;
        let earned = now.duration_since(self.at).as_secs_f64() * f64::from(a_second);
        self.at = now;
        self.left = (self.left + earned).min(f64::from(at_once)) - lines as f64 - bytes as f64 / 1024.0;
        if self.left >= 0.0 {
            return None;
        }
        let is_said = self.silent == 0;
        self.silent = if is_said { self.silent_for } else { self.silent.saturating_sub(lines) };
        let wait = Duration::from_secs_f64(-self.left / f64::from(a_second)).min(LONGEST);
        let notice = is_said.then(|| {
            format!("it has printed more than {at_once} lines at once: {a_second} a second are read from here on, and it waits where it prints more")
        });
        Some(Overdrawn { wait, notice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(now: Instant) -> Allowance {
        Allowance::new(Flood::default(), 5_000, now)
    }

    #[test]
    fn a_great_deal_is_free_and_then_so_much_a_second() {
        let begun = Instant::now();
        let mut allowance = new(begun);
        for _ in 0..300 {
            assert_eq!(allowance.spend(1_000, 100 * 1024, begun), None, "what a program prints");
        }
        let (mut now, mut printed, mut said) = (begun, 0, 0);
        while now < begun + Duration::from_secs(60) {
            printed += 500;
            if let Some(Overdrawn { wait, notice }) = allowance.spend(500, 0, now) {
                said += usize::from(notice.is_some());
                assert!(wait <= LONGEST);
                now += wait;
            }
        }
        let sustained = (printed as f64 - 170_000.0) / 60.0;
        assert!((sustained - 20_000.0).abs() < 100.0, "{sustained}");
        let every = (printed - 170_000) / said;
        assert!((5_000..6_000).contains(&every), "said once in {every} lines");
    }

    #[test]
    fn who_has_been_quiet_for_long_may_print_as_much_again() {
        let begun = Instant::now();
        let (mut allowance, all) = (new(begun), 500_000);
        assert!(allowance.spend(all + 1, 0, begun).is_some_and(|over| over.notice.is_some()));
        assert!(allowance.spend(1, 0, begun).is_some_and(|over| over.notice.is_none()), "it was said");
        let later = begun + Duration::from_secs(3600);
        assert_eq!(allowance.spend(all, 0, later), None);
        assert!(allowance.spend(all, 0, later).is_some());
    }

    #[test]
    fn a_line_without_an_end_counts_by_its_bytes() {
        let now = Instant::now();
        let mut allowance = new(now);
        assert_eq!(allowance.spend(0, 400_000 * 1024, now), None);
        assert!(allowance.spend(0, 200_000 * 1024, now).is_some());
    }
}
