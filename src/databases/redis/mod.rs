//! Redis: a cache, or a broker of jobs, for one preview alone.
//!
//! Apps take the whole of a Redis for theirs: they empty it, name keys as they like, subscribe
//! to everything. So nobody shares one: each is a container on the preview's own network, there
//! in some ten milliseconds and for a few MiB, in memory alone. It comes before the app, outlives
//! the app's restarts, begins anew when it died, and goes with the preview.

mod access;
mod wire;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

pub use wire::CacheInventory;

pub(super) use access::CacheAccess;

use super::{DatabaseError, Inner};
use crate::domain::{ContainerStatus, PreviewId, ResourceLimits};
use crate::engine::{ContainerSpec, ContainerState, EngineError, Kind, Ownership};

const PORT: u16 = 6379;

/// Names under which a preview finds it.
const HOST: &str = "redis";
const NAMES: [&str; 2] = [HOST, "cache"];

/// From a started container to the first answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A live preview's cache.
#[derive(Debug, Clone, Default)]
pub struct KnownCache {
    /// It was made, and should be there.
    pub ready: bool,
    /// Why it does not answer, when it does not.
    pub trouble: Option<String>,
    /// What was last seen in it, and when.
    pub counted: Option<(CacheInventory, DateTime<Utc>)>,
}

impl KnownCache {
    /// What is wrong, in words; `None` when nothing is.
    pub fn problem(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        Some(format!("the cache does not answer: {trouble}"))
    }
}

impl Inner {
    pub(super) fn cache_access(&self, preview: PreviewId) -> CacheAccess {
        CacheAccess::new(HOST, PORT, self.passwords.cache(preview))
    }

    /// A cache that answers; what is there and runs stays as it is.
    pub(super) async fn provide_cache(&self, preview: PreviewId, network: &str) -> Result<(), DatabaseError> {
        let name = self.cache_name(preview);
        let state = match self.engine.inspect(&name).await? {
            Some(state) if state.running => state,
            // With its container its data is gone.
            Some(_) => {
                self.engine.remove(&name).await?;
                self.make_cache(preview, &name, network).await?
            }
            None => self.make_cache(preview, &name, network).await?,
        };
        self.first_answer(preview, network, &name, state).await?;
        if let Some(known) = self.caches().get_mut(&preview) {
            known.ready = true;
            known.trouble = None;
        }
        Ok(())
    }

    async fn make_cache(
        &self,
        preview: PreviewId,
        name: &str,
        network: &str,
    ) -> Result<ContainerState, DatabaseError> {
        let image = self.config.images.redis.clone();
        if self.engine.image_id(&image).await?.is_none() {
            return Err(DatabaseError::ImageMissing { base: "redis", image, instead: None });
        }
        self.engine.create_container(&self.cache_spec(preview, name, network, image)).await?;
        self.engine.start(name).await?;
        self.cache_state(name).await
    }

    fn cache_spec(&self, preview: PreviewId, name: &str, network: &str, image: String) -> ContainerSpec {
        let memory = self.config.cache_memory_mb;
        ContainerSpec {
            name: name.to_owned(),
            image,
            command: None,
            arguments: None,
            environment: BTreeMap::from([
                ("PASSWORD".to_owned(), self.passwords.cache(preview)),
                ("MEMORY_MB".to_owned(), memory.to_string()),
            ]),
            network: network.to_owned(),
            names: NAMES.map(str::to_owned).to_vec(),
            // Beyond the data: buffers of clients, and what allocation wastes.
            limits: ResourceLimits { pids: 32, ..ResourceLimits::new(memory * 3 / 2 + 32, 0.5, 16) },
            ownership: Ownership {
                preview: Some(preview),
                ..Ownership::of(self.instance.clone(), Kind::Cache)
            },
            publish: self.servers.publishes().then_some(PORT),
            runtime: None,
            working_dir: None,
            writable: Vec::new(),
            scratch: Vec::new(),
            volumes: Vec::new(),
        }
    }

