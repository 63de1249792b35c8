//! Connections of either backend, and the three ways to use them: read, write, transaction.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::str::FromStr as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Postgres, Sqlite, Transaction};

use super::{Config, Fault, StoreError};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// KiB each connection keeps of the file, as SQLite writes it. Its own default is 2000, which ten
/// connections turn into as much as all the rest of an idle daemon; the kernel has the file too.
const PAGE_CACHE: &str = "-512";

#[derive(Debug, Clone)]
pub(super) enum Db {
    /// SQLite has one writer at a time. Giving it one connection of its own makes writers wait in
    /// the pool, in order, and not in SQLite's busy loop; readers see the last commit meanwhile.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
    Postgres(PgPool),
}

/// A `DATABASE_URL` that was understood.
pub(super) enum Address {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

/// Runs an expression with a pool to read from, of whichever backend.
macro_rules! on_read {
    ($db:expr, |$pool:ident| $body:expr) => {
        match &$db {
            $crate::store::db::Db::Sqlite { read: $pool, .. } => $body,
            $crate::store::db::Db::Postgres($pool) => $body,
        }
    };
}

/// Runs an expression with a pool to write to: one statement, a transaction of its own.
macro_rules! on_write {
    ($db:expr, |$pool:ident| $body:expr) => {
        match &$db {
            $crate::store::db::Db::Sqlite { write: $pool, .. } => $body,
            $crate::store::db::Db::Postgres($pool) => $body,
        }
    };
}

/// Runs a block in a transaction that holds the named lock, then commits. `?` in the block and
/// dropping the future roll back. Transactions with the same lock run one after the other, on
/// every daemon that shares the database.
macro_rules! in_transaction {
    ($db:expr, $lock:expr, |$tx:ident| $body:block) => {
        match &$db {
            $crate::store::db::Db::Sqlite { write, .. } => {
                let mut $tx = $crate::store::db::begin_sqlite(write).await?;
                let done = $body;
                $tx.commit().await?;
                done
            }
            $crate::store::db::Db::Postgres(pool) => {
                let mut $tx = $crate::store::db::begin_postgres(pool, $lock).await?;
                let done = $body;
                $tx.commit().await?;
                done
            }
        }
    };
}

pub(super) use {in_transaction, on_read, on_write};

/// Takes SQLite's only write lock at once: a transaction that reads first and asks for it later
/// may find that another has written in between, and cannot go on. It is every lock in one.
pub(super) async fn begin_sqlite(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, Fault> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match pool.begin_with(BEGIN).await {
        // A full disk makes SQLite roll back by itself. The connection does not hear of it, counts the
        // transaction as open for ever, and makes way for another one.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            pool.acquire().await?.close().await?;
            Ok(pool.begin_with(BEGIN).await?)
        }
        begun => Ok(begun?),
    }
}

/// The lock is advisory and goes with the transaction.
pub(super) async fn begin_postgres(
    pool: &PgPool,
    lock: &str,
) -> Result<Transaction<'static, Postgres>, Fault> {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(lock)[..8]);
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(i64::from_be_bytes(key)).execute(&mut *tx).await?;
    Ok(tx)
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let refused = |why: String| StoreError::Address(why);
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("sqlite") if url.contains(":memory:") || url.contains("mode=memory") => {
                Err(refused("a store in memory would forget its previews; expected sqlite://PATH".into()))
            }
            Some("sqlite") => SqliteConnectOptions::from_str(url)
                .map(Self::Sqlite)
                .map_err(|error| refused(format!("expected sqlite://PATH: {error}"))),
            Some("postgres" | "postgresql") => PgConnectOptions::from_str(url)
                .map(Self::Postgres)
                .map_err(|error| refused(format!("expected postgres://USER@HOST/DATABASE: {error}"))),
            _ => Err(refused("expected sqlite://PATH or postgres://USER@HOST/DATABASE".into())),
        }
    }

    /// For people to read: no password, no parameters.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sqlite(options) => format!("sqlite://{}", options.get_filename().display()),
            Self::Postgres(options) => format!(
                "postgres://{}@{}:{}/{}",
                options.get_username(),
                options.get_socket().map_or(options.get_host().to_owned(), |path| path.display().to_string()),
                options.get_port(),
                options.get_database().unwrap_or_default(),
            ),
        }
    }
}

impl Db {
    pub(super) async fn connect(config: &Config, statement_deadline: Duration) -> Result<Self, StoreError> {
        let address = Address::parse(&config.database_url)?;
        let place = address.place();
        let connected = match address {
            Address::Sqlite(options) => Self::connect_sqlite(options, config).await,
            Address::Postgres(options) => Self::connect_postgres(options, config, statement_deadline).await,
        };
        connected.map_err(|fault| StoreError::Open { place, fault })
    }

    async fn connect_sqlite(options: SqliteConnectOptions, config: &Config) -> Result<Self, Fault> {
        // Environment values and token hashes are in it: the file, and with it the journal that
        // SQLite makes beside it, is for its owner alone.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(options.get_filename())
            .map_err(Fault::File)?;
        // With WAL, NORMAL survives the end of the process at any point; only a power cut may
        // cost the last commits, and then the containers are gone too.
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .pragma("cache_size", PAGE_CACHE)
            .busy_timeout(config.acquire_timeout);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(config.acquire_timeout)
            .max_lifetime(None)
            .idle_timeout(None);
        let write = pool.clone().max_connections(1).connect_with(options.clone()).await?;
        let read = pool
            .max_connections(config.pool_size.max(1))
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self::Sqlite { read, write })
    }

    async fn connect_postgres(
        options: PgConnectOptions,
        config: &Config,
        statement_deadline: Duration,
    ) -> Result<Self, Fault> {
        let options = options.application_name("previewd").options([
            ("lock_timeout", config.acquire_timeout.as_millis().to_string()),
            ("statement_timeout", statement_deadline.as_millis().to_string()),
        ]);
        let pool = PgPoolOptions::new()
            .acquire_timeout(config.acquire_timeout)
            .max_connections(config.pool_size.max(1))
            .connect_with(options)
            .await?;
        Ok(Self::Postgres(pool))
    }

    pub(super) async fn migrate(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite { write, .. } => SQLITE_MIGRATIONS.run(write).await,
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await,
        }
        .map_err(Fault::Migration)
    }

    pub(super) fn schema_version(&self) -> i64 {
        let migrations = match self {
            Self::Sqlite { .. } => &SQLITE_MIGRATIONS,
            Self::Postgres(_) => &POSTGRES_MIGRATIONS,
        };
        migrations.iter().map(|migration| migration.version).max().unwrap_or_default()
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                // Last, so that SQLite folds the journal into the file.
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}
