//! What the looks at a preview came to: of every check the newest outcome, when, and in words.
//!
//! | check | looks at | how often |
//! |---|---|---|
//! | http | the health endpoint | the preview's health interval |
//! | port | whether anything in the container listens where it should | the same |
//! | container | whether its first process is there | the same, and when the engine says something |
//! | database | whether its server answers | the watch over database servers |
//! | memory | how near the limit it is | every sample |
//! | storage | how near its limit is what it has written | every measuring of disks |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Orchestrator, Parts};
use crate::domain::{HealthChange, HealthStatus, Preview};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Http,
    Port,
    Container,
    Database,
    Memory,
    Storage,
}

/// One outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub check: Check,
    pub status: HealthStatus,
    pub at: DateTime<Utc>,
    pub message: String,
}

/// Those of one preview; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks(Arc<Mutex<BTreeMap<Check, Checked>>>);

impl Check {
    pub const ALL: [Self; 6] =
        [Self::Http, Self::Port, Self::Container, Self::Database, Self::Memory, Self::Storage];

    /// The name sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Port => "port",
            Self::Container => "container",
            Self::Database => "database",
            Self::Memory => "memory",
            Self::Storage => "storage",
        }
    }
}

impl Checks {
    /// Keeps an outcome; the change when it is another than the one before. That the first look
    /// finds all well is no change.
    fn note(&self, checked: Checked) -> Option<HealthChange> {
        let Checked { check, status, ref message, .. } = checked;
        let change = HealthChange::new(check.as_str(), status, message);
        let before = self.lock().insert(check, checked).map_or(HealthStatus::Healthy, |before| before.status);
        (before != status).then_some(change)
    }

    fn all(&self) -> Vec<Checked> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Check, Checked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    /// Keeps what a look came to, and tells viewers when that is another outcome than before:
    /// true then.
    pub(super) fn checked(&self, preview: &Preview, check: Check, status: HealthStatus, said: &str) -> bool {
        let Some(entry) = self.registry.get(preview.id) else { return false };
        let checked = Checked { check, status, at: Utc::now(), message: said.to_owned() };
        let change = entry.checks.note(checked);
        let is_new = change.is_some();
        if let Some(change) = change {
            self.tell_health(preview, vec![change]);
        }
        is_new
    }
}

impl Orchestrator {
    /// The newest outcomes of a live preview, in the order of [`Check::ALL`]; those checks are
    /// missing that were not made yet.
    pub fn checks(&self, preview: &Preview) -> Vec<Checked> {
        self.parts.registry.get(preview.id).map(|entry| entry.checks.all()).unwrap_or_default()
    }

    /// How often a check is made of this preview.
    pub fn check_interval(&self, preview: &Preview, check: Check) -> Duration {
        match check {
            Check::Http | Check::Port | Check::Container => {
                Duration::from_secs(u64::from(preview.health_interval_s))
            }
            Check::Database => self.parts.config.reconcile_every,
            Check::Memory => self.parts.samples.config().interval,
            Check::Storage => self.parts.samples.config().disk_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_outcome_is_a_change() {
        let checks = Checks::default();
        let note = |check, status| {
            let checked = Checked { check, status, at: Utc::now(), message: "said".to_owned() };
            checks.note(checked).map(|change| (change.name, change.status))
        };
        use HealthStatus::{Degraded, Healthy};
        assert_eq!(note(Check::Http, Healthy), None);
        assert_eq!(note(Check::Http, Degraded), Some(("http".to_owned(), Degraded)));
        assert_eq!(note(Check::Http, Degraded), None);
        assert_eq!(note(Check::Memory, Degraded), Some(("memory".to_owned(), Degraded)));
        assert_eq!(note(Check::Http, Healthy), Some(("http".to_owned(), Healthy)));
        let kept: Vec<_> = checks.all().into_iter().map(|checked| checked.check).collect();
        assert_eq!(kept, [Check::Http, Check::Memory]);
    }
}
