//! PostgreSQL: what previewd says to a server as its superuser, and what it asks a preview's
//! database as that preview's own role.

mod admin;
mod look;
mod query;
mod templates;

use std::net::SocketAddr;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

pub(super) use admin::{Admin, address_of};
pub(super) use look::look;
pub(super) use query::query;

use super::DatabaseError;

pub(super) const PORT: u16 = 5432;

/// Waiting for a connection, and one statement of ours: many launches at once wait for each other.
const DEADLINE: Duration = Duration::from_secs(30);

/// How to connect to one database as one role.
pub(super) struct Login(PgConnectOptions);

impl Login {
    fn again(&self) -> Self {
        Self(self.0.clone())
    }

    async fn connect(self) -> Result<PgConnection, DatabaseError> {
        const DOING: &str = "connecting to the database";
        within(DOING, self.0.connect()).await
    }

    /// For questions only.
    fn read_only(self, statement_timeout: Duration) -> Self {
        Self(self.0.options([
            ("default_transaction_read_only", "on".to_owned()),
            ("statement_timeout", statement_timeout.as_millis().to_string()),
            // Notices are a stranger's words of any length.
            ("client_min_messages", "error".to_owned()),
        ]))
    }
}

/// Addresses are of this host or of the operator's choice; names inside of a database are a
/// preview's, so that nothing is looked up there: neither pg_service files nor `PGOPTIONS`.
fn options(address: SocketAddr, user: &str, password: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(user)
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .application_name("previewd")
        .disable_statement_logging()
}

async fn within<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done.map_err(DatabaseError::sql(doing)),
        Err(_) => Err(DatabaseError::Deadline { doing, after: DEADLINE }),
    }
}
