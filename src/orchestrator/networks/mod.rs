//! The networks of previews: each preview has one to itself while it lives.
//!
//! Making a bridge costs the engine some 60 ms and removing it 200 ms, so a few spare ones wait,
//! and an emptied one becomes a spare again, or rests for a while ([`rest`]) where there are enough.
//! A spare has no container in it and no preview's name on it; which preview holds which network is
//! said by the preview's row. What an earlier run left is found out once ([`earlier`]), before
//! anybody is given a network.

mod earlier;
mod rest;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::egress::{Egress, EgressError};
use super::retry::retry;
use super::subnets::AddressPool;
use crate::domain::{Block, InstanceId};
use crate::engine::{Engine, EngineError, Kind, NetworkSpec, Ownership};
use earlier::Earlier;
use rest::Resting;

/// Where previews' networks come from.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_NETWORK_POOL`, default 10.213.0.0/16: 4,096 networks of 16 addresses.
    pub pool: AddressPool,
    /// `PREVIEW_NETWORK_SPARES`, default 2: networks made ahead of launches.
    pub spares: usize,
    /// `PREVIEW_NETWORK_REST`, seconds, default 30: how long the network of a preview that has ended
    /// waits for another one before it is removed.
    pub rest: Duration,
}

/// Networks made or removed at once.
const CALLS: usize = 4;

