//! One database server: which it is, and how it meets previews.

use std::fmt;

use super::kind::{Admin, ServerKind};
use super::{Access, Config, DatabaseError, HOST, passwords};
use crate::domain::{DatabaseMode, DatabaseRecord, InstanceId, PreviewId};
use crate::engine::Engine;
use crate::store::StoredDatabase;

/// Which server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerId {
    pub(super) kind: ServerKind,
    pub(super) mode: DatabaseMode,
    pub(super) version: String,
    /// Whose it is, when it is one preview's.
    pub(super) preview: Option<PreviewId>,
}

/// A server that answers.
pub(super) struct Server {
    /// None of an external one.
    pub container: Option<String>,
    pub kind: ServerKind,
    pub admin: Box<dyn Admin>,
}

impl ServerId {
    /// None for a database that needs no server.
    pub fn of(preview: PreviewId, record: &DatabaseRecord) -> Option<Self> {
        let is_own = record.mode == DatabaseMode::Dedicated;
        Some(Self {
            kind: ServerKind::of(record.kind)?,
            mode: record.mode,
            version: record.version.clone(),
            preview: is_own.then_some(preview),
        })
    }

    /// The shared server whose container has this name.
    pub(super) fn shared(name: &str, instance: &InstanceId) -> Option<Self> {
        let (word, version) = name.strip_prefix(&format!("previewd-{instance}-"))?.split_once('-')?;
        let kind = ServerKind::ALL.into_iter().find(|kind| kind.word() == word)?;
        Some(Self { kind, mode: DatabaseMode::Managed, version: version.to_owned(), preview: None })
    }

    /// Of its container and of its volume.
    pub(super) fn name(&self, instance: &InstanceId) -> String {
        let shared = format!("previewd-{instance}-{}-{}", self.kind.word(), self.version);
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
        let kind = self.kind.word();
        match (self.mode, self.preview) {
            (DatabaseMode::External, _) => write!(f, "{kind}, external"),
            (_, Some(preview)) => write!(f, "{kind} {} of {preview}", self.version),
            (_, None) => write!(f, "{kind} {}", self.version),
        }
    }
}

/// What a preview needs to know of its database on a server, with a password made for it.
pub(super) fn access(record: &DatabaseRecord, config: &Config) -> Result<Access, DatabaseError> {
    let kind = ServerKind::of(record.kind).ok_or(DatabaseError::Unknown)?;
    let (host, port) = match record.mode {
        DatabaseMode::External => kind.external_address(config)?,
        _ => (HOST.to_owned(), kind.port()),
    };
    Ok(Access::Server {
        scheme: kind.word().to_owned(),
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
            Some(container) => Ok(engine.connect_network(network, container, self.kind.names()).await?),
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
}
