//! Databases that outlived their previews, looked for while no daemon looks after servers.

use std::collections::HashSet;

use super::server::ServerId;
use super::{DatabaseError, Databases, ServerKind};
use crate::domain::DatabaseMode;

/// A database, or a user without one, whose preview is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    server: ServerId,
    pub name: String,
    pub bytes: u64,
}

impl Databases {
    /// On servers that live previews use, and on the operator's. Call [`Databases::load`] before;
    /// a server that is not well is left to the next daemon, and said in the log.
    pub async fn orphans(&self) -> Vec<Orphan> {
        let live: HashSet<String> =
            self.inner.known.all().into_iter().map(|(_, known)| known.record.name).collect();
        let external = ServerKind::ALL.into_iter().filter(|kind| self.inner.config.is_external(*kind));
        let external = external.map(|kind| ServerId {
            kind,
            mode: DatabaseMode::External,
            version: String::new(),
            preview: None,
        });
        let servers: HashSet<ServerId> = self.inner.servers_in_use().into_iter().chain(external).collect();
        let mut orphans = Vec::new();
        for server in servers {
            match self.on_server(&server).await {
                Ok(found) => orphans.extend(found.into_iter().filter(|orphan| !live.contains(&orphan.name))),
                Err(error) => tracing::warn!(%error, %server, "a database server could not be looked at"),
            }
        }
        orphans.sort_by(|a, b| a.name.cmp(&b.name));
        orphans
    }

    pub async fn drop_orphan(&self, orphan: &Orphan) -> Result<(), DatabaseError> {
        match self.inner.servers.existing(&orphan.server).await? {
            Some(server) => server.admin.remove(&orphan.name).await,
            None => Ok(()),
        }
    }

    /// All of ours.
    async fn on_server(&self, id: &ServerId) -> Result<Vec<Orphan>, DatabaseError> {
        let Some(server) = self.inner.servers.existing(id).await? else { return Ok(Vec::new()) };
        let found = server.admin.databases(&self.inner.prefix()).await?;
        let orphan =
            |found: super::kind::Found| Orphan { server: id.clone(), name: found.name, bytes: found.bytes };
        Ok(found.into_iter().map(orphan).collect())
    }
}
