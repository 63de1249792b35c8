//! The superuser's side: roles and databases made, locked and dropped.
//!
//! Names and passwords are our own, letters, digits and `_`, so they can be written into SQL,
//! which takes no parameters in these places. Inside of a preview's database nothing of the
//! preview's is ever called: a function found there would run as the superuser.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::{DEADLINE, Login, options, within};
use crate::databases::kind::{Found, NewDatabase, ServerKind};
use crate::databases::{Access, Config, DatabaseError};

/// A server, and the right to do everything on it.
pub struct Postgres {
    pub(super) pool: PgPool,
    base: PgConnectOptions,
    /// The operator's: what needs a superuser is left out.
    pub(super) is_external: bool,
    /// At once, of one role.
    connections: u32,
    statement_timeout: Duration,
    /// Serialises what would disturb others at work on the same template.
    pub(super) templates: tokio::sync::Mutex<()>,
}

/// The superuser of a server of ours, and the database where its connections rest.
const SUPERUSER: &str = "previewd";
const MAINTENANCE: &str = "postgres";

/// Statements of ours at once on one server.
const CONNECTIONS: u32 = 4;

const EXISTS: &str = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1";

/// Roles without a database are there after a crash in between.
const OURS: &str = "SELECT r.rolname::text, COALESCE(pg_catalog.pg_database_size(d.oid), 0), r.rolcanlogin
    FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_database d ON d.datname = r.rolname
    WHERE pg_catalog.starts_with(r.rolname::text, $1)
    UNION
    SELECT d.datname::text, pg_catalog.pg_database_size(d.oid), false
    FROM pg_catalog.pg_database d
    WHERE pg_catalog.starts_with(d.datname::text, $1)
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = d.datname)";

/// <https://www.postgresql.org/docs/15/sql-notify.html>, on the queue.
const HOARDERS: &str = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
    WHERE pg_catalog.starts_with(usename::text, $1) AND xact_start < pg_catalog.now() - INTERVAL '10 seconds'
      AND pg_catalog.pg_notification_queue_usage() > CASE WHEN state LIKE 'idle in transaction%' THEN 0.01 ELSE 0.2 END";

impl Postgres {
    /// A server of ours. Fails while it is starting.
    pub async fn connect(
        address: SocketAddr,
        password: &str,
        config: &Config,
    ) -> Result<Self, DatabaseError> {
        let admin = Self::open(options(address, SUPERUSER, password, MAINTENANCE), false, config).await?;
        admin.close_doors().await?;
        admin.watch_extensions(&config.extensions).await?;
        admin.prepare_templates().await?;
        Ok(admin)
    }

    /// The operator's server.
    pub async fn external(url: &str, config: &Config) -> Result<Self, DatabaseError> {
        let base = parsed(url)?.application_name("previewd").disable_statement_logging();
        let admin = Self::open(base, true, config).await?;
        admin.prepare_templates().await?;
        Ok(admin)
    }

    async fn open(base: PgConnectOptions, is_external: bool, config: &Config) -> Result<Self, DatabaseError> {
        // What the client says wins over what a database's owner has set for it: names are
        // looked up in the server's own catalogue and nowhere else.
        let base = base.options([("search_path", "pg_catalog"), ("statement_timeout", "30s")]);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(DEADLINE);
        let pool = within("connecting to the database server", pool.connect_with(base.clone())).await?;
        Ok(Self {
            pool,
            base,
            is_external,
            connections: config.connections,
            statement_timeout: config.statement_timeout,
            templates: tokio::sync::Mutex::default(),
        })
    }

