//! Database servers: containers of ours, one of each kind and major version for all previews, or
//! one for a preview alone.
//!
//! A server is started when the first preview needs it, and stays. Its data is in a volume with
//! a name of its own, so that a server that died, or was removed by hand, comes back with all of
//! it. It lives in a network of its own, from where alone the superuser may log in, and joins the
//! network of each preview it serves.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::kind::ServerKind;
use super::passwords::Passwords;
use super::server::{Server, ServerId};
use super::{Config, DatabaseError};
use crate::domain::{DatabaseMode, InstanceId, ResourceLimits};
use crate::engine::{
    ContainerSpec, ContainerState, Engine, EngineError, Kind, Ownership, VolumeMount, VolumeSpec,
};

/// What servers stand on, and others cut out for them.
pub trait Ground: Send + Sync {
    /// A network of the server's own.
    fn lease(&self) -> BoxFuture<'_, Result<String, GroundError>>;
    /// The server is gone.
    fn give_back<'a>(&'a self, network: &'a str) -> BoxFuture<'a, Result<(), GroundError>>;
    /// Somebody removed it from the engine.
    fn forget<'a>(&'a self, network: &'a str) -> BoxFuture<'a, ()>;
    /// Containers cannot be dialled at their own addresses: publish the port on loopback.
    fn publishes(&self) -> bool;
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GroundError(pub String);

pub(super) struct Servers {
    engine: Engine,
    instance: InstanceId,
    config: Config,
    passwords: Passwords,
    ground: Arc<dyn Ground>,
    /// The lock of a slot is held while its server is being started: who comes meanwhile waits.
    slots: Mutex<HashMap<ServerId, Slot>>,
    /// The network each was last made in: one that comes back goes on living there.
    homes: Mutex<HashMap<String, String>>,
    /// Those of one preview that went with it, and when: they must not be started again by whoever
    /// had just thought them in use.
    gone: Mutex<HashMap<ServerId, Instant>>,
    /// There is, or was, a server: else there is nothing to look for at the end.
    any: AtomicBool,
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<Server>>>>;

/// From a started container to the first answer; an empty host is slower than any other.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody goes by what was known longer ago: each look and each try at a server ends well before.
const THOUGHT: Duration = Duration::from_secs(15 * 60);
/// Where the image keeps its cluster.
const DATA: &str = "/var/lib/previewd";

impl Servers {
    pub fn new(
        engine: Engine,
        instance: InstanceId,
        config: Config,
        passwords: Passwords,
        ground: Arc<dyn Ground>,
    ) -> Self {
        let any = AtomicBool::new(false);
        let (slots, homes, gone) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { engine, instance, config, passwords, ground, slots, homes, gone, any }
    }

    /// The server, started when it does not run. Calls at once start it once.
    pub async fn ensure(&self, id: &ServerId) -> Result<Arc<Server>, DatabaseError> {
        let slot = self.slot(id);
        let mut up = slot.lock().await;
        if let Some(server) = up.as_ref()
            && server.admin.answers().await
        {
            return Ok(Arc::clone(server));
        }
        *up = None;
        if self.gone().contains_key(id) {
            return Err(DatabaseError::Unknown);
        }
        let server = Arc::new(match id.mode {
            DatabaseMode::External => self.external(id.kind).await?,
            _ => self.bring_up(id).await?,
        });
        *up = Some(Arc::clone(&server));
        Ok(server)
    }

    /// Containers cannot be dialled at their own addresses.
    pub fn publishes(&self) -> bool {
        self.ground.publishes()
    }

    /// The server as it was last seen, unless it is just being started.
    pub fn up(&self, id: &ServerId) -> Option<Arc<Server>> {
        self.slot(id).try_lock().ok()?.clone()
    }

    /// The same, of one that exists; what is not there is not made.
    pub async fn existing(&self, id: &ServerId) -> Result<Option<Arc<Server>>, DatabaseError> {
        if id.mode != DatabaseMode::External {
            let there = self.engine.inspect(&id.name(&self.instance)).await?;
            let volumes = if there.is_some() { Vec::new() } else { self.engine.owned_volumes().await? };
            if there.is_none() && volumes.iter().all(|volume| volume.name != id.name(&self.instance)) {
                return Ok(None);
            }
        }
        self.ensure(id).await.map(Some)
    }

