//! One database server: which it is, and how it meets previews.

use std::fmt;

use super::postgres::{self, Admin, Login};
use super::registry::Known;
use super::{Access, Config, DatabaseError, HOST, passwords};
use crate::domain::{DatabaseMode, DatabaseRecord, DatabaseType, InstanceId, PreviewId};
use crate::engine::Engine;
use crate::store::StoredDatabase;

/// Which server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerId {
    pub(super) mode: DatabaseMode,
    pub(super) version: String,
    /// Whose it is, when it is one preview's.
    pub(super) preview: Option<PreviewId>,
}

/// A server that answers.
pub(super) struct Server {
    /// None of an external one.
    pub container: Option<String>,
    pub admin: Admin,
}

/// Names under which previews find it, besides the one in their addresses: what compose files
/// tend to call it.
const NAMES: [&str; 3] = [HOST, "db", "postgres"];

impl ServerId {
    /// None for a database that needs no server.
    pub fn of(preview: PreviewId, record: &DatabaseRecord) -> Option<Self> {
        let is_own = record.mode == DatabaseMode::Dedicated;
        (record.kind == DatabaseType::Postgresql).then(|| Self {
            mode: record.mode,
            version: record.version.clone(),
            preview: is_own.then_some(preview),
        })
    }

    /// The shared server whose container has this name.
    pub(super) fn shared(name: &str, instance: &InstanceId) -> Option<Self> {
        let version = name.strip_prefix(&format!("previewd-{instance}-postgresql-"))?.to_owned();
        Some(Self { mode: DatabaseMode::Managed, version, preview: None })
    }

    /// Of its container and of its volume.
    pub(super) fn name(&self, instance: &InstanceId) -> String {
        let shared = format!("previewd-{instance}-postgresql-{}", self.version);
        match self.preview {
            Some(preview) => format!("{shared}-{preview}"),
            None => shared,
        }
    }
}

/// Whether the shared server of this container's name holds the database of a live preview.
pub fn server_in_use(name: &str, instance: &InstanceId, live: &[StoredDatabase]) -> bool {
    let id = ServerId::shared(name, instance);
    live.iter().any(|stored| id.is_some() && ServerId::of(stored.preview, &stored.record) == id)
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mode, self.preview) {
            (DatabaseMode::External, _) => f.write_str("postgresql, external"),
            (_, Some(preview)) => write!(f, "postgresql {} of {preview}", self.version),
            (_, None) => write!(f, "postgresql {}", self.version),
        }
    }
}

/// What a preview needs to know of its database on a server, with a password made for it.
pub(super) fn access(record: &DatabaseRecord, config: &Config) -> Result<Access, DatabaseError> {
    let (host, port) = match record.mode {
        DatabaseMode::External => postgres::address_of(config.external_url()?)?,
        _ => (HOST.to_owned(), postgres::PORT),
    };
    Ok(Access::Server {
        scheme: "postgresql".to_owned(),
        host,
        port,
        user: record.name.clone(),
        password: passwords::random_password(),
        database: record.name.clone(),
    })
}

impl Server {
    /// Brings it into a preview's network, where it answers to its names.
    pub async fn join(&self, engine: &Engine, network: &str) -> Result<(), DatabaseError> {
        match &self.container {
            Some(container) => Ok(engine.connect_network(network, container, &NAMES).await?),
            None => Ok(()),
        }
    }

    /// The networks of previews it is in; of an external one nothing is known.
    pub async fn joined(&self, engine: &Engine) -> Result<Vec<String>, DatabaseError> {
        let Some(container) = &self.container else { return Ok(Vec::new()) };
        let Some(state) = engine.inspect(container).await? else { return Ok(Vec::new()) };
        let home = state.home_network;
        Ok(state.networks.into_iter().filter(|network| home.as_ref() != Some(network)).collect())
    }

    /// How this daemon logs in as the preview's own role.
    pub fn login(&self, known: &Known) -> Result<Login, DatabaseError> {
        let access = known.access.as_ref().ok_or(DatabaseError::NotReady)?;
        Ok(self.admin.login(&known.record.name, access.password()))
    }
}
