//! How many tokens shown at previews' doors are entries of the audit trail: whoever has an address can show one with every
//! request, and each would be an entry for months.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::PreviewId;

/// Entries of one preview in a minute, of those let in and of those sent away. The rest are visits like others, and gathered.
const EACH: u32 = 30;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Knocks(Mutex<Option<Minute>>);

struct Minute {
    since: Instant,
    heard: HashMap<(PreviewId, bool), u32>,
}

impl Knocks {
    /// Whether this one is written down.
    pub fn counts(&self, preview: PreviewId, admitted: bool) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.as_ref().is_none_or(|minute| minute.since.elapsed() >= MINUTE) {
            *minute = None;
        }
        let minute = minute.get_or_insert_with(|| Minute { since: Instant::now(), heard: HashMap::new() });
        let heard = minute.heard.entry((preview, admitted)).or_default();
        *heard = heard.saturating_add(1);
        *heard <= EACH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_that_is_beaten_at_fills_no_trail_and_hides_no_other() {
        let (knocks, beaten) = (Knocks::default(), PreviewId::new());
        let written = (0..10_000).filter(|_| knocks.counts(beaten, false)).count();
        assert_eq!(written, 30);
        assert!(knocks.counts(beaten, true), "who is let in is another matter");
        assert!(knocks.counts(PreviewId::new(), false));
    }
}
