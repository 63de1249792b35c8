//! What an app expects to find around it: a database, a cache, a schema, first data, libraries of
//! the distribution. Found in dependencies, configuration and source; nothing here is a promise
//! that the platform gives it.

mod cache;
mod commands;
mod database;
mod drivers;
mod migrations;
mod seeds;
mod system;
mod url;
mod variables;
mod written;

use serde::Serialize;

use super::plan::Source;
use crate::domain::DatabaseType;

pub use self::cache::find as cache;
pub use self::database::find as database;
pub use self::migrations::find as migration;
pub use self::seeds::find as seed;
pub use self::system::find as system_packages;
pub use self::variables::is_of_a_service;
pub use self::written::warn as warn_of_written;

/// A database the app expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseNeed {
    pub kind: DatabaseKind,
    /// The library that speaks to it: `asyncpg`, `psycopg2-binary`, `prisma`, `pg`, `mongoose`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// How the URL has to begin for that library: `postgresql+asyncpg://`, `mongodb://`, `file:`.
    pub url_form: String,
    /// Variables the code takes it from, those of a whole URL first; empty when it is written
    /// into the code.
    pub variables: Vec<DatabaseVariable>,
    /// Some variable has no default in the code: without it the app has no database.
    pub required: bool,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    Sqlite,
    Postgresql,
    Mysql,
    Mongodb,
}

/// One variable of the environment and which part of a connection it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseVariable {
    pub name: String,
    pub holds: ConnectionPart,
    pub file: String,
    /// From 1.
    pub line: usize,
    pub has_default: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionPart {
    Url,
    Host,
    Port,
    User,
    Password,
    /// The database's name, or SQLite's file.
    Name,
}

/// A cache, or a broker of messages, the app expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheNeed {
    pub kind: CacheKind,
    /// The library that speaks to it.
    pub driver: String,
    /// How its URL begins: `redis://`.
    pub url_form: String,
    pub variables: Vec<DatabaseVariable>,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    Redis,
    Memcached,
    Rabbitmq,
}

/// Something to be done between the start of the database and the start of the app: a migration
/// or the loading of first data. Either a command or files of SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseTask {
    /// `alembic`, `django`, `flask-migrate`, `prisma`, `knex`, `sequelize`, `typeorm`, `drizzle`,
    /// `script`, `sql`, `metadata`, …
    pub tool: String,
    /// Run without a shell in the app's image, with the app's environment; empty for `sql`.
    pub command: Vec<String>,
    /// Where in the container the command is run.
    pub working_dir: String,
    /// Files of the tree with SQL, to be applied in this order; empty when there is a command.
    pub files: Vec<String>,
    pub source: Source,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

impl DatabaseKind {
    /// As the metadata's `dbType` names it.
    pub fn database_type(self) -> DatabaseType {
        match self {
            Self::Sqlite => DatabaseType::Sqlite,
            Self::Postgresql => DatabaseType::Postgresql,
            Self::Mongodb => DatabaseType::Mongodb,
            Self::Mysql => DatabaseType::Mysql,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
            Self::Mongodb => "mongodb",
        }
    }
}

impl CacheKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Rabbitmq => "rabbitmq",
        }
    }
}
