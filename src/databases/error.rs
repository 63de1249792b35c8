//! What can go wrong with a preview's database.

use std::time::Duration;

use super::servers::GroundError;
use crate::engine::EngineError;
use crate::seal::NotSealed;
use crate::store::StoreError;

/// Its text holds no password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("this preview has no database")]
    Unknown,
    #[error("the database is not ready yet")]
    NotReady,
    #[error("too many databases are being looked into; try again")]
    Busy,
    #[error(
        "the database image {image} is not on this host; `infra/base-images.sh {base}` makes it, PREVIEW_DATABASE_IMAGES names another{}",
        .instead.map(|setting| format!(", {setting} a server of your own")).unwrap_or_default()
    )]
    ImageMissing {
        image: String,
        base: &'static str,
        /// The setting that names the operator's server, where one can be named.
        instead: Option<&'static str>,
    },
    #[error("the database server {server} was not ready after {} s: {reason}", .after.as_secs())]
    Start { server: String, after: Duration, reason: String },
    #[error("{setting}: {reason}")]
    External { setting: &'static str, reason: String },
    #[error("this program was built without MongoDB's driver: `cargo build --features mongodb`")]
    NotBuiltIn,
    /// The server said no to us.
    #[error("{doing}: {reason}")]
    Sql { doing: &'static str, reason: String },
    /// It said no to what the caller asked.
    #[error("{0}")]
    Query(String),
    #[error("{doing}: no answer within {} s", .after.as_secs())]
    Deadline { doing: &'static str, after: Duration },
    #[error("looking into the file: {0}")]
    File(String),
    #[error("the database's address: {0}")]
    Seal(#[from] NotSealed),
    #[error("no network for a database server: {0}")]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DatabaseError {
    /// The same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy | Self::NotReady | Self::Start { .. } | Self::Deadline { .. } => true,
            Self::Engine(error) => error.is_transient(),
            Self::Store(error) => error.is_busy(),
            _ => false,
        }
    }

    pub(super) fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| Self::Sql { doing, reason: reason(&error) }
    }
}

/// The server's own words, and what it adds to them.
pub(super) fn reason(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(said) = error else { return error.to_string() };
    let postgres = said.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
    let hint = postgres.and_then(|error| error.detail().or(error.hint()));
    match hint {
        Some(hint) => format!("{} ({hint})", said.message()),
        None => said.message().to_owned(),
    }
}
