//! What an earlier run of the daemon left of networks: those of live previews are theirs, empty ones
//! become spares, and all others go.
//!
//! Found out once, from lists alone. Whatever of it can be done later is done later: a network that
//! cannot be removed, or rules that cannot be written, keep nobody else from being launched.

use std::collections::HashSet;
use std::time::Duration;

use super::{Inner, NetworkError, Networks};
use crate::domain::Block;
use crate::engine::OwnedNetwork;

/// Whether it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Earlier {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// Why it is not known, as of the last look.
    Trouble(String),
    Known,
}

/// How long whoever needs a network waits until it is known.
const PATIENCE: Duration = Duration::from_secs(60);

impl Networks {
    /// Takes up what an earlier run left. `in_use`: names of the networks of live previews and of
    /// database servers.
    pub async fn adopt(&self, in_use: &HashSet<String>) -> Result<(), NetworkError> {
        let owned = self.inner.engine.owned_networks().await?;
        let idle = owned.iter().filter(|network| !in_use.contains(&network.name));
        let (empty, inhabited): (Vec<_>, Vec<_>) = idle.partition(|network| network.containers.is_empty());
        let known: Vec<(String, Block)> = {
            let mut held = self.inner.held();
            held.ours.extend(owned.iter().filter_map(block_of));
            held.ours.iter().map(|(name, block)| (name.clone(), *block)).collect()
        };
        // Before a spare is given to anybody.
        if let Err(error) = self.inner.egress.cover(&known).await {
            tracing::warn!(%error, "the rules for networks of earlier previews are not written yet");
        }
        let surplus = self.inner.keep_spares(empty);
        let leaving: Vec<String> =
            inhabited.iter().map(|network| network.name.clone()).chain(surplus).collect();
        self.inner.earlier.send_replace(Earlier::Known);
        let inner = std::sync::Arc::clone(&self.inner);
        self.inner.tasks.spawn(async move { inner.remove_all(leaving).await });
        self.refill();
        Ok(())
    }

    /// It could not be found out this time; whoever waits for it for too long is told why.
    pub fn not_known(&self, reason: &str) {
        self.inner.earlier.send_replace(Earlier::Trouble(reason.to_owned()));
    }

    /// Waits until it is known what an earlier run left.
    pub async fn known_again(&self) {
        // The sender lives as long as we do.
        let _ = self.inner.earlier.subscribe().wait_for(|earlier| *earlier == Earlier::Known).await;
    }

    /// The same, for somebody who has to be told when it takes too long.
    pub async fn known_in_time(&self) -> Result<(), NetworkError> {
        if tokio::time::timeout(PATIENCE, self.known_again()).await.is_ok() {
            return Ok(());
        }
        let reason = match &*self.inner.earlier.borrow() {
            Earlier::Trouble(reason) => reason.clone(),
            Earlier::Unknown | Earlier::Known => "the engine has not answered".to_owned(),
        };
        Err(NetworkError::Unsettled { reason })
    }

    pub fn is_known(&self) -> bool {
        *self.inner.earlier.borrow() == Earlier::Known
    }
}

impl Inner {
    /// The names of those that are too many.
    fn keep_spares(&self, empty: Vec<&OwnedNetwork>) -> Vec<String> {
        let mut held = self.held();
        let mut surplus = Vec::new();
        for network in empty {
            if held.is_free(&network.name) {
                continue;
            }
            if !held.closed && held.spare.len() < self.config.spares {
                held.spare.push_back(network.name.clone());
            } else {
                surplus.push(network.name.clone());
            }
        }
        surplus
    }

    /// What does not go now goes when the engine is next compared with what should be.
    async fn remove_all(&self, names: Vec<String>) {
        for name in names {
            let Err(error) = self.remove(&name).await else { continue };
            tracing::warn!(%error, network = name, "a network of an earlier run stays for now");
            let mut held = self.held();
            if let Some(block) = held.ours.remove(&name) {
                held.leaving.insert(name, block);
            }
        }
    }
}

fn block_of(network: &OwnedNetwork) -> Option<(String, Block)> {
    Some((network.name.clone(), Block::parse(network.subnet.as_deref()?)?))
}
