//! A database of its own for every preview.
//!
//! Owns the servers previews' databases live on, and the databases themselves: one role and one
//! database a preview, named after it, which no other preview can enter. A schema that was
//! migrated once is kept as a template and copied the next time.
//!
//! ```text
//!   intend ──► provide ──► (migrations, seeds) ──► keep ──► in use ──► drop
//!   the row    server,     run by the driver       template,  ▲ │
//!              role,       in a one-off            ready      └─┘ look, query, watch
//!              database    container
//! ```
//!
//! Servers are containers of ours ([`crate::engine::Kind::Server`]), started on first need and
//! kept warm; a preview reaches its server by the name [`HOST`] on its own network, into which the
//! server is brought for it. What a statement of SQL says to them is written in this module and
//! nowhere else; the store's own SQL is another matter and lives there.

mod access;
mod config;
mod error;
mod inventory;
mod postgres;
mod registry;
mod seal;
mod servers;
mod sqlite;
mod task;
mod template_key;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use access::{Access, HOST, Part};
pub use config::{Config, ServerImages};
pub use error::DatabaseError;
pub use inventory::{Inventory, QueryRows, Table};
pub use registry::{Health, Known};
pub use seal::Seal;
pub use servers::{Ground, GroundError};
pub use task::{Task, TaskEnd, run as run_task};
pub use template_key::template_key;

use crate::domain::{
    DatabaseMode, DatabaseRecord, DatabaseType, InstanceId, Invalid, Metadata, MigrationStatus, PreviewId,
};
use crate::engine::{Engine, EngineError, VolumeMount};
use crate::store::{Store, StoreError};
use registry::Registry;
use servers::{Server, ServerId, Servers};

/// A cheap handle.
#[derive(Clone)]
pub struct Databases {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    store: Store,
    instance: InstanceId,
    config: Config,
    seal: Seal,
    servers: Servers,
    /// Of live previews.
    known: Registry,
    /// Looks into databases at once: each is a connection or a container of its own.
    looks: tokio::sync::Semaphore,
}

/// What the databases are made of.
pub struct Needs {
    pub engine: Engine,
    pub store: Store,
    pub instance: InstanceId,
    pub config: Config,
    pub seal: Seal,
    pub ground: Arc<dyn Ground>,
}

/// What came of [`Databases::provide`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provided {
    /// It was there and is as it was left: the preview was only restarted.
    Kept,
    /// A copy of a template: migrated and seeded.
    Copied,
    /// Nothing is in it.
    Empty,
}

/// Looks at once, of all users together.
const LOOKS: usize = 4;

