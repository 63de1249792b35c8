//! What databases previews may have, and how much of the host they may use.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DatabaseError, ServerKind, mongodb};
use crate::domain::{DatabaseMode, DatabaseType, Invalid};

#[derive(Clone)]
pub struct Config {
    /// `PREVIEW_DATABASE_MODE`: `managed` (default), `dedicated` or `external`.
    pub mode: DatabaseMode,
    /// `PREVIEW_SUPPORT_POSTGRESQL`, default true.
    pub postgresql: bool,
    /// `PREVIEW_SUPPORT_MYSQL`, default true.
    pub mysql: bool,
    /// `PREVIEW_SUPPORT_MONGODB`, default true.
    pub mongodb: bool,
    /// `PREVIEW_SUPPORT_SQLITE`, default true.
    pub sqlite: bool,
    /// `PREVIEW_SUPPORT_REDIS`, default true.
    pub redis: bool,
    /// `PREVIEW_CACHE_MEMORY_MB`, default 64: the data of one preview's cache, MiB.
    pub cache_memory_mb: u64,
    /// `PREVIEW_DATABASE_IMAGES`: JSON, the images of servers.
    pub images: ServerImages,
    /// `PREVIEW_DATABASE_POSTGRESQL_URL`: the server of mode `external`, with a role that may
    /// create databases and roles. Holds a password, so `Debug` does not show it.
    pub postgresql_url: Option<String>,
    /// `PREVIEW_DATABASE_MYSQL_URL`: the same, with a user that may create databases and users
    /// and grant what it may do itself.
    pub mysql_url: Option<String>,
    /// `PREVIEW_DATABASE_MONGODB_URL`: the same, with a user of role `root`. Used in every mode:
    /// a server of ours needs an image that no distribution has packages for.
    pub mongodb_url: Option<String>,
    /// `PREVIEW_DATABASE_INITIALIZATION_TIMEOUT`, seconds, default 120: migrations and seeds.
    pub initialization: Duration,
    /// `PREVIEW_DATABASE_CONNECTIONS`, default 20: at once, of one preview.
    pub connections: u32,
    /// `PREVIEW_DATABASE_STATEMENT_TIMEOUT`, seconds, default 60: one statement of a preview,
    /// unless it sets another for itself.
    pub statement_timeout: Duration,
    /// `PREVIEW_DATABASE_SERVER_MEMORY_MB`, default 1024: one server.
    pub server_memory_mb: u64,
    /// `PREVIEW_DATABASE_TEMPLATES`, default 50: migrated schemas kept on a server.
    pub templates: usize,
    /// `PREVIEW_DATABASE_TEMPLATES_MB`, default 2048: the size of all of them, MiB.
    pub templates_mb: u64,
    /// `PREVIEW_DATABASE_SPARES`, default 2: copies of the templates used last, made ahead.
    pub spares: usize,
    /// `PREVIEW_DATABASE_EXTENSIONS`, names with commas: extensions that a preview may create,
    /// of those that PostgreSQL trusts every owner of a database with.
    pub extensions: Vec<String>,
    /// Python's image, in which SQLite files are looked into.
    pub python_image: String,
}

/// `{version}` in a name stands for the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerImages {
    /// Default `previewd/postgres:{version}`. It must start `serve-postgres`, see
    /// `dockerfiles/base`.
    pub postgresql: String,
    /// Major versions there are images for, the default first. Default `15`.
    pub postgresql_versions: Vec<String>,
    /// Default `previewd/mariadb:{version}`. It must start `serve-mariadb`.
    pub mysql: String,
    /// The same. Default `10.11`.
    pub mysql_versions: Vec<String>,
    /// Default `previewd/mongo:{version}`. It must start `serve-mongo`.
    pub mongodb: String,
    /// The same. Default `7`.
    pub mongodb_versions: Vec<String>,
    /// Default `previewd/redis:7`. It must start `serve-redis`.
    pub redis: String,
}

/// Why something is not offered.
pub(super) enum NotOffered {
    Kind(String),
    Version(String),
}

impl Default for ServerImages {
    fn default() -> Self {
        Self {
            postgresql: "previewd/postgres:{version}".to_owned(),
            postgresql_versions: vec!["15".to_owned()],
            mysql: "previewd/mariadb:{version}".to_owned(),
            mysql_versions: vec!["10.11".to_owned()],
            mongodb: "previewd/mongo:{version}".to_owned(),
            mongodb_versions: vec!["7".to_owned()],
            redis: "previewd/redis:7".to_owned(),
        }
    }
}

impl ServerImages {
    /// Of the default version where that is empty.
    pub fn of(&self, kind: ServerKind, version: &str) -> String {
        let (image, versions) = self.offered(kind);
        let default = versions.first().map_or("", String::as_str);
        image.replace("{version}", if version.is_empty() { default } else { version })
    }

