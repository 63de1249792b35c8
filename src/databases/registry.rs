//! What is known of live previews' databases, in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Access;
use crate::domain::{DatabaseRecord, PreviewId};

/// A live preview's database.
#[derive(Debug, Clone)]
pub struct Known {
    pub record: DatabaseRecord,
    /// Absent until there is an address.
    pub access: Option<Access>,
    pub health: Health,
}

/// What was last seen of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    pub last_check: Option<DateTime<Utc>>,
    /// Why the server does not answer, when it does not.
    pub trouble: Option<String>,
    /// It grew beyond its limit and takes no more logins.
    pub is_full: bool,
    /// It went with a server that was lost.
    pub is_lost: bool,
    pub bytes: Option<u64>,
    /// Tables and rows, when they were last counted.
    pub counted: Option<(u64, u64)>,
    pub counted_at: Option<DateTime<Utc>>,
    /// When counting failed, if it did so last.
    pub uncounted_at: Option<DateTime<Utc>>,
}

/// Never locked across an await.
#[derive(Default)]
pub(super) struct Registry(Mutex<HashMap<PreviewId, Known>>);

impl Registry {
    pub fn get(&self, preview: PreviewId) -> Option<Known> {
        self.lock().get(&preview).cloned()
    }

    pub fn all(&self) -> Vec<(PreviewId, Known)> {
        self.lock().iter().map(|(preview, known)| (*preview, known.clone())).collect()
    }

    /// An access that is `None` stays as it was.
    pub fn insert(&self, preview: PreviewId, record: DatabaseRecord, access: Option<Access>) {
        let mut all = self.lock();
        match all.get_mut(&preview) {
            Some(known) => {
                known.record = record;
                known.access = access.or(known.access.take());
            }
            None => {
                all.insert(preview, Known { record, access, health: Health::default() });
            }
        }
    }

    pub fn remove(&self, preview: PreviewId) {
        self.lock().remove(&preview);
    }

    /// Nothing where they could not be counted: the last ones stay.
    pub fn counted(&self, preview: PreviewId, totals: Option<(u64, u64)>) {
        if let Some(Known { health, .. }) = self.lock().get_mut(&preview) {
            let now = Some(Utc::now());
            health.uncounted_at = now.filter(|_| totals.is_none());
            if totals.is_some() {
                (health.counted, health.counted_at) = (totals, now);
            }
        }
    }

    pub fn measured(&self, preview: PreviewId, bytes: u64, is_full: bool) {
        if let Some(known) = self.lock().get_mut(&preview) {
            known.health.bytes = Some(bytes);
            known.health.is_full = is_full;
            known.health.is_lost = false;
        }
    }

    /// It is not where it should be.
    pub fn missed(&self, preview: PreviewId, is_lost: bool) {
        if let Some(known) = self.lock().get_mut(&preview) {
            known.health.is_lost = is_lost && known.record.ready;
        }
    }

    /// Notes the outcome of a check for each database that it concerns.
    pub fn seen(&self, outcome: impl Fn(PreviewId, &DatabaseRecord) -> Option<Option<String>>) {
        for (preview, known) in self.lock().iter_mut() {
            if let Some(trouble) = outcome(*preview, &known.record) {
                known.health.trouble = trouble;
                known.health.last_check = Some(Utc::now());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PreviewId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    pub fn is_counted_within(&self, age: Duration) -> bool {
        is_within(self.counted_at, age)
    }

    /// Whether counting was tried and failed.
    pub fn has_failed_within(&self, age: Duration) -> bool {
        is_within(self.uncounted_at, age)
    }

    /// What is wrong, in words; `None` when nothing is.
    pub fn problem(&self) -> Option<String> {
        match &self.trouble {
            Some(trouble) => Some(format!("the database server does not answer: {trouble}")),
            None if self.is_lost => Some("the database is gone with its server; reset it".to_owned()),
            None if self.is_full => Some(
                "the database is larger than it may be and takes no more connections; reset it".to_owned(),
            ),
            None => None,
        }
    }
}

fn is_within(at: Option<DateTime<Utc>>, age: Duration) -> bool {
    at.is_some_and(|at| (Utc::now() - at).to_std().is_ok_and(|passed| passed < age))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DatabaseMode, DatabaseType, MigrationStatus};

    #[test]
    fn a_count_that_failed_is_remembered_beside_the_last_that_did_not() {
        let record = DatabaseRecord {
            kind: DatabaseType::Postgresql,
            mode: DatabaseMode::Managed,
            version: "17".to_owned(),
            name: "pv_x".to_owned(),
            migrate: true,
            limit_mb: 100,
            ready: true,
            migration: MigrationStatus::None,
            template: None,
        };
        let (registry, preview) = (Registry::default(), PreviewId::new());
        registry.insert(preview, record, None);
        let health = || registry.get(preview).expect("known").health;
        let soon = Duration::from_secs(60);
        assert!(!health().is_counted_within(soon) && !health().has_failed_within(soon));
        registry.counted(preview, None);
        assert!(!health().is_counted_within(soon) && health().has_failed_within(soon));
        registry.counted(preview, Some((2, 9)));
        assert!(health().is_counted_within(soon) && !health().has_failed_within(soon));
        registry.counted(preview, None);
        assert_eq!(health().counted, Some((2, 9)), "the last stays");
        assert!(health().has_failed_within(soon) && !health().has_failed_within(Duration::ZERO));
    }
}