impl Databases {
    pub fn new(needs: Needs) -> Self {
        let Needs { engine, store, instance, config, seal, ground } = needs;
        let servers = Servers::new(engine.clone(), instance.clone(), config.clone(), seal.clone(), ground);
        let inner = Inner {
            engine,
            store,
            instance,
            config,
            seal,
            servers,
            known: Registry::default(),
            looks: tokio::sync::Semaphore::new(LOOKS),
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What a preview shall have, by what the launch asks for, else the metadata, else what was
    /// detected in the code; `None` for nothing. Refuses what this daemon cannot give.
    pub fn choose(
        &self,
        preview: PreviewId,
        asked: Option<DatabaseType>,
        metadata: &Metadata,
        detected: Option<DatabaseType>,
        limit_mb: u64,
    ) -> Result<Option<DatabaseRecord>, Invalid> {
        let field = if asked.is_some() { "databaseType" } else { "dbType" };
        let kind = asked.or(metadata.db_type).or(detected).unwrap_or_default();
        let given = metadata.db_version.as_deref().filter(|_| metadata.db_type == Some(kind));
        let (mode, version) = match kind {
            DatabaseType::None => return Ok(None),
            kind => match self.inner.config.offer(kind, given) {
                Ok(offered) => offered,
                // Nobody asked for it: the app may do without.
                Err(_) if asked.is_none() && metadata.db_type.is_none() => return Ok(None),
                Err(why) => return Err(why.at(field)),
            },
        };
        Ok(Some(DatabaseRecord {
            kind,
            mode,
            version,
            name: self.inner.name(preview),
            migrate: true,
            limit_mb,
            ready: false,
            migration: MigrationStatus::None,
            template: None,
        }))
    }

    /// Reads what earlier runs left; before any other call.
    pub async fn load(&self) -> Result<(), StoreError> {
        for stored in self.inner.store.live_databases().await? {
            let access = stored.sealed_url.as_deref().and_then(|sealed| {
                self.inner.seal.open(stored.preview, sealed).as_deref().and_then(Access::parse)
            });
            self.inner.known.insert(stored.preview, stored.record, access);
        }
        Ok(())
    }

    /// Writes down what a stored preview shall have.
    pub async fn intend(&self, preview: PreviewId, record: DatabaseRecord) -> Result<(), StoreError> {
        self.inner.store.put_database(preview, &record, None).await?;
        self.inner.known.insert(preview, record, None);
        Ok(())
    }

    /// Of a launch that was refused after all.
    pub fn forget(&self, preview: PreviewId) {
        self.inner.known.remove(preview);
    }

    /// What is known of a live preview's database.
    pub fn known(&self, preview: PreviewId) -> Option<Known> {
        self.inner.known.get(preview)
    }

    /// Gives a preview its database: a copy of the template of this key where there is one. May
    /// be called again after any interruption.
    pub async fn provide(
        &self,
        preview: PreviewId,
        network: &str,
        template: Option<&str>,
    ) -> Result<Provided, DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        match known.record.kind {
            DatabaseType::Sqlite => self.inner.provide_file(preview, &known).await,
            _ => self.inner.provide_on_server(preview, &known, network, template).await,
        }
    }

    /// The schema is as the app wants it: keeps it as the template of this key, and says that
    /// the database can be used.
    pub async fn keep(&self, preview: PreviewId, template: Option<&str>) -> Result<(), DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        let mut record = known.record.clone();
        if let Some(key) = template.filter(|_| record.kind == DatabaseType::Postgresql) {
            let server = self.inner.server_of(preview, &record).await?;
            let name = self.inner.template_name(key);
            server.admin.keep_template(&record.name, &name).await?;
            record.template = Some(name);
        }
        record.ready = true;
        if record.migration != MigrationStatus::None {
            record.migration = MigrationStatus::Completed;
        }
        self.inner.save(preview, record, None).await
    }

