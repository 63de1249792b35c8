//! `previewd gc`: what this installation made on the engine and no longer needs.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::Utc;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::GcArgs;
use crate::api::auth::Keys;
use crate::cli::output::{Cell, Console, bytes};
use crate::cli::settings::Globals;
use crate::config::Config;
use crate::data_dir::{DataDir, DataDirError};
use crate::databases::{Databases, Ground, GroundError, Needs, Orphan, Passwords, server_in_use};
use crate::domain::InstanceId;
use crate::engine::{Engine, EngineError, Kind};
use crate::faults;
use crate::generation::is_environment;
use crate::orchestrator::{Room, Stale, StaleStep, idle_images, room, stale_steps};
use crate::seal::{Ring, Seal};
use crate::store::Store;

/// A record of it is removed together with the others.
const BUILD_CACHE: &str = "build cache";

/// One thing that can go.
#[derive(Debug, Serialize)]
struct Waste {
    kind: &'static str,
    name: String,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

pub async fn gc(globals: Globals, args: GcArgs) -> anyhow::Result<()> {
    faults::arm();
    let config = super::load(&globals, &args.settings, None)?;
    let console = Console::new(globals.json);
    // A daemon that runs keeps its containers and networks itself; images and the build cache are left to us.
    let alone = match DataDir::open(&config.data_dir) {
        Ok(lock) => Some(lock),
        Err(DataDirError::Held { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if alone.is_none() {
        console.note(
            "the daemon is running and keeps containers, networks, volumes and databases in order itself: looking at images and the build cache only",
        );
    }
    let keys = Keys::open(&config.data_dir)?;
    let ring = Ring::open(&config.data_dir, keys.secret(), config.seal_keys.clone())?;
    let store = Store::open(config.store.clone()).await?.sealed_by(ring.seal());
    let Some(instance) = store.setting("instance").await? else {
        console.note("nothing was ever made here");
        return show(&console, globals.json, args.dry_run, &[]);
    };
    let engine = Engine::connect(config.engine(InstanceId::parse(&instance)?))?;
    let mut waste = find(&config, &store, &engine, alone.is_some()).await?;
    if alone.is_some() {
        let secrets = (ring.seal(), Passwords::new(keys.secret()));
        waste.extend(orphans(&config, store, &engine, secrets, args.dry_run).await?);
    }
    if !args.dry_run {
        for item in &waste {
            remove(&engine, item).await?;
        }
        let steps = waste.iter().filter(|item| item.kind == BUILD_CACHE).map(|item| item.name.clone());
        engine.forget_steps(&steps.collect::<Vec<_>>()).await?;
    }
    show(&console, globals.json, args.dry_run, &waste)
}

async fn find(config: &Config, store: &Store, engine: &Engine, alone: bool) -> anyhow::Result<Vec<Waste>> {
    let live = store.live_previews().await?;
    let mut waste = Vec::new();
    if alone {
        let ids: HashSet<_> = live.iter().map(|preview| preview.id).collect();
        let mut networks: HashSet<_> = live.iter().filter_map(|preview| preview.network.clone()).collect();
        let databases = store.live_databases().await?;
        let mut used_volumes: HashSet<String> =
            databases.iter().map(|database| database.record.name.clone()).collect();
        for container in engine.owned_containers().await? {
            let is_server = container.ownership.kind == Kind::Server;
            let used = match container.ownership.preview {
                Some(preview) => ids.contains(&preview),
                None => is_server && server_in_use(&container.name, engine.instance(), &databases),
            };
            if used && is_server {
                let state = engine.inspect(&container.id).await?;
                networks.extend(state.and_then(|state| state.home_network));
                used_volumes.insert(container.name);
            } else if !used {
                let why = if is_server { "no preview's database is on it" } else { "its preview has ended" };
                waste.push(Waste { kind: "container", name: container.name, why, bytes: None });
            }
        }
        for volume in engine.owned_volumes().await? {
            let of_live = volume.ownership.preview.is_some_and(|id| ids.contains(&id));
            if !of_live && !used_volumes.contains(&volume.name) {
                let why = "what it was for has ended";
                waste.push(Waste { kind: "volume", name: volume.name, why, bytes: None });
            }
        }
        for network in engine.owned_networks().await? {
            if !networks.contains(&network.name) {
                waste.push(Waste {
                    kind: "network",
                    name: network.name,
                    why: "no preview uses it",
                    bytes: None,
                });
            }
        }
    }
    let used: HashSet<_> = live.into_iter().filter_map(|preview| preview.image).collect();
    let is_short = is_short(config, engine).await?;
    waste.extend(images(config, store, engine, &used, is_short).await?);
    waste.extend(build_cache(config, engine, is_short).await?);
    Ok(waste)
}

/// The least recently used first, so that what is there to be removed for room comes before what is
/// needed soon.
async fn images(
    config: &Config,
    store: &Store,
    engine: &Engine,
    used: &HashSet<String>,
    is_short: bool,
) -> anyhow::Result<Vec<Waste>> {
    let upkeep = &config.orchestrator.upkeep;
    let idle = idle_images(engine, store, used).await?.into_iter();
    let waste = idle.filter_map(|image| {
        let why = match image.is_old(Utc::now(), upkeep.image_ttl) {
            true => "not used by a preview for PREVIEW_DOCKER_IMAGE_CACHE_TTL",
            false if is_short => "not used by a preview, and the disk is filling up (PREVIEW_DISK_FLOOR_MB)",
            false => return None,
        };
        let kind = if is_environment(&image.name) { "environment" } else { "image" };
        Some(Waste { kind, name: image.name, why, bytes: Some(image.bytes) })
    });
    Ok(waste.collect())
}

/// In the same order.
async fn build_cache(config: &Config, engine: &Engine, is_short: bool) -> anyhow::Result<Vec<Waste>> {
    let stale = stale_steps(engine, &config.orchestrator.upkeep, is_short).await?;
    let waste = |StaleStep { step, why }| Waste {
        kind: BUILD_CACHE,
        name: step.id,
        why: match why {
            Stale::Old => "not used by a build for PREVIEW_BUILD_CACHE_TTL",
            Stale::TooMuch => "the build cache takes more than PREVIEW_BUILD_CACHE_MAX_MB",
            Stale::DiskShort => "the disk is filling up (PREVIEW_DISK_FLOOR_MB)",
        },
        bytes: Some(step.bytes),
    };
    Ok(stale.into_iter().map(waste).collect())
}

async fn is_short(config: &Config, engine: &Engine) -> anyhow::Result<bool> {
    let places = [config.data_dir.clone(), engine.info().await?.data_root.into()];
    Ok(room(&places, config.orchestrator.upkeep.disk_floor) != Room::Enough)
}

/// Databases on servers that stay, dropped here unless that is not meant.
async fn orphans(
    config: &Config,
    store: Store,
    engine: &Engine,
    (seal, passwords): (Seal, Passwords),
    dry_run: bool,
) -> anyhow::Result<Vec<Waste>> {
    let databases = Databases::new(Needs {
        engine: engine.clone(),
        store,
        instance: engine.instance().clone(),
        config: config.orchestrator.databases.clone(),
        seal,
        passwords,
        ground: Arc::new(Nowhere { publishes: !engine.addresses_reachable().await? }),
    });
    databases.load().await?;
    databases.homes().await?;
    let mut found = databases.orphans().await;
    if !dry_run {
        let mut dropped = Vec::new();
        for orphan in found {
            match databases.drop_orphan(&orphan).await {
                Ok(()) => dropped.push(orphan),
                Err(error) => tracing::warn!(%error, database = orphan.name, "a database is left"),
            }
        }
        found = dropped;
    }
    let why = "its preview has ended";
    let waste =
        |orphan: Orphan| Waste { kind: "database", name: orphan.name, why, bytes: Some(orphan.bytes) };
    Ok(found.into_iter().map(waste).collect())
}

/// No server is made here, so none needs a place.
struct Nowhere {
    publishes: bool,
}

impl Ground for Nowhere {
    fn lease(&self) -> BoxFuture<'_, Result<String, GroundError>> {
        async { Err(GroundError("the daemon makes servers, and it does not run".to_owned())) }.boxed()
    }

    fn give_back<'a>(&'a self, _network: &'a str) -> BoxFuture<'a, Result<(), GroundError>> {
        async { Ok(()) }.boxed()
    }

    fn forget<'a>(&'a self, _network: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn publishes(&self) -> bool {
        self.publishes
    }
}

async fn remove(engine: &Engine, item: &Waste) -> anyhow::Result<()> {
    match item.kind {
        // Dropped where it was found; all at once.
        "database" | BUILD_CACHE => {}
        "container" => engine.remove(&item.name).await?,
        "network" => engine.remove_network(&item.name).await?,
        "volume" => engine.remove_volume(&item.name).await?,
        // One that another image is built on, or that somebody runs, stays.
        _ => match engine.remove_image(&item.name).await {
            Err(EngineError::Conflict { .. } | EngineError::NotOurs { .. }) => {}
            removed => removed?,
        },
    }
    Ok(())
}

fn show(console: &Console, json: bool, dry_run: bool, waste: &[Waste]) -> anyhow::Result<()> {
    if json {
        console.value(&serde_json::json!({ "dryRun": dry_run, "removed": waste }))?;
        return Ok(());
    }
    let row = |item: &Waste| {
        let size = item.bytes.map(bytes).unwrap_or_default();
        vec![Cell::new(item.kind), Cell::new(&item.name), Cell::new(size), Cell::new(item.why)]
    };
    let rows: Vec<_> = waste.iter().map(row).collect();
    match (rows.is_empty(), dry_run) {
        (true, _) => console.note("nothing to remove"),
        (false, true) => console.note("would remove:"),
        (false, false) => console.note("removed:"),
    }
    if !rows.is_empty() {
        console.table(&["KIND", "NAME", "SIZE", "WHY"], &rows)?;
    }
    Ok(())
}
