//! Which records of the build cache go.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Config;
use crate::engine::{CachedStep, Engine, EngineError};
use crate::generation::BUILD_MARK;

/// A record that can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleStep {
    pub step: CachedStep,
    pub why: Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// No build came to it for so long.
    Old,
    /// All records together take more than they may, and this one is the least recently used.
    TooMuch,
    /// The disk needs the room.
    DiskShort,
}

/// Records of previewd's builds that need not stay, the least recently used first.
///
/// Installations on one engine share what their builds have in common, so the one that keeps it
/// for the shortest time decides.
pub async fn stale_steps(
    engine: &Engine,
    config: &Config,
    is_short: bool,
) -> Result<Vec<StaleStep>, EngineError> {
    let Some(ttl) = config.cache_ttl else { return Ok(Vec::new()) };
    let steps = engine.cached_steps(BUILD_MARK).await?;
    Ok(stale(steps, Utc::now(), (ttl, config.cache_most), is_short))
}

fn stale(
    steps: Vec<CachedStep>,
    now: DateTime<Utc>,
    (ttl, most): (Duration, u64),
    is_short: bool,
) -> Vec<StaleStep> {
    let mut all: u64 = steps.iter().map(|step| step.bytes).sum();
    let why = |step: CachedStep| {
        let why = if (now - step.last_used).to_std().is_ok_and(|unused| unused >= ttl) {
            Stale::Old
        } else if is_short {
            Stale::DiskShort
        } else if all > most {
            Stale::TooMuch
        } else {
            return None;
        };
        all -= step.bytes;
        Some(StaleStep { step, why })
    };
    steps.into_iter().map_while(why).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first_by_age_by_size_and_for_the_disk() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let step = |id: &str, used| CachedStep { id: id.to_owned(), bytes: 10, last_used: at(used) };
        let go = |ttl, most, is_short| {
            let steps = vec![step("a", 10), step("b", 20), step("c", 30)];
            let found = stale(steps, at(100), (Duration::from_secs(ttl), most), is_short);
            found.into_iter().map(|stale| (stale.step.id, stale.why)).collect::<Vec<_>>()
        };
        let named = |pairs: &[(&str, Stale)]| -> Vec<_> {
            pairs.iter().map(|(id, why)| ((*id).to_owned(), *why)).collect()
        };
        assert_eq!(go(1000, 1000, false), []);
        assert_eq!(go(80, 1000, false), named(&[("a", Stale::Old), ("b", Stale::Old)]));
        assert_eq!(go(1000, 20, false), named(&[("a", Stale::TooMuch)]));
        // What goes for its age makes room for the others.
        assert_eq!(go(90, 19, false), named(&[("a", Stale::Old), ("b", Stale::TooMuch)]));
        let all = [("a", Stale::Old), ("b", Stale::DiskShort), ("c", Stale::DiskShort)];
        assert_eq!(go(90, 1000, true), named(&all));
    }
}