    /// Says how far migrating has come.
    pub async fn migrating(&self, preview: PreviewId, status: MigrationStatus) -> Result<(), DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        let record = DatabaseRecord { migration: status, ..known.record };
        self.inner.save(preview, record, None).await
    }

    /// The next [`Databases::provide`] begins anew, from the template or from nothing.
    pub async fn spoil(&self, preview: PreviewId) -> Result<(), DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        let record = DatabaseRecord { ready: false, migration: MigrationStatus::None, ..known.record };
        self.inner.save(preview, record, None).await
    }

    /// Nothing of a preview's database is left. The caller has removed the containers that used
    /// it. Of a preview without one, done at once.
    pub async fn drop_of(&self, preview: PreviewId, network: Option<&str>) -> Result<(), DatabaseError> {
        let Some(known) = self.inner.known.get(preview) else { return Ok(()) };
        match known.record.kind {
            DatabaseType::Sqlite => self.inner.engine.remove_volume(&known.record.name).await?,
            _ => self.inner.drop_on_server(preview, &known, network).await?,
        }
        self.inner.store.forget_database(preview).await?;
        self.inner.known.remove(preview);
        Ok(())
    }

    /// The volumes a container of the preview needs for its database.
    pub fn volumes(&self, preview: PreviewId) -> Vec<VolumeMount> {
        let known = self.inner.known.get(preview);
        let file = known.filter(|known| known.record.kind == DatabaseType::Sqlite);
        file.map(|known| VolumeMount { volume: known.record.name, folder: sqlite::FOLDER.to_owned() })
            .into_iter()
            .collect()
    }

    /// The image that has the client for files of SQL.
    pub fn sql_client(&self, preview: PreviewId) -> Result<String, DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        let images = &self.inner.config.images;
        match known.record.kind {
            DatabaseType::Postgresql if known.record.version.is_empty() => {
                Ok(images.postgresql(images.postgresql_versions.first().map_or("15", String::as_str)))
            }
            DatabaseType::Postgresql => Ok(images.postgresql(&known.record.version)),
            kind => Err(DatabaseError::Query(format!(
                "files of SQL are run on postgresql only; for {} name a migrationCommand or seedCommand",
                kind.as_str()
            ))),
        }
    }

    /// What a container of the preview needs before it is started.
    pub async fn prepare_container(&self, preview: PreviewId, container: &str) -> Result<(), EngineError> {
        match self.volumes(preview).is_empty() {
            true => Ok(()),
            false => sqlite::make_folder(&self.inner.engine, container).await,
        }
    }

    /// Tables, rows and size.
    pub async fn look(&self, preview: PreviewId) -> Result<Inventory, DatabaseError> {
        let (known, _turn) = self.inner.begin_look(preview).await?;
        let inventory = match known.record.kind {
            DatabaseType::Sqlite => sqlite::look(&self.inner, preview, &known).await?,
            _ => {
                let server = self.inner.server_of(preview, &known.record).await?;
                postgres::look(&server.login(&known)?).await?
            }
        };
        self.inner.known.counted(preview, inventory.totals());
        Ok(inventory)
    }

    /// A read-only question, with limits on rows, size and time.
    pub async fn query(&self, preview: PreviewId, sql: &str) -> Result<QueryRows, DatabaseError> {
        let (known, _turn) = self.inner.begin_look(preview).await?;
        match known.record.kind {
            DatabaseType::Sqlite => sqlite::query(&self.inner, preview, &known, sql).await,
            _ => {
                let server = self.inner.server_of(preview, &known.record).await?;
                postgres::query(&server.login(&known)?, sql).await
            }
        }
    }

    /// Names of the networks that servers of earlier runs live in.
    pub async fn homes(&self) -> Result<Vec<String>, DatabaseError> {
        self.inner.servers.adopt().await
    }

    /// Removes the servers that no live preview uses, with all that is on them.
    pub async fn close(&self) {
        let used = self.inner.servers_in_use();
        self.inner.servers.close(&used).await;
    }

    /// One look at every server in use: brings back those that died, drops what no live preview
    /// has, and says how the database of each preview is. `live` holds the ids and networks of
    /// previews that are live, read anew whenever it is called.
    pub async fn watch(&self, live: impl Fn() -> Vec<(PreviewId, Option<String>)>) {
        let used = self.inner.servers_in_use();
        for id in self.inner.servers.known().union(&used) {
            let server = match used.contains(id) {
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
            self.inner.known.seen(|preview, record| {
                (ServerId::of(preview, record).as_ref() == Some(id)).then(|| trouble.clone())
            });
        }
    }

    /// Volumes of this kind of thing that exist for a reason.
    pub fn volumes_in_use(&self) -> HashSet<String> {
        let files = self.inner.known.all().into_iter().map(|(_, known)| known.record);
        let files = files.filter(|record| record.kind == DatabaseType::Sqlite).map(|record| record.name);
        files.chain(self.inner.servers.volumes()).collect()
    }
}

impl Inner {
    /// One name for database and role: theirs and no other's on a server that several
    /// installations may share. At most 63 bytes of `a-z0-9_`.
    fn name(&self, preview: PreviewId) -> String {
        format!("{}{}", self.prefix(), preview.to_string().replace('-', ""))
    }

    /// What all our databases on a server begin with.
    fn prefix(&self) -> String {
        format!("pv_{}_", seal::short_hash(self.instance.as_str()))
    }

    fn template_name(&self, key: &str) -> String {
        format!("{}{key}", self.template_prefix())
    }

    fn template_prefix(&self) -> String {
        format!("pt_{}_", seal::short_hash(self.instance.as_str()))
    }

    async fn begin_look(
        &self,
        preview: PreviewId,
    ) -> Result<(Known, tokio::sync::SemaphorePermit<'_>), DatabaseError> {
        let known = self.known.get(preview).ok_or(DatabaseError::Unknown)?;
        if !known.record.ready {
            return Err(DatabaseError::NotReady);
        }
        let turn = tokio::time::timeout(Duration::from_secs(10), self.looks.acquire()).await;
        let turn = turn.map_err(|_| DatabaseError::Busy)?.map_err(|_| DatabaseError::Busy)?;
        Ok((known, turn))
    }

