//! Between previews and their databases: what servers stand on, who looks after them, and what
//! the API asks of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::driver::Message;
use super::networks::Networks;
use super::reach::{Dial, Reach};
use super::server_log::ServerLogs;
use super::{Orchestrator, Parts};
use crate::databases::{self, DatabaseError, GroundError, Inventory, Known, KnownCache, QueryRows};
use crate::domain::{DatabaseType, Preview, PreviewId};

/// Networks of servers come from where those of previews do.
pub(super) struct Ground {
    networks: Networks,
    reach: Arc<Reach>,
}

impl Ground {
    pub(super) const fn new(networks: Networks, reach: Arc<Reach>) -> Self {
        Self { networks, reach }
    }
}

impl databases::Ground for Ground {
    fn lease(&self) -> BoxFuture<'_, Result<String, GroundError>> {
        async { self.networks.lease().await.map_err(|error| GroundError(error.to_string())) }.boxed()
    }

    fn give_back<'a>(&'a self, network: &'a str) -> BoxFuture<'a, Result<(), GroundError>> {
        let given = self.networks.give_back(network);
        async { given.await.map_err(|error| GroundError(error.to_string())) }.boxed()
    }

    fn forget<'a>(&'a self, network: &'a str) -> BoxFuture<'a, ()> {
        self.networks.forget(network).boxed()
    }

    fn publishes(&self) -> bool {
        self.reach.dial() == Dial::Published
    }
}

/// How old a count may be that is shown.
const COUNT_EVERY: Duration = Duration::from_secs(3);

impl Orchestrator {
    /// What is known of a live preview's database without asking it.
    pub fn database(&self, preview: &Preview) -> Option<Known> {
        self.parts.databases.known(preview.id)
    }

    /// The same, with tables and rows counted, at most every few seconds; those of a file in the
    /// background, since a look into one takes a container. What was counted last stays where
    /// there is no turn to look at once, and for these seconds where a look failed.
    pub async fn database_counted(&self, preview: &Preview) -> Option<Known> {
        let known = self.database(preview)?;
        let health = &known.health;
        let is_recent = health.is_counted_within(COUNT_EVERY) || health.has_failed_within(COUNT_EVERY);
        if !known.record.ready || is_recent {
            return Some(known);
        }
        let (databases, id, owner) = (self.parts.databases.clone(), preview.id, preview.user_id.clone());
        let count = async move {
            if let Err(error) = databases.look_now(id, &owner).await {
                tracing::debug!(%error, preview = %id, "a database could not be counted");
            }
        };
        match known.record.kind {
            DatabaseType::Sqlite if known.health.is_counted_within(20 * COUNT_EVERY) => {}
            DatabaseType::Sqlite => drop(self.parts.tasks.spawn(count)),
            _ => count.await,
        }
        self.database(preview)
    }

    /// What is known of a live preview's cache, counted at most every few seconds.
    pub async fn cache_counted(&self, preview: &Preview) -> Option<KnownCache> {
        let known = self.parts.databases.cache(preview.id)?;
        let age = known.counted.map(|(_, at)| (Utc::now() - at).to_std().unwrap_or_default());
        if known.ready && age.is_none_or(|age| age >= COUNT_EVERY) {
            let network = preview.network.as_deref().unwrap_or_default();
            if let Err(error) = self.parts.databases.look_into_cache(preview.id, network).await {
                tracing::debug!(%error, preview = %preview.id, "a cache could not be counted");
            }
        }
        self.cache(preview)
    }

    /// The same without asking it.
    pub fn cache(&self, preview: &Preview) -> Option<KnownCache> {
        self.parts.databases.cache(preview.id)
    }

    /// Tables, rows and size.
    pub async fn look_into_database(&self, preview: &Preview) -> Result<Inventory, DatabaseError> {
        self.parts.databases.look(preview.id, &preview.user_id).await
    }

    /// A read-only question.
    pub async fn query_database(&self, preview: &Preview, sql: &str) -> Result<QueryRows, DatabaseError> {
        self.parts.databases.query(preview.id, &preview.user_id, sql).await
    }
}

impl Parts {
    /// Looks at the servers in use every few seconds, and at once when something happened to
    /// one, and tells each driver how its database is.
    pub(super) async fn watch_databases(&self) {
        tokio::select! {
            () = self.networks.known_again() => {}
            () = self.shutdown.cancelled() => return,
        }
        let mut logs = ServerLogs::default();
        // Its own events do not make it look again and again.
        let rest = Duration::from_millis(500);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = self.server_changed.notified() => tokio::time::sleep(rest).await,
                () = tokio::time::sleep(self.config.reconcile_every) => {}
            }
            // Told before it is mended: a server that comes back soon was away all the same.
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = self.databases.probe() => self.tell_of_databases(),
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = self.databases.watch(|| self.live_networks()) => {}
            }
            self.tell_of_databases();
            logs.follow(self);
        }
    }

    fn live_networks(&self) -> Vec<(PreviewId, Option<String>)> {
        let live = self.registry.previews().into_iter();
        live.map(|preview| (preview.id, preview.network)).collect()
    }

    /// A full inbox is fine: the next round tells again.
    fn tell_of_databases(&self) {
        for preview in self.registry.previews() {
            let database = self.databases.known(preview.id).filter(|known| known.record.ready);
            let cache = self.databases.cache(preview.id).filter(|known| known.ready);
            if database.is_none() && cache.is_none() {
                continue;
            }
            let problem = database.and_then(|known| known.health.problem());
            let problem = problem.or_else(|| cache.and_then(|known| known.problem()));
            if let Some(entry) = self.registry.get(preview.id) {
                let _ = entry.inbox.try_send(Message::Database(problem));
            }
        }
    }
}
