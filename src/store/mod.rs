//! Owns what outlives a process: generations, previews, their audit trail, and the settings of
//! the installation. The only place that knows SQL.
//!
//! One [`Store`] over two backends: a SQLite file for one daemon alone, PostgreSQL for several
//! that share state. Every statement is written once and runs on both; `tests/store` tells the
//! same stories to both. Migrations run when the store is opened.
//!
//! Every call has a deadline, and every read-then-write is one transaction that no other can
//! get between.

mod access;
mod api_keys;
mod archive;
mod audit;
mod audit_log;
mod claim;
mod config;
mod databases;
mod db;
mod deliveries;
mod error;
mod events;
mod generations;
mod idempotency;
mod logs;
mod metrics;
mod overlays;
mod page;
mod preview_row;
mod previews;
mod row;
mod secrets;
mod settings;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

pub use api_keys::StoredKey;
pub use audit::AuditFilter;
pub use audit_log::{AuditLog, AuditWriter};
pub use claim::Claim;
pub use config::Config;
pub use databases::StoredDatabase;
pub use error::{Fault, StoreError};
pub use generations::{GenerationHead, Put};
pub use idempotency::{AnswerClaim, AnswerKey, KeptAnswer};
pub use metrics::LastUse;
pub use overlays::{Overlay, OverlayHead};
pub use page::{Page, PageOf};
pub use previews::{Insert, PreviewFilter};

use crate::faults::{self, Side};
use crate::seal::Seal;
use db::{Db, on_read};

/// A handle to the store; clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    /// For what is kept secret; without one it is kept as it is.
    seal: Option<Seal>,
    /// The longest any call may take: waiting for a connection, and then for the answer.
    deadline: Duration,
    /// Told of each appended event.
    appended: Arc<Notify>,
}

impl Store {
    /// How long a statement may run once it has a connection.
    const STATEMENT_DEADLINE: Duration = Duration::from_secs(30);

    /// How long readiness waits for an answer.
    const CHECK_DEADLINE: Duration = Duration::from_secs(2);

    /// Connects, creates the SQLite file where it is missing, and brings the schema up to date.
    pub async fn open(config: Config) -> Result<Self, StoreError> {
        let db = Db::connect(&config, Self::STATEMENT_DEADLINE).await?;
        db.migrate().await.map_err(StoreError::Migrate)?;
        let deadline = config.acquire_timeout + Self::STATEMENT_DEADLINE;
        Ok(Self { db, seal: None, deadline, appended: Arc::default() })
    }

    /// Whether the store answers, for readiness; at most two seconds.
    pub async fn check(&self) -> Result<(), StoreError> {
        let ask = async {
            on_read!(self.db, |pool| sqlx::query("SELECT key FROM settings LIMIT 1")
                .fetch_optional(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        within(Self::CHECK_DEADLINE, StoreError::Check, ask).await
    }

    /// `sqlite` or `postgresql`.
    pub fn backend(&self) -> &'static str {
        match self.db {
            Db::Sqlite { .. } => "sqlite",
            Db::Postgres(_) => "postgresql",
        }
    }

    /// The number of the newest migration, which [`Store::open`] has applied.
    pub fn schema_version(&self) -> i64 {
        self.db.schema_version()
    }

    /// Waits for calls under way and gives the connections back. Later calls fail.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Does `work` under the deadline of this store; a fault becomes `operation`'s error.
    async fn run<T>(
        &self,
        operation: fn(Fault) -> StoreError,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        within(self.deadline, operation, work).await
    }
}

async fn within<T>(
    deadline: Duration,
    operation: fn(Fault) -> StoreError,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, StoreError> {
    pass(operation, Side::Before);
    let done = match tokio::time::timeout(deadline, work).await {
        Ok(done) => done.map_err(operation),
        Err(_) => Err(operation(Fault::Deadline(deadline))),
    };
    pass(operation, Side::After);
    done
}

/// Points for tests have the names of operations, as their errors say them.
fn pass(operation: fn(Fault) -> StoreError, side: Side) {
    if faults::are_there() {
        let text = operation(Fault::Deadline(Duration::ZERO)).to_string();
        faults::pass(text.split(':').next().unwrap_or_default(), side);
    }
}
