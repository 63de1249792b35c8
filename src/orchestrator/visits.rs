//! Who visited which preview. Visits are gathered and written into the audit trail once in a while,
//! one entry for each visitor and outcome: a page of fifty requests is one visitor, and what many
//! visitors write is bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Visitors;
use crate::domain::{AuditEntry, PreviewId};
use crate::ingress::Visited;
use crate::store::AuditLog;

/// Visitors that are told apart at once. Those who come when there are so many are counted, for
/// their preview, without an address.
const MOST: usize = 2048;

/// Visits since the last entry.
#[derive(Debug, Default)]
pub(super) struct Visits {
    since: Mutex<HashMap<Visitor, u64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Visitor {
    preview: PreviewId,
    /// By its generation it is known to who reads the trail.
    target: Option<String>,
    address: Option<String>,
    via: String,
    was_let_in: bool,
}

impl Visits {
    pub(super) fn add(&self, visit: &Visited<'_>, target: Option<&str>) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        for (was_let_in, times) in [(true, visit.served), (false, visit.refused)] {
            if times == 0 {
                continue;
            }
            let mut visitor = Visitor {
                preview: visit.preview,
                target: target.map(str::to_owned),
                address: Some(visit.peer.to_owned()),
                via: visit.by.unwrap_or("none").to_owned(),
                was_let_in,
            };
            if since.len() >= MOST && !since.contains_key(&visitor) {
                visitor.address = None;
            }
            *since.entry(visitor).or_default() += u64::from(times);
        }
    }

    fn taken(&self) -> Vec<AuditEntry> {
        let since = std::mem::take(&mut *self.since.lock().unwrap_or_else(PoisonError::into_inner));
        since.into_iter().map(|(visitor, times)| visitor.entry(times)).collect()
    }
}

impl Visitor {
    fn entry(self, times: u64) -> AuditEntry {
        let status = if self.was_let_in { 200 } else { 401 };
        let gathered = AuditEntry::gathered(self.via, "visitPreview".to_owned(), status, times);
        AuditEntry { target: self.target, address: self.address, ..gathered }
    }
}

/// Writes gathered visits down.
pub struct VisitWriter {
    visitors: Arc<Visitors>,
    window: Duration,
    audit: AuditLog,
}

impl VisitWriter {
    /// Every `window`.
    pub const fn new(visitors: Arc<Visitors>, window: Duration, audit: AuditLog) -> Self {
        Self { visitors, window, audit }
    }

    /// Until `over`, and then what came before.
    pub async fn write(self, over: CancellationToken) {
        self.audit.record_every(self.window, over, || self.visitors.visits().taken()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visited<'a>(preview: PreviewId, peer: &'a str, served: u32, refused: u32) -> Visited<'a> {
        Visited { preview, peer, by: None, served, refused }
    }

    #[test]
    fn many_requests_of_one_visitor_are_one_entry_for_each_outcome() {
        let (visits, preview) = (Visits::default(), PreviewId::new());
        for _ in 0..50 {
            visits.add(&visited(preview, "198.51.100.7", 3, 0), Some("shop"));
        }
        visits.add(&visited(preview, "198.51.100.7", 0, 2), Some("shop"));
        let mut entries = visits.taken();
        entries.sort_by_key(|entry| entry.status);
        let said: Vec<_> = entries.iter().map(|entry| (entry.status, entry.times)).collect();
        assert_eq!(said, [(200, 150), (401, 2)]);
        assert!(entries.iter().all(|entry| entry.target.as_deref() == Some("shop")));
        assert!(visits.taken().is_empty());
    }

    #[test]
    fn more_visitors_than_are_told_apart_are_counted_together() {
        let (visits, preview) = (Visits::default(), PreviewId::new());
        for n in 0..MOST + 500 {
            visits.add(&visited(preview, &format!("peer {n}"), 1, 0), None);
        }
        let entries = visits.taken();
        assert_eq!(entries.len(), MOST + 1);
        assert_eq!(entries.iter().map(|entry| entry.times).sum::<u64>(), (MOST + 500) as u64);
        let others = entries.iter().find(|entry| entry.address.is_none()).expect("the others");
        assert_eq!(others.times, 500);
    }
}
