//! One daemon works on a store at a time.
//!
//! A SQLite file lies in the data directory, which one daemon holds. PostgreSQL can be reached by
//! many, and they would take each other's previews for orphans: so the first takes a lock that
//! lives as long as its connection, and the others are refused.

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

impl Store {
    /// [`StoreError::Claimed`] when another daemon works on this store.
    pub async fn claim(&self) -> Result<Claim, StoreError> {
        let Db::Postgres(pool) = &self.db else { return Ok(Claim(None)) };
        let take = async {
            let mut connection = pool.acquire().await?.detach();
            for _ in 0..TRIES {
                let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                    .bind(KEY)
                    .fetch_one(&mut connection)
                    .await?;
                if taken {
                    return Ok(Some(connection));
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(None)
        };
        match self.run(StoreError::Check, take).await? {
            Some(connection) => Ok(Claim(Some(connection))),
            None => Err(StoreError::Claimed),
        }
    }
}

impl Claim {
    /// Gives it back at once; a dropped one goes with its connection.
    pub async fn release(self) {
        if let Some(connection) = self.0
            && let Err(error) = connection.close().await
        {
            tracing::debug!(error = %Fault::from(error), "the store's claim ends with its connection");
        }
    }
}