    /// Networks that servers live in.
    pub async fn adopt(&self) -> Result<Vec<String>, DatabaseError> {
        let mut homes = Vec::new();
        let all = self.engine.owned_containers().await?.into_iter();
        // Of the list alone: the engine would have us wait for one that it is busy with.
        for container in all.filter(|container| container.ownership.kind == Kind::Server) {
            self.any.store(true, Ordering::Relaxed);
            if container.ownership.preview.is_none()
                && let Some(id) = ServerId::shared(&container.name, &self.instance)
            {
                self.slot(&id);
            }
            if let Some(home) = container.home_network {
                self.homes().insert(container.name, home.clone());
                homes.push(home);
            }
        }
        Ok(homes)
    }

    /// Names of the volumes of servers that were used since the start.
    pub fn volumes(&self) -> Vec<String> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.keys().map(|id| id.name(&self.instance)).collect()
    }

    /// Removes every server but these.
    pub async fn close(&self, used: &HashSet<ServerId>) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let kept: HashSet<String> = used.iter().map(|id| id.name(&self.instance)).collect();
        let removed = async {
            for container in self.engine.owned_containers().await? {
                if container.ownership.kind == Kind::Server && !kept.contains(&container.name) {
                    self.remove_named(&container.name).await?;
                }
            }
            Ok::<_, DatabaseError>(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, "a database server stays behind; the next start takes it up");
        }
    }

    /// Those that were used, or found, since the start.
    pub fn known(&self) -> HashSet<ServerId> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Takes a server out of a preview's network, whether it is well or not.
    pub async fn leave(&self, id: &ServerId, network: Option<&str>) -> Result<(), DatabaseError> {
        match network.filter(|_| id.mode != DatabaseMode::External) {
            Some(network) => Ok(self.engine.disconnect_network(network, &id.name(&self.instance)).await?),
            None => Ok(()),
        }
    }

    /// The server of a preview alone, with its data.
    pub async fn remove(&self, id: &ServerId) -> Result<(), DatabaseError> {
        self.note_gone(id);
        let slot = self.slot(id);
        // Held to the end: whoever is just starting it is waited for.
        let mut up = slot.lock().await;
        if let Some(server) = up.take() {
            server.admin.close().await;
        }
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.remove_named(&id.name(&self.instance)).await
    }

    fn note_gone(&self, id: &ServerId) {
        let mut gone = self.gone();
        gone.retain(|_, since| since.elapsed() < THOUGHT);
        gone.insert(id.clone(), Instant::now());
    }

