//! What is said to a server of SQL, whichever it is, has an end.

use std::time::Duration;

use super::DatabaseError;

/// Waiting for a connection, and one statement of ours: many launches at once wait for each other.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

pub(super) async fn within<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done.map_err(DatabaseError::sql(doing)),
        Err(_) => Err(DatabaseError::Deadline { doing, after: DEADLINE }),
    }
}