    fn servers_in_use(&self) -> HashSet<ServerId> {
        let all = self.known.all().into_iter();
        all.filter_map(|(preview, known)| ServerId::of(preview, &known.record)).collect()
    }

    async fn server_of(
        &self,
        preview: PreviewId,
        record: &DatabaseRecord,
    ) -> Result<Arc<Server>, DatabaseError> {
        let id = ServerId::of(preview, record).ok_or(DatabaseError::Unknown)?;
        self.servers.ensure(&id).await
    }

    async fn provide_file(&self, preview: PreviewId, known: &Known) -> Result<Provided, DatabaseError> {
        let access = Access::file(sqlite::path());
        if known.record.ready {
            return Ok(Provided::Kept);
        }
        self.engine.remove_volume(&known.record.name).await?;
        sqlite::make_volume(&self.engine, preview, &known.record.name).await?;
        self.save(preview, known.record.clone(), Some(access)).await?;
        Ok(Provided::Empty)
    }

    async fn provide_on_server(
        &self,
        preview: PreviewId,
        known: &Known,
        network: &str,
        template: Option<&str>,
    ) -> Result<Provided, DatabaseError> {
        let record = &known.record;
        let server = self.server_of(preview, record).await?;
        if record.ready && known.access.is_some() && server.admin.exists(&record.name).await? {
            server.join(&self.engine, network).await?;
            return Ok(Provided::Kept);
        }
        let mut record = DatabaseRecord { ready: false, ..record.clone() };
        let access = server.access(&record.name, seal::random_password());
        // Written before it is made: a password that nobody knows would be a database for nobody.
        self.save(preview, record.clone(), Some(access.clone())).await?;
        let template = template.map(|key| self.template_name(key));
        let make = server.admin.create(&record.name, access.password(), template.as_deref(), &self.config);
        // Neither waits for the other: the network is the preview's, the database the server's.
        let (joined, copied) = tokio::join!(server.join(&self.engine, network), make);
        joined?;
        if !copied? {
            return Ok(Provided::Empty);
        }
        record.template = template;
        record.ready = true;
        record.migration = MigrationStatus::Completed;
        self.save(preview, record, None).await?;
        Ok(Provided::Copied)
    }

    async fn drop_on_server(
        &self,
        preview: PreviewId,
        known: &Known,
        network: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let Some(id) = ServerId::of(preview, &known.record) else { return Ok(()) };
        if known.record.mode == DatabaseMode::Dedicated {
            return self.servers.remove(&id).await;
        }
        let dropped = async {
            match self.servers.existing(&id).await? {
                Some(server) => server.admin.drop(&known.record.name).await,
                // It took the database with it.
                None => Ok(()),
            }
        };
        let (left, dropped) = tokio::join!(self.servers.leave(&id, network), dropped);
        // A server that is not well keeps no preview from ending: what is left on it is dropped
        // when it is looked after.
        if let Err(error) = dropped {
            tracing::warn!(%error, database = known.record.name, "a database is dropped later");
        }
        left
    }

    async fn save(
        &self,
        preview: PreviewId,
        record: DatabaseRecord,
        access: Option<Access>,
    ) -> Result<(), DatabaseError> {
        let sealed = access.as_ref().map(|access| self.seal.close(preview, &access.url(None)));
        let sealed = sealed.transpose()?;
        self.store.put_database(preview, &record, sealed.as_deref()).await?;
        self.known.insert(preview, record, access);
        Ok(())
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
        let live = live();
        let names: HashSet<String> = live.iter().map(|(preview, _)| self.name(*preview)).collect();
        for database in &there {
            if !names.contains(&database.name) {
                tracing::info!(database = database.name, "dropping a database whose preview has ended");
                server.admin.drop(&database.name).await?;
            }
        }
        let networks: HashSet<&str> = live.iter().filter_map(|(_, network)| network.as_deref()).collect();
        server.leave_all_but(&self.engine, &networks).await?;
        let limits = (self.config.templates, self.config.templates_mb);
        server.admin.prune_templates(&self.template_prefix(), limits).await?;
        for (preview, known) in self.known.all() {
            if ServerId::of(preview, &known.record).as_ref() != Some(id) {
                continue;
            }
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
}