    fn offered(&self, kind: ServerKind) -> (&str, &[String]) {
        match kind {
            ServerKind::Postgresql => (&self.postgresql, &self.postgresql_versions),
            ServerKind::Mysql => (&self.mysql, &self.mysql_versions),
            ServerKind::Mongodb => (&self.mongodb, &self.mongodb_versions),
        }
    }

    /// `15.4` is `15`, and `10` is `10.11`.
    fn version(&self, kind: ServerKind, asked: Option<&str>) -> Result<String, NotOffered> {
        let (_, versions) = self.offered(kind);
        let fits = |version: &&String| match asked {
            None => true,
            Some(asked) => {
                format!("{asked}.").starts_with(&format!("{version}."))
                    || format!("{version}.").starts_with(&format!("{asked}."))
            }
        };
        versions.iter().find(fits).cloned().ok_or_else(|| {
            let name = kind.product();
            NotOffered::Version(format!("expected a version of {name} there is: {}", versions.join(", ")))
        })
    }
}

impl Config {
    /// Those that are safe to have and that apps ask for.
    pub const EXTENSIONS: &str = "btree_gin,btree_gist,citext,cube,dict_int,fuzzystrmatch,hstore,intarray,\
        isn,ltree,pg_trgm,pgcrypto,seg,tablefunc,unaccent,uuid-ossp";

    /// Where the servers are that are not ours: their hosts and ports.
    pub fn external_addresses(&self) -> Vec<(String, u16)> {
        let used = ServerKind::ALL.into_iter().filter(|kind| self.is_external(*kind));
        used.filter_map(|kind| kind.external_address(self).ok()).collect()
    }

    /// Whether previews' databases of this kind are on the operator's server.
    pub(super) fn is_external(&self, kind: ServerKind) -> bool {
        // A server of MongoDB of ours needs an image that few have.
        let is_meant = self.mode == DatabaseMode::External || kind == ServerKind::Mongodb;
        is_meant && self.external_url(kind).is_ok()
    }

    /// The mode and version of what is asked for.
    pub(super) fn offer(
        &self,
        kind: DatabaseType,
        version: Option<&str>,
    ) -> Result<(DatabaseMode, String), NotOffered> {
        let off = |setting: &str| {
            Err(NotOffered::Kind(format!("this daemon gives no {}: {setting} is false", kind.as_str())))
        };
        match kind {
            DatabaseType::None => Ok((DatabaseMode::Managed, String::new())),
            DatabaseType::Sqlite if !self.sqlite => off("PREVIEW_SUPPORT_SQLITE"),
            DatabaseType::Sqlite => Ok((DatabaseMode::Managed, String::new())),
            DatabaseType::Postgresql if !self.postgresql => off("PREVIEW_SUPPORT_POSTGRESQL"),
            DatabaseType::Postgresql => self.server(ServerKind::Postgresql, version),
            DatabaseType::Mysql if !self.mysql => off("PREVIEW_SUPPORT_MYSQL"),
            DatabaseType::Mysql => self.server(ServerKind::Mysql, version),
            DatabaseType::Mongodb if !self.mongodb => off("PREVIEW_SUPPORT_MONGODB"),
            DatabaseType::Mongodb if !mongodb::IS_BUILT_IN => {
                Err(NotOffered::Kind(format!("this daemon gives no mongodb: {}", DatabaseError::NotBuiltIn)))
            }
            DatabaseType::Mongodb => self.server(ServerKind::Mongodb, version),
        }
    }

    fn server(&self, kind: ServerKind, version: Option<&str>) -> Result<(DatabaseMode, String), NotOffered> {
        match (self.mode, self.external_url(kind)) {
            (_, Ok(_)) if self.is_external(kind) => Ok((DatabaseMode::External, String::new())),
            (DatabaseMode::External, Err(error)) => Err(NotOffered::Kind(error.to_string())),
            _ => Ok((self.mode, self.images.version(kind, version)?)),
        }
    }

    /// Of the operator's own server.
    pub(super) fn external_url(&self, kind: ServerKind) -> Result<&str, DatabaseError> {
        let url = match kind {
            ServerKind::Postgresql => self.postgresql_url.as_deref(),
            ServerKind::Mysql => self.mysql_url.as_deref(),
            ServerKind::Mongodb => self.mongodb_url.as_deref(),
        };
        let reason = "it is not set".to_owned();
        url.ok_or(DatabaseError::External { setting: kind.setting(), reason })
    }
}

impl NotOffered {
    /// The field is that of the kind, for whoever sent it.
    pub(super) fn at(self, field: &str) -> Invalid {
        match self {
            Self::Kind(message) => Invalid::new(field, message),
            Self::Version(message) => Invalid::new("dbVersion", message),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("mode", &self.mode)
            .field("images", &self.images)
            .field("postgresql_url", &self.postgresql_url.as_ref().map(|_| "redacted"))
            .field("mysql_url", &self.mysql_url.as_ref().map(|_| "redacted"))
            .field("mongodb_url", &self.mongodb_url.as_ref().map(|_| "redacted"))
            .field("initialization", &self.initialization)
            .finish_non_exhaustive()
    }
}
