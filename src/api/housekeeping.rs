//! What the API forgets in time: kept answers, what was long ago, and the buckets of callers who are
//! gone.

use std::time::Duration;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::idempotency;
use crate::store::Store;

const EVERY: Duration = Duration::from_secs(60);

/// Goes round until `over`.
pub async fn keep(store: Store, admission: Admission, audit_days: u32, over: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = over.cancelled() => return,
        }
        admission.rates.sweep();
        if let Err(error) = store.sweep_answers(idempotency::oldest_kept(Utc::now())).await {
            tracing::warn!(%error, "old answers stay for another minute");
        }
        if let Err(error) = store.sweep_audit(Utc::now() - chrono::Duration::days(audit_days.into())).await {
            tracing::warn!(%error, "the audit trail is longer than it should be for another minute");
        }
    }
}
