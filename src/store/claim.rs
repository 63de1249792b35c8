//! One daemon works on a store at a time.
//!
//! A SQLite file lies in the data directory, which one daemon holds. PostgreSQL can be reached by
//! many, and they would take each other's previews for orphans: so the first takes a lock that
//! lives as long as its connection, and the others are refused. A server that restarts forgets the
//! lock, and whoever comes first has the next one: so it is looked after, and who lost it stops.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::db::Db;
use super::{Fault, Store, StoreError};

/// Held for as long as the daemon works on the store.
#[derive(Debug)]
pub struct Claim(Option<PgConnection>);

/// `previewd` in ASCII, as a number.
const KEY: i64 = 0x7072_6576_6965_7764;

/// How long a daemon that ends may still hold it.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(2);

impl Store {
    /// [`StoreError::Claimed`] when another daemon works on this store.
    pub async fn claim(&self) -> Result<Claim, StoreError> {
        let mut tries = 0;
        loop {
            if let Some(claim) = self.try_claim().await? {
                return Ok(claim);
            }
            tries += 1;
            if tries == TRIES {
                return Err(StoreError::Claimed);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// None when another daemon has it.
    async fn try_claim(&self) -> Result<Option<Claim>, StoreError> {
        let Db::Postgres(pool) = &self.db else { return Ok(Some(Claim(None))) };
        let take = async {
            let mut connection = pool.acquire().await?.detach();
            let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                .bind(KEY)
                .fetch_one(&mut connection)
                .await?;
            Ok(taken.then(|| Claim(Some(connection))))
        };
        self.run(StoreError::Check, take).await
    }
}

impl Claim {
    /// Looks after it, and takes it again where the server forgot it. Returns once another daemon has
    /// it; never on a store that nobody else can reach.
    pub async fn lost(&mut self, store: &Store) {
        loop {
            tokio::time::sleep(EVERY).await;
            if self.stands(store).await {
                continue;
            }
            tracing::warn!("the store has forgotten that it is ours: claiming it again");
            // A connection that only seems broken would keep it from us.
            drop(self.0.take());
            match self.again(store).await {
                Some(claim) => *self = claim,
                None => return,
            }
        }
    }

    async fn stands(&mut self, store: &Store) -> bool {
        let Some(connection) = &mut self.0 else { return std::future::pending().await };
        let look = async { Ok(connection.ping().await?) };
        store.run(StoreError::Check, look).await.is_ok()
    }

    /// None once another daemon has it. One that is about to end, or a server that has not noticed that
    /// our connection is gone, may hold it for a while.
    async fn again(&self, store: &Store) -> Option<Claim> {
        loop {
            match store.claim().await {
                Ok(claim) => return Some(claim),
                Err(StoreError::Claimed) => return None,
                // Nobody else gets it meanwhile either.
                Err(error) => tracing::debug!(%error, "the store cannot be claimed yet"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives it back at once; a dropped one goes with its connection.
    pub async fn release(self) {
        if let Some(connection) = self.0
            && let Err(error) = connection.close().await
        {
            tracing::debug!(error = %Fault::from(error), "the store's claim ends with its connection");
        }
    }
}
