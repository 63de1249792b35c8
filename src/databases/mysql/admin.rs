//! The superuser's side: users and databases made, locked and dropped.
//!
//! Names and passwords are our own, letters, digits and `_`, so they can be written into SQL,
//! which takes no parameters in these places.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::{DEADLINE, parsed, within};
use crate::databases::kind::{Found, NewDatabase};
use crate::databases::{Access, Config, DatabaseError};

/// A server, and the right to do everything on it.
pub struct MySql {
    pool: MySqlPool,
    base: MySqlConnectOptions,
    /// MariaDB and MySQL keep accounts, and name limits, in different ways.
    is_mariadb: bool,
    /// At once, of one user.
    connections: u32,
    statement_timeout: Duration,
}

const SUPERUSER: &str = "previewd";

/// Statements of ours at once on one server.
const CONNECTIONS: u32 = 4;

const EXISTS: &str = "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?";

const SIZES: &str = "SELECT s.SCHEMA_NAME, CAST(COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0) AS SIGNED)
    FROM information_schema.SCHEMATA s
        LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME
    WHERE LEFT(s.SCHEMA_NAME, CHAR_LENGTH(?)) = ?
    GROUP BY s.SCHEMA_NAME";

const USERS_OF_MARIADB: &str = "SELECT CONVERT(User USING utf8mb4),
        CAST(COALESCE(JSON_VALUE(Priv, '$.account_locked'), '') IN ('1', 'true') AS SIGNED)
    FROM mysql.global_priv WHERE LEFT(User, CHAR_LENGTH(?)) = ?";

const USERS_OF_MYSQL: &str = "SELECT CONVERT(User USING utf8mb4), CAST(account_locked = 'Y' AS SIGNED)
    FROM mysql.user WHERE LEFT(User, CHAR_LENGTH(?)) = ?";

const CONNECTED: &str = "SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST WHERE USER = ?";

impl MySql {
    /// A server of ours. Fails while it is starting.
    pub async fn connect(
        address: SocketAddr,
        password: &str,
        config: &Config,
    ) -> Result<Self, DatabaseError> {
        let base = MySqlConnectOptions::new()
            .host(&address.ip().to_string())
            .port(address.port())
            .username(SUPERUSER)
            .password(password)
            .ssl_mode(MySqlSslMode::Disabled);
        Self::open(base, config).await
    }

    /// The operator's server.
    pub async fn external(url: &str, config: &Config) -> Result<Self, DatabaseError> {
        Self::open(parsed(url)?, config).await
    }

    async fn open(base: MySqlConnectOptions, config: &Config) -> Result<Self, DatabaseError> {
        const DOING: &str = "connecting to the database server";
        // As the app's own driver would have it: `||` is what the server's mode says.
        let base = base.pipes_as_concat(false).disable_statement_logging();
        let pool = MySqlPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(DEADLINE);
        let pool = within(DOING, pool.connect_with(base.clone())).await?;
        let version: String = within(DOING, sqlx::query_scalar("SELECT VERSION()").fetch_one(&pool)).await?;
        Ok(Self {
            pool,
            base,
            is_mariadb: version.contains("MariaDB"),
            connections: config.connections,
            statement_timeout: config.statement_timeout,
        })
    }

    pub async fn answers(&self) -> bool {
        let ask = sqlx::query("SELECT 1").execute(&self.pool);
        matches!(tokio::time::timeout(Duration::from_secs(3), ask).await, Ok(Ok(_)))
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub async fn exists(&self, name: &str) -> Result<bool, DatabaseError> {
        let found = sqlx::query(EXISTS).bind(name).fetch_optional(&self.pool);
        Ok(within("looking for a database", found).await?.is_some())
    }

    pub async fn create(&self, new: NewDatabase<'_>) -> Result<(), DatabaseError> {
        let NewDatabase { name, password, .. } = new;
        self.drop(name).await?;
        let seconds = self.statement_timeout.as_secs();
        let time = if self.is_mariadb { format!(" MAX_STATEMENT_TIME {seconds}") } else { String::new() };
        // `_` stands for any character where rights are given.
        let pattern = name.replace('_', "\\_");
        self.all(
            "making the database",
            &[
                format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
                format!(
                    "CREATE USER '{name}'@'%' IDENTIFIED BY '{password}' \
                     WITH MAX_USER_CONNECTIONS {}{time}",
                    self.connections
                ),
                format!("GRANT ALL PRIVILEGES ON `{pattern}`.* TO '{name}'@'%'"),
            ],
        )
        .await
    }

    /// The user first, so that nobody comes back; then whoever is connected, so that nothing is
    /// waited for.
    pub async fn drop(&self, name: &str) -> Result<(), DatabaseError> {
        const DOING: &str = "dropping the database";
        self.all(DOING, &[format!("DROP USER IF EXISTS '{name}'@'%'")]).await?;
        self.cut_off(name).await?;
        self.all(DOING, &[format!("DROP DATABASE IF EXISTS {name}")]).await
    }

    pub async fn databases(&self, prefix: &str) -> Result<Vec<Found>, DatabaseError> {
        const DOING: &str = "listing databases";
        let list = if self.is_mariadb { USERS_OF_MARIADB } else { USERS_OF_MYSQL };
        let users = sqlx::query_as::<_, (String, i64)>(list).bind(prefix).bind(prefix).fetch_all(&self.pool);
        let users = within(DOING, users).await?;
        let sizes = sqlx::query_as::<_, (String, i64)>(SIZES).bind(prefix).bind(prefix).fetch_all(&self.pool);
        let sizes = within(DOING, sizes).await?;
        let mut all: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        for (name, bytes) in sizes {
            all.entry(name).or_default().0 = u64::try_from(bytes).unwrap_or(0);
        }
        for (name, is_locked) in users {
            all.entry(name).or_default().1 = is_locked == 0;
        }
        let found = all.into_iter().map(|(name, (bytes, can_login))| Found { name, bytes, can_login });
        Ok(found.collect())
    }

    pub async fn lock_out(&self, name: &str) -> Result<(), DatabaseError> {
        let lock = format!("ALTER USER '{name}'@'%' ACCOUNT LOCK");
        self.all("locking a database that is too large", &[lock]).await?;
        self.cut_off(name).await
    }

    /// As a preview's own user, in its own database.
    pub async fn login(&self, access: &Access) -> Result<MySqlConnection, DatabaseError> {
        let Access::Server { user, password, database, .. } = access else {
            return Err(DatabaseError::Unknown);
        };
        let options = self.base.clone().username(user).password(password).database(database);
        within("connecting to the database", options.connect()).await
    }

    /// An end to every connection of a user.
    async fn cut_off(&self, name: &str) -> Result<(), DatabaseError> {
        const DOING: &str = "ending the connections of a database";
        let connected = sqlx::query_scalar::<_, i64>(CONNECTED).bind(name).fetch_all(&self.pool);
        for id in within(DOING, connected).await? {
            let kill = format!("KILL CONNECTION {id}");
            // It may have ended by itself.
            let _ = within(DOING, sqlx::raw_sql(AssertSqlSafe(kill)).execute(&self.pool)).await;
        }
        Ok(())
    }

    async fn all(&self, doing: &'static str, statements: &[String]) -> Result<(), DatabaseError> {
        for statement in statements {
            let done = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&self.pool);
            within(doing, done).await?;
        }
        Ok(())
    }
}
