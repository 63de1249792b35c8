//! A database of its own for every preview.
//!
//! Owns the servers previews' databases live on, and the databases themselves: one role and one
//! database a preview, named after it, which no other preview can enter. A schema that was
//! migrated once is kept as a template and copied the next time.
//!
//! ```text
//!   intend ──► promise ──► provide ──► (migrations, seeds) ──► keep ──► in use ──► drop
//!   the row    address,    server,     run by the driver       template,  ▲ │
//!              password    role,       in a one-off            ready      └─┘ look, query, watch
//!                          database    container
//! ```
//!
//! Beside it a preview may have a cache, a server of its own ([`caches`]). Other servers are
//! containers of ours ([`crate::engine::Kind::Server`]), started on first need and kept warm; a preview reaches its server by the name [`HOST`] on its own network, into which the
//! server is brought for it. What a statement of SQL says to them is written in this module and
//! nowhere else; the store's own SQL is another matter and lives there.

mod access;
mod caches;
mod config;
mod error;
mod inventory;
mod kind;
mod looks;
mod mongodb;
mod mysql;
mod orphans;
mod passwords;
mod postgres;
mod provide;
mod redis;
mod registry;
mod rows;
mod server;
mod servers;
mod sql;
mod sqlite;
mod task;
mod template_key;
mod watch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use access::{Access, HOST, Part};
pub use config::{Config, ServerImages};
pub use error::DatabaseError;
pub use inventory::{Inventory, QueryRows, Table};
pub use kind::ServerKind;
pub use orphans::Orphan;
pub use passwords::Passwords;
pub use redis::{CacheInventory, KnownCache};
pub use registry::{Health, Known};
pub use rows::{insertion, is_rows};
pub use server::server_in_use;
pub use servers::{Ground, GroundError};
pub use task::{Task, TaskEnd, run as run_task};
pub use template_key::template_key;

use crate::domain::{
    DatabaseRecord, DatabaseType, InstanceId, Invalid, Metadata, MigrationStatus, PreviewId, UserId,
};
use crate::engine::{Engine, EngineError, VolumeMount};
use crate::seal::{Purpose, Seal};
use crate::store::{Store, StoreError};
use looks::Looks;
use registry::Registry;
use server::{Server, ServerId};
use servers::Servers;

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
    passwords: Passwords,
    servers: Servers,
    /// Of live previews.
    known: Registry,
    /// Caches of live previews. Never locked across an await.
    caches: Mutex<HashMap<PreviewId, KnownCache>>,
    looks: Looks,
}

/// What the databases are made of.
pub struct Needs {
    pub engine: Engine,
    pub store: Store,
    pub instance: InstanceId,
    pub config: Config,
    pub seal: Seal,
    pub passwords: Passwords,
    pub ground: Arc<dyn Ground>,
}

/// A container's part in running a file of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlClient {
    pub image: String,
    pub argv: Vec<String>,
    /// Besides the app's own.
    pub environment: BTreeMap<String, String>,
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

