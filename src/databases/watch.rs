//! Looking after servers: those that died come back, what no live preview has goes, and each
//! preview's database is seen to be well or not.

use std::collections::HashSet;

use super::registry::Known;
use super::server::{Server, ServerId};
use super::{DatabaseError, Databases, Inner};
use crate::domain::PreviewId;

impl Databases {
    /// Whether the servers in use answer, as they are: nothing is mended yet.
    pub async fn probe(&self) {
        for id in self.inner.servers_in_use() {
            let Some(server) = self.inner.servers.up(&id) else { continue };
            if !server.admin.answers().await {
                self.inner.note(&id, Some("it stopped, and is being started again"));
            }
        }
    }

    /// One look at every server in use: brings back those that died, drops what no live preview
    /// has, and says how the database of each preview is. `live` holds the ids and networks of
    /// previews that are live, read anew whenever it is called.
    pub async fn watch(&self, live: impl Fn() -> Vec<(PreviewId, Option<String>)>) {
        if let Err(error) = self.inner.tend_caches(&live()).await {
            tracing::debug!(%error, "caches could not be looked at");
        }
        let used = self.inner.servers_in_use();
        for id in self.inner.servers.known().union(&used) {
            // Asked again: it may have gone with its preview meanwhile.
            let server = match self.inner.servers_in_use().contains(id) {
                true => self.inner.servers.ensure(id).await.map(Some),
                false => self.inner.servers.existing(id).await,
            };
            let outcome = match server {
                Ok(Some(server)) => self.inner.tend(id, &server, &live).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = &outcome {
                tracing::warn!(%error, server = %id, "a database server is not well");
            }
            let trouble = outcome.err().map(|error| error.to_string());
            self.inner.note(id, trouble.as_deref());
        }
    }
}

impl Inner {
    /// Notes how a server is for every database on it.
    fn note(&self, id: &ServerId, trouble: Option<&str>) {
        self.known.seen(|preview, record| {
            (ServerId::of(preview, record).as_ref() == Some(id)).then(|| trouble.map(str::to_owned))
        });
    }

    /// Keeps a server that answers in order.
    async fn tend(
        &self,
        id: &ServerId,
        server: &Server,
        live: &impl Fn() -> Vec<(PreviewId, Option<String>)>,
    ) -> Result<(), DatabaseError> {
        // First what is there, then what should be: what is made in between is not taken for
        // an orphan.
        let there = server.admin.databases(&self.prefix()).await?;
        let joined = server.joined(&self.engine).await?;
        let live = live();
        // As they are written down, and, of a row that is just being written, as they will be.
        let known = self.known.all().into_iter().map(|(_, known)| known.record.name);
        let names: HashSet<String> =
            live.iter().map(|(preview, _)| self.name(*preview)).chain(known).collect();
        for database in there.iter().filter(|database| !names.contains(&database.name)) {
            tracing::info!(database = database.name, "dropping a database whose preview has ended");
            // One that cannot be dropped is no reason not to look after the others.
            if let Err(error) = server.admin.remove(&database.name).await {
                tracing::warn!(%error, database = database.name, "a database outlives its preview");
            }
        }
        server.admin.end_hoarders(&self.prefix()).await?;
        self.mend_networks(id, server, &joined, &live).await?;
        let limits = (self.config.templates, self.config.templates_mb);
        server.admin.prune_templates(&self.template_prefix(), limits).await?;
        server.admin.keep_spares(&self.template_prefix(), self.config.spares).await?;
        for (preview, known) in self.known_on(id) {
            let Some(found) = there.iter().find(|database| database.name == known.record.name) else {
                self.known.missed(preview, known.record.ready);
                continue;
            };
            let is_full = found.bytes > known.record.limit_mb * 1024 * 1024;
            if is_full && found.can_login {
                server.admin.lock_out(&known.record.name).await?;
            }
            self.known.measured(preview, found.bytes, is_full || !found.can_login);
        }
        Ok(())
    }

    /// The server is where previews with a database on it are, and nowhere else; one that was
    /// made anew is in none of their networks.
    async fn mend_networks(
        &self,
        id: &ServerId,
        server: &Server,
        joined: &[String],
        live: &[(PreviewId, Option<String>)],
    ) -> Result<(), DatabaseError> {
        for network in joined {
            if !live.iter().any(|(_, of_live)| of_live.as_ref() == Some(network)) {
                self.servers.leave(id, Some(network)).await?;
            }
        }
        for (preview, _) in self.known_on(id).iter().filter(|(_, known)| known.record.ready) {
            let network =
                live.iter().find(|(live, _)| live == preview).and_then(|(_, network)| network.as_ref());
            if let Some(network) = network.filter(|network| !joined.contains(network)) {
                server.join(&self.engine, network).await?;
            }
        }
        Ok(())
    }

    fn known_on(&self, id: &ServerId) -> Vec<(PreviewId, Known)> {
        let all = self.known.all().into_iter();
        all.filter(|(preview, known)| ServerId::of(*preview, &known.record).as_ref() == Some(id)).collect()
    }
}
