//! The kinds of server that databases live on: a folder each, and here what all have in common.
//!
//! A folder says how its server is started and spoken to, and implements [`Admin`]. Everything
//! else about servers is the same for all: see [`super::servers`].

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::mysql::MySql;
use super::postgres::Postgres;
use super::{Access, Config, DatabaseError, HOST, Inventory, QueryRows, mongodb, mysql, postgres};
use crate::domain::DatabaseType;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerKind {
    Postgresql,
    /// MariaDB where the server is ours.
    Mysql,
    Mongodb,
}

/// A database to be made, and the one user that may enter it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewDatabase<'a> {
    /// Of both; letters, digits and `_`, as is the password.
    pub name: &'a str,
    pub password: &'a str,
    /// Copied where it is there.
    pub template: Option<&'a str>,
}

/// A database of ours that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub name: String,
    pub bytes: u64,
    pub can_login: bool,
}

/// The superuser's side of one server: databases made, looked after and dropped. Names are ours.
pub(super) trait Admin: Send + Sync {
    /// Within a few seconds.
    fn answers(&self) -> BoxFuture<'_, bool>;

    fn close(&self) -> BoxFuture<'_, ()>;

    /// Whether a database of this name is there.
    fn exists<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<bool, DatabaseError>>;

    /// Over whatever an interrupted try has left. True when it is a copy of the template; a
    /// template that is not there is no reason to fail.
    fn create<'a>(&'a self, new: NewDatabase<'a>) -> BoxFuture<'a, Result<bool, DatabaseError>>;

    /// Whoever is connected is cut off. Absent is fine.
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Databases, and users without one, whose names begin so.
    fn databases<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Found>, DatabaseError>>;

    /// No new connection, and an end to those there are.
    fn lock_out<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>>;

    /// Ends sessions of users whose names begin so, when they hold what belongs to all.
    fn end_hoarders<'a>(&'a self, _prefix: &'a str) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async { Ok(()) }.boxed()
    }

    /// Keeps the present state of a database, which nobody is connected to; false where the
    /// server cannot copy databases, and of one that is not to be copied.
    fn keep_template<'a>(
        &'a self,
        _name: &'a str,
        _template: &'a str,
    ) -> BoxFuture<'a, Result<bool, DatabaseError>> {
        async { Ok(false) }.boxed()
    }

    /// Keeps at most so many templates of so many MiB.
    fn prune_templates<'a>(
        &'a self,
        _prefix: &'a str,
        _limits: (usize, u64),
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async { Ok(()) }.boxed()
    }

    /// Makes a copy ahead of each of the templates used last, at most so many.
    fn keep_spares<'a>(
        &'a self,
        _templates: &'a str,
        _count: usize,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        async { Ok(()) }.boxed()
    }

    /// What is in a database, asked as its own user.
    fn look<'a>(&'a self, access: &'a Access) -> BoxFuture<'a, Result<Inventory, DatabaseError>>;

    /// A read-only question, asked as the database's own user.
    fn query<'a>(
        &'a self,
        access: &'a Access,
        sql: &'a str,
    ) -> BoxFuture<'a, Result<QueryRows, DatabaseError>>;
}

impl ServerKind {
    pub(super) const ALL: [Self; 3] = [Self::Postgresql, Self::Mysql, Self::Mongodb];

    /// `None` for what needs no server.
    pub const fn of(kind: DatabaseType) -> Option<Self> {
        match kind {
            DatabaseType::Postgresql => Some(Self::Postgresql),
            DatabaseType::Mysql => Some(Self::Mysql),
            DatabaseType::Mongodb => Some(Self::Mongodb),
            DatabaseType::None | DatabaseType::Sqlite => None,
        }
    }

    /// In names of containers, and before the colon of an address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
            Self::Mongodb => "mongodb",
        }
    }

    /// As people call it.
    pub const fn product(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MariaDB",
            Self::Mongodb => "MongoDB",
        }
    }

    /// The setting that names the operator's server.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Postgresql => "PREVIEW_DATABASE_POSTGRESQL_URL",
            Self::Mysql => "PREVIEW_DATABASE_MYSQL_URL",
            Self::Mongodb => "PREVIEW_DATABASE_MONGODB_URL",
        }
    }

    /// What `infra/base-images.sh` calls its image.
    pub const fn base(self) -> &'static str {
        match self {
            Self::Postgresql => "postgres",
            Self::Mysql => "mariadb",
            Self::Mongodb => "mongo",
        }
    }

    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Postgresql => postgres::PORT,
            Self::Mysql => mysql::PORT,
            Self::Mongodb => mongodb::PORT,
        }
    }

    /// Names under which previews find it, besides the one in their addresses: what compose
    /// files tend to call it.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Postgresql => &[HOST, "db", "postgres"],
            Self::Mysql => &[HOST, "db", "mysql", "mariadb"],
            Self::Mongodb => &[HOST, "db", "mongo", "mongodb"],
        }
    }

    /// What its container is told: the superuser's password, and the block of addresses that one
    /// may come from.
    pub(super) fn environment(self, password: String, net: String) -> BTreeMap<String, String> {
        let net = match self {
            Self::Postgresql | Self::Mongodb => net,
            Self::Mysql => mysql::with_mask(&net),
        };
        BTreeMap::from([("ADMIN_PASSWORD".to_owned(), password), ("ADMIN_NET".to_owned(), net)])
    }

    /// A server of ours. Fails while it is starting.
    pub(super) async fn connect(
        self,
        address: SocketAddr,
        password: &str,
        config: &Config,
    ) -> Result<Box<dyn Admin>, DatabaseError> {
        Ok(match self {
            Self::Postgresql => Box::new(Postgres::connect(address, password, config).await?),
            Self::Mysql => Box::new(MySql::connect(address, password, config).await?),
            #[cfg(feature = "mongodb")]
            Self::Mongodb => Box::new(mongodb::Mongo::connect(address, password).await?),
            #[cfg(not(feature = "mongodb"))]
            Self::Mongodb => return Err(DatabaseError::NotBuiltIn),
        })
    }

    /// The operator's server.
    pub(super) async fn external(self, config: &Config) -> Result<Box<dyn Admin>, DatabaseError> {
        let url = config.external_url(self)?;
        Ok(match self {
            Self::Postgresql => Box::new(Postgres::external(url, config).await?),
            Self::Mysql => Box::new(MySql::external(url, config).await?),
            #[cfg(feature = "mongodb")]
            Self::Mongodb => Box::new(mongodb::Mongo::external(url).await?),
            #[cfg(not(feature = "mongodb"))]
            Self::Mongodb => return Err(DatabaseError::NotBuiltIn),
        })
    }

    /// Host and port of the operator's server, as previews dial it.
    pub(super) fn external_address(self, config: &Config) -> Result<(String, u16), DatabaseError> {
        let url = config.external_url(self)?;
        match self {
            Self::Postgresql => postgres::address_of(url),
            Self::Mysql => mysql::address_of(url),
            Self::Mongodb => mongodb::address_of(url),
        }
    }

    /// How the server's own client runs one file of SQL, and what it finds in its environment
    /// besides the app's; the first error ends it. None where it speaks no SQL.
    pub(super) fn client(
        self,
        access: &Access,
        file: &str,
    ) -> Option<(Vec<String>, BTreeMap<String, String>)> {
        Some(match self {
            Self::Postgresql => {
                // `-X`: nobody's settings. The address is in PGHOST and its like.
                let argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file];
                (argv.map(str::to_owned).to_vec(), BTreeMap::new())
            }
            Self::Mysql => mysql::client(access, file),
            Self::Mongodb => return None,
        })
    }
}
