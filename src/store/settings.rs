//! What the installation remembers about itself, such as its id.

use super::db::{on_read, on_write};
use super::{Fault, Store, StoreError};

const GET: &str = "SELECT value FROM settings WHERE key = $1";

/// The update changes nothing; it is there because only a row that was written is returned.
const PUT_IF_ABSENT: &str = "INSERT INTO settings (key, value) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET value = settings.value
    RETURNING value";

impl Store {
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let find = async {
            let value: Option<String> =
                on_read!(self.db, |pool| sqlx::query_scalar(GET).bind(key).fetch_optional(pool).await?);
            Ok::<_, Fault>(value)
        };
        self.run(StoreError::ReadSetting, find).await
    }

    /// Stores `value` unless the key has one, and says which it has now. Of calls at once, all
    /// get the same answer.
    pub async fn put_setting_if_absent(&self, key: &str, value: &str) -> Result<String, StoreError> {
        let put = async {
            let winner: String = on_write!(self.db, |pool| sqlx::query_scalar(PUT_IF_ABSENT)
                .bind(key)
                .bind(value)
                .fetch_one(pool)
                .await?);
            Ok::<_, Fault>(winner)
        };
        self.run(StoreError::PutSetting, put).await
    }
}