#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("all {capacity} networks of {pool} are in use")]
    PoolEmpty { pool: AddressPool, capacity: usize },
    #[error("the networks of earlier previews are not known yet: {reason}")]
    Unsettled { reason: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Egress(#[from] EgressError),
}

/// A cheap handle.
#[derive(Clone)]
pub struct Networks {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    instance: InstanceId,
    config: Config,
    egress: Egress,
    held: Mutex<Held>,
    /// The engine makes and removes one after the other; who waits there has a deadline, here none.
    calls: Semaphore,
    tasks: TaskTracker,
    closing: CancellationToken,
    earlier: watch::Sender<Earlier>,
}

/// Never locked across an await.
#[derive(Default)]
struct Held {
    /// Blocks of networks that exist or are being made, by network name.
    ours: HashMap<String, Block>,
    /// Names of those no preview uses.
    spare: VecDeque<String>,
    /// Those that no preview uses either, besides the spares: the longest first.
    resting: VecDeque<Resting>,
    /// Blocks that others on this host use.
    foreign: Vec<Block>,
    /// Blocks of networks that nobody is to have and that are not gone yet, by network name.
    leaving: HashMap<String, Block>,
    /// A spare is being made.
    refilling: bool,
    /// No spares are made any more: the daemon is going.
    closed: bool,
}

impl Held {
    /// It waits for a preview.
    fn is_free(&self, name: &str) -> bool {
        let is_resting = || self.resting.iter().any(|resting| resting.name == name);
        self.spare.iter().any(|spare| spare == name) || is_resting()
    }
}

impl Networks {
    /// Once it is `closing`, none is waited for to have had its rest.
    pub fn new(
        engine: Engine,
        instance: InstanceId,
        config: Config,
        egress: Egress,
        tasks: TaskTracker,
        closing: CancellationToken,
    ) -> Self {
        let inner = Inner {
            engine,
            instance,
            config,
            egress,
            held: Mutex::default(),
            calls: Semaphore::new(CALLS),
            tasks,
            closing,
            earlier: watch::Sender::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A network for one preview: a spare when there is one. Waits until it is known what an earlier
    /// run left, since one leased before might be another preview's.
    pub async fn lease(&self) -> Result<String, NetworkError> {
        self.known_in_time().await?;
        let spare = {
            let mut held = self.inner.held();
            let name = held.spare.pop_front().or_else(|| held.wake());
            name.and_then(|name| held.ours.get(&name).map(|block| (name.clone(), *block)))
        };
        let Some((name, block)) = spare else {
            let made = self.inner.make().await;
            self.refill();
            return made;
        };
        if let Err(error) = self.inner.egress.settle(&name, block).await {
            self.inner.held().spare.push_front(name);
            return Err(error.into());
        }
        self.refill();
        Ok(name)
    }

    /// Takes a preview's network back, for the next one or to remove it. The caller has removed
    /// the containers in it.
    pub async fn give_back(&self, name: &str) -> Result<(), EngineError> {
        {
            let mut held = self.inner.held();
            let is_ours = held.ours.contains_key(name);
            if held.is_free(name) {
                return Ok(());
            }
            if is_ours && !held.closed && held.spare.len() < self.inner.config.spares {
                held.spare.push_back(name.to_owned());
                return Ok(());
            }
            let rest = self.inner.config.rest;
            if is_ours
                && !rest.is_zero()
                && let Some(since) = held.rest(name)
            {
                self.inner.remove_rested(name.to_owned(), since, rest);
                return Ok(());
            }
        }
        self.inner.remove(name).await
    }

    /// Removes the spares; leased networks stay with their previews.
    pub async fn close(&self) {
        let spares = {
            let mut held = self.inner.held();
            held.closed = true;
            let resting = std::mem::take(&mut held.resting).into_iter().map(|resting| resting.name);
            std::mem::take(&mut held.spare).into_iter().chain(resting).collect::<Vec<_>>()
        };
        for name in spares {
            if let Err(error) = self.inner.remove(&name).await {
                tracing::warn!(%error, network = name, "a spare network stays behind; the next start takes it up");
            }
        }
    }

    /// Whether the engine still has it: somebody may have removed it by hand.
    pub async fn is_there(&self, name: &str) -> Result<bool, EngineError> {
        self.inner.engine.has_network(name).await
    }

    /// One that somebody removed from the engine is nobody's any more.
    pub async fn forget(&self, name: &str) {
        self.inner.egress.uncover(name).await;
        self.inner.held().ours.remove(name);
    }

    /// Names of all networks that exist for a reason: leased, spare, or being made.
    pub fn known(&self) -> HashSet<String> {
        self.inner.held().ours.keys().cloned().collect()
    }

    /// Names of those that wait for a preview.
    pub fn spares(&self) -> Vec<String> {
        let held = self.inner.held();
        held.spare.iter().chain(held.resting.iter().map(|resting| &resting.name)).cloned().collect()
    }

    /// Spares that somebody removed from the engine are spares no more.
    pub async fn forget_spares(&self, gone: &[String]) {
        for name in gone {
            let was_spare = {
                let mut held = self.inner.held();
                let was_spare = held.is_free(name);
                held.spare.retain(|spare| spare != name);
                held.resting.retain(|resting| resting.name != *name);
                was_spare
            };
            if was_spare {
                self.forget(name).await;
            }
        }
    }

    /// Removes a network that no preview holds and that is no spare, as it was listed: not one that
    /// was made under its name since, and none is made under it meanwhile.
    pub async fn remove_stranger(
        &self,
        id: &str,
        name: &str,
        block: Option<Block>,
    ) -> Result<(), EngineError> {
        {
            let mut held = self.inner.held();
            if held.ours.contains_key(name) {
                return Ok(());
            }
            held.leaving.extend(block.map(|block| (name.to_owned(), block)));
        }
        let turn = self.inner.calls.acquire().await;
        self.inner.engine.remove_network(id).await?;
        drop(turn);
        self.inner.egress.uncover(name).await;
        self.inner.held().leaving.remove(name);
        Ok(())
    }

    /// Makes spares in the background until there are enough.
    pub fn refill(&self) {
        {
            let mut held = self.inner.held();
            while held.spare.len() < self.inner.config.spares
                && let Some(rested) = held.wake()
            {
                held.spare.push_back(rested);
            }
            if held.refilling || held.closed || held.spare.len() >= self.inner.config.spares {
                return;
            }
            held.refilling = true;
        }
        let inner = Arc::clone(&self.inner);
        self.inner.tasks.spawn(async move { inner.refill().await });
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refill(&self) {
        loop {
            let name = match self.make().await {
                Ok(name) => name,
                // The next lease tries again, and reports what is wrong.
                Err(error) => {
                    tracing::warn!(%error, "no spare network could be made");
                    self.held().refilling = false;
                    return;
                }
            };
            let Some(unwanted) = self.keep_spare(name) else { continue };
            if let Some(name) = unwanted
                && let Err(error) = self.remove(&name).await
            {
                tracing::warn!(%error, network = name, "a spare network too many stays until the next start");
            }
            return;
        }
    }

    /// Keeps one more spare. `None` while more are wanted; else the network itself, when a preview
    /// has given one back meanwhile or the daemon is going.
    fn keep_spare(&self, name: String) -> Option<Option<String>> {
        let mut held = self.held();
        let is_wanted = !held.closed && held.spare.len() < self.config.spares;
        let unwanted = if is_wanted {
            held.spare.push_back(name);
            None
        } else {
            Some(name)
        };
        let is_done = held.closed || held.spare.len() >= self.config.spares;
        held.refilling = !is_done;
        is_done.then_some(unwanted)
    }

    /// Makes a network over the first free block. A block that turns out to be another's is
    /// remembered, and the next one tried.
    async fn make(&self) -> Result<String, NetworkError> {
        loop {
            let (name, block) = self.reserve()?;
            let spec = NetworkSpec {
                name: name.clone(),
                subnet: block.to_string(),
                internal: false,
                peers: true,
                ownership: Ownership::of(self.instance.clone(), Kind::Network),
            };
            let turn = self.calls.acquire().await;
            // One whose answer was lost is found by its name.
            let made = retry(|| self.engine.create_network(&spec)).await;
            drop(turn);
            match made {
                // What cannot be covered is no network to give away.
                Ok(_id) => match self.egress.cover(&[(name.clone(), block)]).await {
                    Ok(()) => return Ok(name),
                    Err(error) => {
                        self.remove(&name).await?;
                        return Err(error.into());
                    }
                },
                Err(EngineError::SubnetTaken { .. }) => {
                    let others = self.engine.all_subnets().await?;
                    let mut held = self.held();
                    held.ours.remove(&name);
                    held.foreign = others.iter().filter_map(|text| Block::parse(text)).collect();
                    held.foreign.push(block);
                }
                Err(error) => {
                    self.held().ours.remove(&name);
                    return Err(error.into());
                }
            }
        }
    }

    fn reserve(&self) -> Result<(String, Block), NetworkError> {
        let mut held = self.held();
        let taken: Vec<Block> =
            held.ours.values().chain(held.leaving.values()).chain(&held.foreign).copied().collect();
        let pool = self.config.pool;
        let block = pool.free(&taken).ok_or(NetworkError::PoolEmpty { pool, capacity: pool.capacity() })?;
        let name = format!("previewd-{}-{}", self.instance, block.to_string().replace(['.', '/'], "-"));
        held.ours.insert(name.clone(), block);
        Ok((name, block))
    }

    /// Its rules go after it: one that could not be removed may be a spare again.
    async fn remove(&self, name: &str) -> Result<(), EngineError> {
        let turn = self.calls.acquire().await;
        self.engine.remove_network(name).await?;
        drop(turn);
        self.egress.uncover(name).await;
        self.held().ours.remove(name);
        Ok(())
    }
}
