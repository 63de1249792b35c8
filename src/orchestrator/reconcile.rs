//! What should be, compared with what the engine has.
//!
//! [`repairs`] is pure: it looks at both sides and lists what to do. It speaks only of what
//! carries our instance's label, and leaves alone what a driver is busy with.

use std::collections::{HashMap, HashSet};

use super::Parts;
use super::driver::Message;
use crate::domain::{Block, ContainerStatus, Preview, PreviewId};
use crate::engine::{EngineError, Kind, OwnedContainer, OwnedNetwork, OwnedVolume};

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Its preview has ended, or never was.
    RemoveContainer { id: String, name: String },
    /// No preview holds it, and it is no spare.
    RemoveNetwork { id: String, name: String, block: Option<Block> },
    /// Its preview has ended, or its database server is gone.
    RemoveVolume { name: String },
    /// The container of this preview is not as its row says.
    Look(PreviewId),
}

/// What to do, given the live previews, the engine's inventory and the spare networks.
pub fn repairs(
    live: &[Preview],
    containers: &[OwnedContainer],
    networks: &[OwnedNetwork],
    known_networks: &HashSet<String>,
    is_warm: impl Fn(&OwnedContainer) -> bool,
) -> Vec<Repair> {
    let by_id: HashMap<PreviewId, &Preview> = live.iter().map(|preview| (preview.id, preview)).collect();
    let orphans = containers
        .iter()
        // Servers of all previews are looked after by the databases.
        .filter(|container| match container.ownership.preview {
            None if container.ownership.kind == Kind::Warm => {
                let is_lived_in =
                    live.iter().any(|preview| preview.container_id.as_ref() == Some(&container.id));
                !is_lived_in && !is_warm(container)
            }
            None => container.ownership.kind != Kind::Server,
            Some(preview) => !by_id.contains_key(&preview),
        });
    let mut list: Vec<Repair> = orphans
        .map(|container| Repair::RemoveContainer { id: container.id.clone(), name: container.name.clone() })
        .collect();
    let idle = networks.iter().filter(|network| !known_networks.contains(&network.name));
    list.extend(idle.map(|network| Repair::RemoveNetwork {
        id: network.id.clone(),
        name: network.name.clone(),
        block: network.subnet.as_deref().and_then(Block::parse),
    }));
    let states: HashMap<&str, ContainerStatus> =
        containers.iter().map(|container| (container.id.as_str(), container.status)).collect();
    let there: HashSet<&str> = networks.iter().map(|network| network.name.as_str()).collect();
    let changed = live.iter().filter(|preview| {
        let is_cut_off = preview.network.as_deref().is_some_and(|name| !there.contains(name));
        let Some(id) = &preview.container_id else { return false };
        let is_up =
            matches!(states.get(id.as_str()), Some(ContainerStatus::Running | ContainerStatus::Paused));
        preview.status.is_serving() && (!is_up || is_cut_off)
            || preview.status == crate::domain::Status::Paused
                && states.get(id.as_str()) != Some(&ContainerStatus::Paused)
    });
    list.extend(changed.map(|preview| Repair::Look(preview.id)));
    list
}

/// Volumes that outlived what they were for. Those without a preview are of servers, which bear
/// the same names.
pub fn spent_volumes(
    live: &[Preview],
    containers: &[OwnedContainer],
    volumes: &[OwnedVolume],
    in_use: &HashSet<String>,
) -> Vec<Repair> {
    let is_spent = |volume: &&OwnedVolume| match volume.ownership.preview {
        Some(preview) => live.iter().all(|live| live.id != preview),
        // The engine's own affair, as long as there is a container it could be of.
        None if volume.ownership.owner.is_some() => {
            containers.iter().all(|container| container.ownership.kind != Kind::Warm)
        }
        None => {
            !in_use.contains(&volume.name) && containers.iter().all(|container| container.name != volume.name)
        }
    };
    let spent = volumes.iter().filter(is_spent);
    spent.map(|volume| Repair::RemoveVolume { name: volume.name.clone() }).collect()
}

impl Parts {
    /// One round: list, compare, repair. Fails as a whole when the engine does not answer; the
    /// next round tries again. `failing`: what did not work in the round before, which is told once.
    pub(super) async fn reconcile(&self, failing: &mut HashSet<Repair>) -> Result<(), EngineError> {
        let spares = self.networks.spares();
        // Networks first: one that is leased between the two listings is then known.
        let networks = self.engine.owned_networks().await?;
        let is_gone = |name: &String| networks.iter().all(|network| network.name != *name);
        self.networks.forget_spares(&spares.into_iter().filter(is_gone).collect::<Vec<_>>()).await;
        self.networks.refill();
        // Volumes before containers: one is made first, and then the container it is for.
        let volumes = self.engine.owned_volumes().await?;
        let containers = self.engine.owned_containers().await?;
        let known = self.networks.known();
        let in_use = self.databases.volumes_in_use();
        // In this order: a container that a preview moves into meanwhile is one of the two.
        let warm = self.warm.known();
        let live = self.registry.previews();
        let spent = spent_volumes(&live, &containers, &volumes, &in_use);
        let is_warm = |container: &OwnedContainer| warm.contains(&container.name);
        let before = std::mem::take(failing);
        for repair in repairs(&live, &containers, &networks, &known, is_warm).into_iter().chain(spent) {
            let Err(error) = self.repair(&repair).await else { continue };
            if before.contains(&repair) {
                tracing::debug!(%error, ?repair, "a repair still does not work");
            } else {
                tracing::warn!(%error, ?repair, "a repair did not work; it is tried again every round");
            }
            failing.insert(repair);
        }
        Ok(())
    }

    async fn repair(&self, repair: &Repair) -> Result<(), EngineError> {
        match repair {
            Repair::RemoveContainer { id, name } => {
                tracing::info!(container = name, "removing a container whose preview has ended");
                self.engine.remove(id).await
            }
            Repair::RemoveNetwork { id, name, block } => {
                tracing::info!(network = name, "removing a network that no preview holds");
                self.networks.remove_stranger(id, name, *block).await
            }
            Repair::RemoveVolume { name } => {
                tracing::info!(volume = name, "removing a volume that outlived its preview");
                match self.engine.remove_volume(name).await {
                    // Its container is just being removed.
                    Err(EngineError::Conflict { .. }) => Ok(()),
                    done => done,
                }
            }
            Repair::Look(preview) => {
                self.tell_to_look(*preview);
                Ok(())
            }
        }
    }

    /// A full inbox is fine: the driver is awake, and the next round asks again.
    pub(super) fn tell_to_look(&self, preview: PreviewId) {
        if let Some(entry) = self.registry.get(preview) {
            let _ = entry.inbox.try_send(Message::Look);
        }
    }
}