impl Databases {
    pub fn new(needs: Needs) -> Self {
        let Needs { engine, store, instance, config, seal, passwords, ground } = needs;
        let servers =
            Servers::new(engine.clone(), instance.clone(), config.clone(), passwords.clone(), ground);
        let inner = Inner {
            engine,
            store,
            instance,
            config,
            seal,
            passwords,
            servers,
            known: Registry::default(),
            caches: Mutex::default(),
            looks: Looks::new(),
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
                let owner = stored.preview.to_string();
                let opened = self.inner.seal.open(Purpose::DatabaseAddress, &owner, sealed);
                opened.as_deref().and_then(Access::parse)
            });
            self.inner.known.insert(stored.preview, stored.record, access);
        }
        for preview in self.inner.store.live_caches().await? {
            let known = KnownCache { ready: true, ..KnownCache::default() };
            self.inner.caches().insert(preview, known);
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
        self.inner.caches().remove(&preview);
    }

    /// What is known of a live preview's database.
    pub fn known(&self, preview: PreviewId) -> Option<Known> {
        self.inner.known.get(preview)
    }

    /// Settles what containers of the preview find of its database: the address with its
    /// password, or the volume of its file. Known and written from here on, so that a container can be
    /// made while the database is. What is in use is left as it is; anything else begins anew.
    pub async fn promise(&self, preview: PreviewId) -> Result<(), DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        match known.record.kind {
            _ if known.record.ready && known.access.is_some() => Ok(()),
            DatabaseType::Sqlite => self.inner.promise_file(preview, &known).await,
            _ => self.inner.promise_on_server(preview, &known).await,
        }
    }

    /// Gives a preview the database it was promised: a copy of the template of this key where
    /// there is one.
    pub async fn provide(
        &self,
        preview: PreviewId,
        network: &str,
        template: Option<&str>,
    ) -> Result<Provided, DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        match known.record.kind {
            DatabaseType::Sqlite if known.record.ready => Ok(Provided::Kept),
            DatabaseType::Sqlite => Ok(Provided::Empty),
            _ => self.inner.provide_on_server(preview, &known, network, template).await,
        }
    }

    /// The schema is as the app wants it: keeps it as the template of this key, and says that
    /// the database can be used.
    pub async fn keep(&self, preview: PreviewId, template: Option<&str>) -> Result<(), DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        let mut record = known.record.clone();
        if let Some(key) = template.filter(|_| ServerKind::of(record.kind).is_some()) {
            let server = self.inner.server_of(preview, &record).await?;
            let name = self.inner.template_name(key);
            let kept = server.admin.keep_template(&record.name, &name).await?;
            record.template = kept.then_some(name);
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
        self.empty_cache(preview).await?;
        self.inner.caches().remove(&preview);
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

    /// What runs a file of SQL on a preview's database.
    pub fn sql_client(&self, preview: PreviewId, file: &str) -> Result<SqlClient, DatabaseError> {
        let known = self.inner.known.get(preview).ok_or(DatabaseError::Unknown)?;
        let access = known.access.as_ref().ok_or(DatabaseError::NotReady)?;
        let Some(kind) = ServerKind::of(known.record.kind) else {
            return Ok(sqlite::client(&self.inner.config.python_image, file));
        };
        let (argv, environment) = kind.client(access, file).ok_or_else(|| {
            let name = kind.product();
            DatabaseError::Query(format!(
                "{name} runs no files of SQL; name a migrationCommand or seedCommand"
            ))
        })?;
        Ok(SqlClient { image: self.inner.config.images.of(kind, &known.record.version), argv, environment })
    }

    /// What a container of the preview needs before it is started.
    pub async fn prepare_container(&self, preview: PreviewId, container: &str) -> Result<(), EngineError> {
        match self.volumes(preview).is_empty() {
            true => Ok(()),
            false => sqlite::make_folder(&self.inner.engine, container).await,
        }
    }

    /// Tables, rows and size. The looks of an owner wait for each other.
    pub async fn look(&self, preview: PreviewId, owner: &UserId) -> Result<Inventory, DatabaseError> {
        let known = self.inner.ready(preview)?;
        let _turn = self.inner.looks.turn(owner).await?;
        self.inner.look(preview, &known).await
    }

    /// The same for who would rather do without than wait: busy unless it can be done at once.
    pub async fn look_now(&self, preview: PreviewId, owner: &UserId) -> Result<Inventory, DatabaseError> {
        let known = self.inner.ready(preview)?;
        let _turn = self.inner.looks.turn_now(owner)?;
        self.inner.look(preview, &known).await
    }

    /// A read-only question, with limits on rows, size and time.
    pub async fn query(
        &self,
        preview: PreviewId,
        owner: &UserId,
        sql: &str,
    ) -> Result<QueryRows, DatabaseError> {
        if self.inner.known.get(preview).is_none() && self.cache(preview).is_some() {
            let why = "this preview has a cache and no database: Redis answers no SQL";
            return Err(DatabaseError::Query(why.to_owned()));
        }
        let known = self.inner.ready(preview)?;
        let _turn = self.inner.looks.turn(owner).await?;
        match known.record.kind {
            DatabaseType::Sqlite => sqlite::query(&self.inner, preview, &known, sql).await,
            _ => {
                let server = self.inner.server_of(preview, &known.record).await?;
                server.admin.query(known.access.as_ref().ok_or(DatabaseError::NotReady)?, sql).await
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

    /// Names of the containers of servers that are up.
    pub fn server_containers(&self) -> Vec<String> {
        let up = self.inner.servers.known().into_iter().filter_map(|id| self.inner.servers.up(&id));
        up.filter_map(|server| server.container.clone()).collect()
    }

    /// Whose database has this name.
    pub fn preview_on(&self, database: &str) -> Option<PreviewId> {
        let mut all = self.inner.known.all().into_iter();
        all.find(|(_, known)| known.record.name == database).map(|(preview, _)| preview)
    }

    /// Volumes of this kind of thing that exist for a reason.
    pub fn volumes_in_use(&self) -> HashSet<String> {
        let files = self.inner.known.all().into_iter().map(|(_, known)| known.record);
        let files = files.filter(|record| record.kind == DatabaseType::Sqlite).map(|record| record.name);
        files.chain(self.inner.servers.volumes()).collect()
    }
}

impl Inner {
    fn caches(&self) -> MutexGuard<'_, HashMap<PreviewId, KnownCache>> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One name for database and role: theirs and no other's on a server that several
    /// installations may share. 32 bytes of `a-z0-9_`, which every kind of server allows. Others
    /// on it may see the name, so it says nothing of the preview's id.
    fn name(&self, preview: PreviewId) -> String {
        format!("{}{}", self.prefix(), self.passwords.database_name(preview))
    }

    /// What all our databases on a server begin with.
    fn prefix(&self) -> String {
        format!("pv_{}_", passwords::short_hash(self.instance.as_str()))
    }

    fn template_name(&self, key: &str) -> String {
        format!("{}{key}", self.template_prefix())
    }

    fn template_prefix(&self) -> String {
        format!("pt_{}_", passwords::short_hash(self.instance.as_str()))
    }

    /// A database that can be looked into.
    fn ready(&self, preview: PreviewId) -> Result<Known, DatabaseError> {
        let known = self.known.get(preview).ok_or(DatabaseError::Unknown)?;
        match known.record.ready {
            true => Ok(known),
            false => Err(DatabaseError::NotReady),
        }
    }

    /// Counts, and remembers what came of it.
    async fn look(&self, preview: PreviewId, known: &Known) -> Result<Inventory, DatabaseError> {
        let looked = match known.record.kind {
            DatabaseType::Sqlite => sqlite::look(self, preview, known).await,
            _ => self.look_on_server(preview, known).await,
        };
        self.known.counted(preview, looked.as_ref().ok().map(Inventory::totals));
        looked
    }

    async fn look_on_server(&self, preview: PreviewId, known: &Known) -> Result<Inventory, DatabaseError> {
        let server = self.server_of(preview, &known.record).await?;
        server.admin.look(known.access.as_ref().ok_or(DatabaseError::NotReady)?).await
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

    async fn save(
        &self,
        preview: PreviewId,
        record: DatabaseRecord,
        access: Option<Access>,
    ) -> Result<(), DatabaseError> {
        let owner = preview.to_string();
        let close = |access: &Access| self.seal.close(Purpose::DatabaseAddress, &owner, &access.url(None));
        let sealed = access.as_ref().map(close).transpose()?;
        self.store.put_database(preview, &record, sealed.as_deref()).await?;
        self.known.insert(preview, record, access);
        Ok(())
    }
}
