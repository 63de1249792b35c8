//! Who was refused without having come to be known. Of each source, operation and outcome the first in
//! a minute goes into the audit trail at once; how many followed is one entry at its end. So none is
//! missing in the trail, and a flood of them neither fills it nor keeps others waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::rates;
use crate::domain::AuditEntry;
use crate::store::AuditLog;

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// Those of the minute, with how many followed the first.
    minute: Arc<Mutex<HashMap<Stranger, u64>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stranger {
    /// As the limits of requests tell addresses apart.
    network: Option<IpAddr>,
    via: String,
    action: String,
    status: u16,
}

/// Strangers that are told apart in a minute. Those who come when there are so many are counted, without
/// an address.
const MOST: usize = 512;

const MINUTE: Duration = Duration::from_secs(60);

impl Refusals {
    /// Gives the entry back when it is to be written now, and counts it otherwise. `from` is the address
    /// it came from.
    pub fn first(&self, from: Option<IpAddr>, entry: AuditEntry) -> Option<AuditEntry> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stranger = Stranger {
            network: from.map(rates::network),
            via: entry.via.clone(),
            action: entry.action.clone(),
            status: entry.status,
        };
        let is_known = minute.contains_key(&stranger);
        let is_first = !is_known && minute.len() < MOST;
        if !is_known && !is_first {
            stranger.network = None;
        }
        *minute.entry(stranger).or_default() += u64::from(!is_first);
        is_first.then_some(entry)
    }

    /// Every minute until `over`, and then what came before.
    pub async fn write(self, audit: AuditLog, over: CancellationToken) {
        audit.record_every(MINUTE, over, || self.taken()).await;
    }

    fn taken(&self) -> Vec<AuditEntry> {
        let minute = std::mem::take(&mut *self.minute.lock().unwrap_or_else(PoisonError::into_inner));
        let followed = minute.into_iter().filter(|(_, times)| *times > 0);
        followed.map(|(stranger, times)| stranger.entry(times)).collect()
    }
}

impl Stranger {
    /// Without a target: each may have been about something else.
    fn entry(self, times: u64) -> AuditEntry {
        let address = self.network.map(|network| match network {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(network) => format!("{network}/64"),
        });
        AuditEntry { address, ..AuditEntry::gathered(self.via, self.action, self.status, times) }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn refused(action: &str, status: u16) -> AuditEntry {
        AuditEntry {
            timestamp: Utc::now(),
            actor: None,
            on_behalf: None,
            via: "none".to_owned(),
            action: action.to_owned(),
            target: Some("shop".to_owned()),
            address: Some("198.51.100.7".to_owned()),
            status,
            trace_id: None,
            times: 1,
        }
    }

    #[test]
    fn the_first_of_each_kind_is_written_as_it_is_and_the_rest_is_counted() {
        let (refusals, from) = (Refusals::default(), Some(IpAddr::from([198, 51, 100, 7])));
        let (launch, other) = (refused("launchPreview", 401), refused("stopPreview", 401));
        assert_eq!(refusals.first(from, launch.clone()), Some(launch.clone()));
        assert_eq!(refusals.first(from, other.clone()), Some(other));
        for _ in 0..40 {
            assert_eq!(refusals.first(from, launch.clone()), None);
        }
        let entries = refusals.taken();
        let said: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.times)).collect();
        assert_eq!(said, [("launchPreview", 40)]);
        assert_eq!((entries[0].address.as_deref(), &entries[0].target), (Some("198.51.100.7"), &None));
        assert!(refusals.taken().is_empty());
        assert!(refusals.first(from, launch).is_some(), "another minute");
    }

    #[test]
    fn who_has_many_addresses_is_one_and_more_than_are_told_apart_are_counted_together() {
        let refusals = Refusals::default();
        let from = |n: u128| Some(IpAddr::from(((0x2001_0db8_u128 << 96) | n).to_be_bytes()));
        assert!(refusals.first(from(1), refused("launchPreview", 401)).is_some());
        assert!(refusals.first(from(2), refused("launchPreview", 401)).is_none(), "the same network");
        assert_eq!(refusals.taken()[0].address.as_deref(), Some("2001:db8::/64"));
        let told = |n: &u128| refusals.first(from(n << 64), refused("launchPreview", 401)).is_some();
        assert_eq!((0..MOST as u128 + 500).filter(told).count(), MOST);
        let entries = refusals.taken();
        assert_eq!((entries.len(), entries[0].times, &entries[0].address), (1, 500, &None));
    }
}