    async fn first_answer(
        &self,
        preview: PreviewId,
        network: &str,
        name: &str,
        mut state: ContainerState,
    ) -> Result<(), DatabaseError> {
        let (begun, password) = (Instant::now(), self.passwords.cache(preview));
        loop {
            let reason = match self.cache_address(network, &state) {
                Some(address) => match wire::look(address, &password).await {
                    Ok(_) => return Ok(()),
                    Err(error) => error.to_string(),
                },
                None => "it has no address".to_owned(),
            };
            if begun.elapsed() > PATIENCE || !state.running {
                let server = format!("redis of {preview}");
                return Err(DatabaseError::Start { server, after: begun.elapsed(), reason });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            state = self.cache_state(name).await?;
        }
    }

    async fn cache_state(&self, name: &str) -> Result<ContainerState, DatabaseError> {
        let state = self.engine.inspect(name).await?;
        let missing = || EngineError::Missing { call: "inspect container", message: name.to_owned() };
        state.ok_or_else(|| missing().into())
    }

    fn cache_address(&self, network: &str, state: &ContainerState) -> Option<SocketAddr> {
        if self.servers.publishes() {
            return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), state.published_port?));
        }
        Some(SocketAddr::new(state.address_in(network)?, PORT))
    }

    /// Absent is fine.
    pub(super) async fn remove_cache(&self, preview: PreviewId) -> Result<(), DatabaseError> {
        Ok(self.engine.remove(&self.cache_name(preview)).await?)
    }

    /// Keys and bytes, as they are now.
    pub(super) async fn look_into_cache(
        &self,
        preview: PreviewId,
        network: &str,
    ) -> Result<CacheInventory, DatabaseError> {
        let state = self.cache_state(&self.cache_name(preview)).await?;
        let address = self.cache_address(network, &state).ok_or(DatabaseError::NotReady)?;
        let seen = wire::look(address, &self.passwords.cache(preview)).await;
        let seen = seen.map_err(|error| DatabaseError::Sql {
            doing: "looking into the cache",
            reason: error.to_string(),
        })?;
        if let Some(known) = self.caches().get_mut(&preview) {
            known.counted = Some((seen, Utc::now()));
        }
        Ok(seen)
    }

    /// Brings back caches that died, and says how each is.
    pub(super) async fn tend_caches(
        &self,
        live: &[(PreviewId, Option<String>)],
    ) -> Result<(), DatabaseError> {
        let made: Vec<PreviewId> = {
            let caches = self.caches();
            caches.iter().filter(|(_, known)| known.ready).map(|(preview, _)| *preview).collect()
        };
        if made.is_empty() {
            return Ok(());
        }
        let containers = self.engine.owned_containers().await?;
        let runs = |preview: PreviewId| {
            let name = self.cache_name(preview);
            containers
                .iter()
                .any(|container| container.name == name && container.status == ContainerStatus::Running)
        };
        for (preview, network) in live {
            let Some(network) = network.as_ref().filter(|_| made.contains(preview)) else { continue };
            // Asked again: it may be emptied, or gone with its preview, meanwhile.
            if runs(*preview) || !self.caches().get(preview).is_some_and(|known| known.ready) {
                continue;
            }
            tracing::warn!(%preview, "a cache had stopped; making it anew");
            let trouble = self.provide_cache(*preview, network).await.err().map(|error| error.to_string());
            let is_wanted = self.caches().get_mut(preview).map(|known| known.trouble = trouble).is_some();
            if !is_wanted {
                // Its preview ended while it was made, and finds its network in use until this is gone.
                self.remove_cache(*preview).await?;
            }
        }
        Ok(())
    }

    fn cache_name(&self, preview: PreviewId) -> String {
        format!("previewd-{}-redis-{preview}", self.instance)
    }
}
