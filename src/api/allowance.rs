//! How many bytes of one caller's answers are kept for a day: each lies in the store until then, and whoever asks for it could
//! fill the disk with them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::idempotency::KEPT_FOR;

/// Of one caller: some 50,000 answers of the usual size.
const MOST: u64 = 64 * 1024 * 1024;
/// A row besides its body.
const ROW: u64 = 512;
/// Callers above which those whose day is over are looked for.
const MANY: usize = 4096;

/// Counted since the daemon started: a start gives everybody a new day.
#[derive(Default)]
pub struct Allowance(Mutex<HashMap<String, Day>>);

struct Day {
    since: Instant,
    bytes: u64,
}

impl Allowance {
    /// Nothing when there is room, else how long it is until there will be.
    pub fn missing(&self, caller: &str) -> Option<Duration> {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let day = days.get(caller).filter(|day| day.bytes >= MOST)?;
        KEPT_FOR.checked_sub(day.since.elapsed())
    }

    /// So many bytes are kept from now on.
    pub fn take(&self, caller: &str, bytes: usize) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if days.len() >= MANY {
            days.retain(|_, day| day.since.elapsed() < KEPT_FOR);
        }
        let new = || Day { since: Instant::now(), bytes: 0 };
        let day = days.entry(caller.to_owned()).or_insert_with(new);
        if day.since.elapsed() >= KEPT_FOR {
            *day = new();
        }
        day.bytes = day.bytes.saturating_add(bytes as u64 + ROW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_with_too_much_kept_waits_and_no_other_does() {
        let allowance = Allowance::default();
        for _ in 0..63 {
            allowance.take("ann", 1024 * 1024);
        }
        assert_eq!(allowance.missing("ann"), None);
        allowance.take("ann", 1024 * 1024);
        let wait = allowance.missing("ann").expect("no room");
        assert!(wait <= KEPT_FOR && wait > KEPT_FOR / 2, "{wait:?}");
        assert_eq!(allowance.missing("bob"), None);
    }
}