    fn gone(&self) -> MutexGuard<'_, HashMap<ServerId, Instant>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn remove_named(&self, name: &str) -> Result<(), DatabaseError> {
        self.engine.remove(name).await?;
        self.engine.remove_volume(name).await?;
        let home = self.homes().remove(name);
        match home {
            Some(home) => Ok(self.ground.give_back(&home).await?),
            None => Ok(()),
        }
    }

    fn slot(&self, id: &ServerId) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(id.clone()).or_default())
    }

    async fn external(&self, kind: ServerKind) -> Result<Server, DatabaseError> {
        Ok(Server { container: None, kind, admin: kind.external(&self.config).await? })
    }

    async fn bring_up(&self, id: &ServerId) -> Result<Server, DatabaseError> {
        self.any.store(true, Ordering::Relaxed);
        let name = id.name(&self.instance);
        let state = match self.engine.inspect(&name).await? {
            Some(state) if state.running && self.address(id.kind, &state).is_some() => Some(state),
            Some(state) if state.running => self.bring_home(&name, state).await?,
            Some(_) => self.start_again(&name).await?,
            None => None,
        };
        let state = match state {
            Some(state) => state,
            None => self.make(id, &name).await?,
        };
        self.first_answer(id, &name, state).await
    }

    /// A container that stopped. One that cannot be started again, because a network it was in
    /// is gone, makes way for another over the same data.
    async fn start_again(&self, name: &str) -> Result<Option<ContainerState>, DatabaseError> {
        tracing::warn!(server = name, "a database server had stopped; starting it again");
        match self.engine.start(name).await {
            Ok(()) => return Ok(self.engine.inspect(name).await?),
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => tracing::warn!(%error, server = name, "making its container anew"),
        }
        self.engine.remove(name).await?;
        Ok(None)
    }

    /// A container that runs, and that somebody took out of the network from where we ask it. One whose
    /// network is gone makes way for another over the same data.
    async fn bring_home(
        &self,
        name: &str,
        state: ContainerState,
    ) -> Result<Option<ContainerState>, DatabaseError> {
        tracing::warn!(server = name, "a database server is not in its network any more");
        // Where its port is published there is nothing to bring back but the container itself.
        let home = state.home_network.filter(|_| !self.ground.publishes());
        if let Some(home) = home {
            match self.engine.connect_network(&home, name, &[]).await {
                Ok(()) => return Ok(self.engine.inspect(name).await?),
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(error) => tracing::warn!(%error, server = name, "making its container anew"),
            }
        }
        self.engine.remove(name).await?;
        Ok(None)
    }

    async fn make(&self, id: &ServerId, name: &str) -> Result<ContainerState, DatabaseError> {
        let image = self.config.images.of(id.kind, &id.version);
        if self.engine.image_id(&image).await?.is_none() {
            // The one that no distribution has packages of, and that is used in every mode.
            let instead = (id.kind == ServerKind::Mongodb).then(|| id.kind.setting());
            return Err(DatabaseError::ImageMissing { base: id.kind.base(), image, instead });
        }
        let home = self.home(name).await?;
        let made = self.make_in(id, name, image, &home).await;
        if made.is_err()
            && let Err(error) = self.engine.remove(name).await
        {
            tracing::warn!(%error, server = name, "a server that did not start is left");
        }
        made
    }

    /// The network it lived in before, else a new one.
    async fn home(&self, name: &str) -> Result<String, DatabaseError> {
        let before = self.homes().get(name).cloned();
        if let Some(home) = before {
            let networks = self.engine.owned_networks().await?;
            if networks.iter().any(|network| network.name == home) {
                return Ok(home);
            }
            self.ground.forget(&home).await;
        }
        let home = self.ground.lease().await?;
        self.homes().insert(name.to_owned(), home.clone());
        Ok(home)
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make_in(
        &self,
        id: &ServerId,
        name: &str,
        image: String,
        home: &str,
    ) -> Result<ContainerState, DatabaseError> {
        let networks = self.engine.owned_networks().await?;
        let subnet = networks.into_iter().find(|network| network.name == home).and_then(|found| found.subnet);
        let subnet = subnet.ok_or_else(|| GroundError(format!("the network {home} has no addresses")))?;
        let ownership =
            Ownership { preview: id.preview, ..Ownership::of(self.instance.clone(), Kind::Server) };
        let volume = VolumeSpec { name: name.to_owned(), ownership: ownership.with_kind(Kind::Volume) };
        self.engine.create_volume(&volume).await?;
        let spec = ContainerSpec {
            name: name.to_owned(),
            image,
            command: None,
            arguments: None,
            environment: id.kind.environment(self.passwords.admin(name), subnet),
            network: home.to_owned(),
            names: Vec::new(),
            limits: self.limits(id),
            ownership,
            publish: self.ground.publishes().then_some(id.kind.port()),
            runtime: None,
            working_dir: None,
            writable: Vec::new(),
            scratch: Vec::new(),
            volumes: vec![VolumeMount { volume: name.to_owned(), folder: DATA.to_owned() }],
        };
        self.engine.create_container(&spec).await?;
        self.engine.start(name).await?;
        self.inspect(name).await
    }

    /// Each connection is a process. What a server may compute is what the host has, up to two
    /// cores; a preview's own is less.
    fn limits(&self, id: &ServerId) -> ResourceLimits {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(2);
        let memory = match id.preview {
            Some(_) => self.config.server_memory_mb.min(384),
            None => self.config.server_memory_mb,
        };
        ResourceLimits { pids: 1024, ..ResourceLimits::new(memory, cores as f64, 10 * 1024) }
    }

    async fn inspect(&self, name: &str) -> Result<ContainerState, DatabaseError> {
        let state = self.engine.inspect(name).await?;
        state.ok_or_else(|| {
            EngineError::Missing { call: "inspect container", message: name.to_owned() }.into()
        })
    }

    async fn first_answer(
        &self,
        id: &ServerId,
        name: &str,
        mut state: ContainerState,
    ) -> Result<Server, DatabaseError> {
        let begun = Instant::now();
        let password = self.passwords.admin(name);
        loop {
            let reason = match self.address(id.kind, &state) {
                Some(address) => match id.kind.connect(address, &password, &self.config).await {
                    Ok(admin) => {
                        return Ok(Server { container: Some(name.to_owned()), kind: id.kind, admin });
                    }
                    Err(error) => error.to_string(),
                },
                None => "it has no address".to_owned(),
            };
            if begun.elapsed() > PATIENCE || !state.running {
                let server = id.to_string();
                return Err(DatabaseError::Start { server, after: begun.elapsed(), reason });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            state = self.inspect(name).await?;
        }
    }

    fn address(&self, kind: ServerKind, state: &ContainerState) -> Option<SocketAddr> {
        if self.ground.publishes() {
            return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), state.published_port?));
        }
        let home = state.home_network.as_deref()?;
        Some(SocketAddr::new(state.address_in(home)?, kind.port()))
    }
}
