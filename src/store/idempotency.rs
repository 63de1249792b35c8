//! Answers that are kept to be given again to a call that is repeated.

use chrono::{DateTime, Utc};

use super::db::{on_read, on_write};
use super::row::{RowName, read, to_json};
use super::{Fault, Store, StoreError};

const TABLE: &str = "idempotency_keys";

/// One that is too old is as good as none.
const CLAIM: &str =
    "INSERT INTO idempotency_keys (caller, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (caller, key) DO UPDATE
        SET (fingerprint, status, headers, body, created_at) = ($3, NULL, NULL, NULL, $4)
        WHERE idempotency_keys.created_at < $5";

const FIND: &str =
    "SELECT key, fingerprint, status, headers, body FROM idempotency_keys WHERE caller = $1 AND key = $2";

const KEEP: &str = "UPDATE idempotency_keys SET (status, headers, body) = ($3, $4, $5)
    WHERE caller = $1 AND key = $2 AND status IS NULL";

const FORGET: &str = "DELETE FROM idempotency_keys WHERE caller = $1 AND key = $2 AND status IS NULL";

const FORGET_UNFINISHED: &str = "DELETE FROM idempotency_keys WHERE status IS NULL";

const SWEEP: &str = "DELETE FROM idempotency_keys WHERE created_at < $1";

/// Whose key it is, and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerKey {
    pub caller: String,
    pub key: String,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Encrypted by whoever kept it.
    pub sealed_body: String,
}

/// What became of [`Store::claim_answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerClaim {
    /// The caller is the first: it acts, and then keeps or forgets.
    First,
    /// Another call is at it.
    UnderWay,
    Kept(KeptAnswer),
    /// The key was used for something else.
    Other,
}

#[derive(sqlx::FromRow)]
struct AnswerRow {
    key: String,
    fingerprint: String,
    status: Option<i64>,
    headers: Option<String>,
    body: Option<String>,
}

impl Store {
    /// Of calls at once with one key, exactly one is the first. A claim of before `oldest` counts
    /// no more.
    pub async fn claim_answer(
        &self,
        of: &AnswerKey,
        fingerprint: &str,
        now: DateTime<Utc>,
        oldest: DateTime<Utc>,
    ) -> Result<AnswerClaim, StoreError> {
        let claim = async {
            let claimed = on_write!(self.db, |pool| sqlx::query(CLAIM)
                .bind(&of.caller)
                .bind(&of.key)
                .bind(fingerprint)
                .bind(now.timestamp_millis())
                .bind(oldest.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected());
            if claimed == 1 {
                return Ok(AnswerClaim::First);
            }
            let found: Option<AnswerRow> = on_read!(self.db, |pool| sqlx::query(FIND)
                .bind(&of.caller)
                .bind(&of.key)
                .fetch_optional(pool)
                .await?
                .map(|row| read(TABLE, "key", &row))
                .transpose()?);
            // Forgotten in between: whoever asks again is the first.
            found.map_or(Ok(AnswerClaim::UnderWay), |row| row.into_claim(fingerprint))
        };
        self.run(StoreError::KeepAnswer, claim).await
    }

    pub async fn keep_answer(&self, of: &AnswerKey, answer: &KeptAnswer) -> Result<(), StoreError> {
        let headers = to_json("headers", &answer.headers).map_err(StoreError::KeepAnswer)?;
        let keep = async {
            on_write!(self.db, |pool| sqlx::query(KEEP)
                .bind(&of.caller)
                .bind(&of.key)
                .bind(i64::from(answer.status))
                .bind(&headers)
                .bind(&answer.sealed_body)
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::KeepAnswer, keep).await
    }

    /// The call came to nothing that should be told again: the next one is the first.
    pub async fn forget_answer(&self, of: &AnswerKey) -> Result<(), StoreError> {
        let forget = async {
            on_write!(self.db, |pool| sqlx::query(FORGET)
                .bind(&of.caller)
                .bind(&of.key)
                .execute(pool)
                .await
                .map(drop))?;
            Ok(())
        };
        self.run(StoreError::KeepAnswer, forget).await
    }

    /// For the start of a daemon: calls that were under way when it ended will not be answered.
    pub async fn forget_unfinished_answers(&self) -> Result<u64, StoreError> {
        let forget = async {
            let gone = on_write!(self.db, |pool| sqlx::query(FORGET_UNFINISHED)
                .execute(pool)
                .await?
                .rows_affected());
            Ok(gone)
        };
        self.run(StoreError::KeepAnswer, forget).await
    }

    /// Removes those that were claimed before `oldest`.
    pub async fn sweep_answers(&self, oldest: DateTime<Utc>) -> Result<u64, StoreError> {
        let sweep = async {
            let gone = on_write!(self.db, |pool| sqlx::query(SWEEP)
                .bind(oldest.timestamp_millis())
                .execute(pool)
                .await?
                .rows_affected());
            Ok(gone)
        };
        self.run(StoreError::KeepAnswer, sweep).await
    }
}

impl AnswerRow {
    fn into_claim(self, fingerprint: &str) -> Result<AnswerClaim, Fault> {
        if self.fingerprint != fingerprint {
            return Ok(AnswerClaim::Other);
        }
        let name = RowName { table: TABLE, id: self.key };
        let (Some(status), Some(headers), Some(sealed_body)) = (self.status, self.headers, self.body) else {
            return Ok(AnswerClaim::UnderWay);
        };
        Ok(AnswerClaim::Kept(KeptAnswer {
            status: name.number("status", status)?,
            headers: name.json("headers", &headers)?,
            sealed_body,
        }))
    }
}