    pub async fn answers(&self) -> bool {
        let ask = sqlx::query("SELECT 1").execute(&self.pool);
        matches!(tokio::time::timeout(Duration::from_secs(3), ask).await, Ok(Ok(_)))
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether a database of this name is there.
    pub async fn exists(&self, name: &str) -> Result<bool, DatabaseError> {
        let found = sqlx::query(EXISTS).bind(name).fetch_optional(&self.pool);
        Ok(within("looking for a database", found).await?.is_some())
    }

    /// A role and its database, over whatever an interrupted try has left. True when it is a
    /// copy of the template; a template that is not there is no reason to fail.
    pub async fn create(&self, new: NewDatabase<'_>) -> Result<bool, DatabaseError> {
        const DOING: &str = "making the database";
        let NewDatabase { name, password, template } = new;
        self.drop(name).await?;
        if let Some(template) = template
            && self.take_spare(new, template).await?
        {
            self.touch(template).await?;
            return Ok(true);
        }
        self.all(DOING, &[self.role(name, password)]).await?;
        if self.is_external {
            // Who is no superuser gives away only what it could have itself.
            self.all(DOING, &[format!("GRANT {name} TO CURRENT_USER")]).await?;
        }
        let copied = match template {
            Some(template) => self.copy(name, template).await?,
            None => false,
        };
        if !copied {
            self.all(DOING, &[format!("CREATE DATABASE {name} OWNER {name}")]).await?;
        }
        self.all(DOING, &[format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")]).await?;
        Ok(copied)
    }

    /// A role that could not be dropped is taken again, as a new one would be.
    fn role(&self, name: &str, password: &str) -> String {
        let rights = format!(
            "{name} LOGIN PASSWORD '{password}' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        );
        format!(
            "DO $$ BEGIN
                 IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '{name}') THEN
                     ALTER ROLE {rights};
                     ALTER ROLE {name} RESET ALL;
                 ELSE
                     CREATE ROLE {rights};
                 END IF;
             END $$; {}",
            self.limits(name)
        )
    }

    /// What a role may use of the server.
    pub(super) fn limits(&self, role: &str) -> String {
        let (connections, timeout) = (self.connections, self.statement_timeout.as_millis());
        format!(
            "ALTER ROLE {role} CONNECTION LIMIT {connections}; ALTER ROLE {role} SET statement_timeout = {timeout}"
        )
    }

    /// Roles and databases whose names begin so.
    pub async fn databases(&self, prefix: &str) -> Result<Vec<Found>, DatabaseError> {
        let rows = sqlx::query_as::<_, (String, i64, bool)>(OURS).bind(prefix).fetch_all(&self.pool);
        let rows = within("listing databases", rows).await?;
        let found = rows.into_iter().map(|(name, bytes, can_login)| Found {
            name,
            bytes: u64::try_from(bytes).unwrap_or(0),
            can_login,
        });
        Ok(found.collect())
    }

    /// No new connection, and an end to those there are.
    pub async fn lock_out(&self, name: &str) -> Result<(), DatabaseError> {
        let end = format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = '{name}'"
        );
        self.all("locking a database that is too large", &[format!("ALTER ROLE {name} NOLOGIN"), end]).await
    }

    /// What listeners have not read is kept for all databases together, in up to 8 GiB that count as nobody's, and a session
    /// that listens and stays in its transaction reads nothing: above a hundredth of that, sessions end that are idle in one, and
    /// above a fifth also those that are at work.
    pub async fn end_hoarders(&self, prefix: &str) -> Result<(), DatabaseError> {
        let ended = sqlx::query(HOARDERS).bind(prefix).execute(&self.pool);
        within("ending sessions that keep messages", ended).await?;
        Ok(())
    }

    /// As a preview's own role, in its own database.
    pub fn login(&self, access: &Access) -> Result<Login, DatabaseError> {
        let Access::Server { user, password, database, .. } = access else {
            return Err(DatabaseError::Unknown);
        };
        let base = self.base.clone().username(user).password(password).database(database);
        Ok(Login(base.options([("search_path", "\"$user\",public")])))
    }

    /// As ourselves, in one database.
    pub(super) fn inside(&self, database: &str) -> Login {
        Login(self.base.clone().database(database))
    }

    /// One after the other, each a transaction of its own, as databases are made and dropped in
    /// none.
    pub(super) async fn all(&self, doing: &'static str, statements: &[String]) -> Result<(), DatabaseError> {
        for statement in statements {
            let done = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&self.pool);
            within(doing, done).await?;
        }
        Ok(())
    }

    /// What everybody may enter by default, nobody may.
    async fn close_doors(&self) -> Result<(), DatabaseError> {
        let close = |database| format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
        self.all("preparing the server", &[close(MAINTENANCE), close("template1")]).await
    }

    /// Every database copies this from `template1`. PostgreSQL lets an owner create extensions
    /// it trusts; of these our list is a part.
    async fn watch_extensions(&self, allowed: &[String]) -> Result<(), DatabaseError> {
        const DOING: &str = "preparing the server";
        let list: Vec<String> = allowed.iter().map(|name| format!("'{}'", name.replace('\'', ""))).collect();
        let list = list.join(", ");
        let sql = format!(
            "CREATE SCHEMA IF NOT EXISTS previewd;
             CREATE OR REPLACE FUNCTION previewd.allowed_extensions() RETURNS event_trigger
             LANGUAGE plpgsql SET search_path = pg_catalog AS $$
             DECLARE
                 extension text;
             BEGIN
                 FOR extension IN SELECT trim(both '\"' from object_identity)
                     FROM pg_event_trigger_ddl_commands() WHERE object_type = 'extension'
                 LOOP
                     IF extension <> ALL (ARRAY[{list}]::text[]) THEN
                         RAISE EXCEPTION 'extension % is not allowed in a preview', extension
                             USING ERRCODE = 'insufficient_privilege';
                     END IF;
                 END LOOP;
             END $$;
             DROP EVENT TRIGGER IF EXISTS previewd_extensions;
             CREATE EVENT TRIGGER previewd_extensions ON ddl_command_end
                 WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION previewd.allowed_extensions()"
        );
        let mut connection = self.inside("template1").connect().await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        within(DOING, done).await?;
        within(DOING, sqlx::Connection::close(connection)).await
    }

    /// Comments on databases whose names begin so: name, bytes, comment.
    pub(super) async fn commented(
        &self,
        prefix: &str,
    ) -> Result<HashMap<String, (u64, String)>, DatabaseError> {
        const LIST: &str = "SELECT datname::text, pg_catalog.pg_database_size(oid),
                COALESCE(pg_catalog.shobj_description(oid, 'pg_database'), '')
            FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname::text, $1)";
        let rows = sqlx::query_as::<_, (String, i64, String)>(LIST).bind(prefix).fetch_all(&self.pool);
        let rows = within("listing templates", rows).await?;
        Ok(rows
            .into_iter()
            .map(|(name, bytes, comment)| (name, (u64::try_from(bytes).unwrap_or(0), comment)))
            .collect())
    }
}

/// Host and port of the operator's server.
pub fn address_of(url: &str) -> Result<(String, u16), DatabaseError> {
    let options = parsed(url)?;
    Ok((options.get_host().to_owned(), options.get_port()))
}

fn parsed(url: &str) -> Result<PgConnectOptions, DatabaseError> {
    let setting = ServerKind::Postgresql.setting();
    PgConnectOptions::from_str(url)
        .map_err(|error| DatabaseError::External { setting, reason: error.to_string() })
}
