//! `previewd gc`: what this installation made on the engine and no longer needs.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::GcArgs;
use crate::api::auth::Keys;
use crate::cli::output::{Cell, Console, bytes};
use crate::cli::settings::Globals;
use crate::config::Config;
use crate::data_dir::{DataDir, DataDirError};
use crate::databases::server_in_use;
use crate::domain::InstanceId;
use crate::engine::{Engine, Kind};
use crate::seal::Ring;
use crate::store::Store;

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
    let config = super::load(&globals, &args.settings, None)?;
    let console = Console::new(globals.json);
    // A daemon that runs keeps its containers and networks itself; images are left to us.
    let alone = match DataDir::open(&config.data_dir) {
        Ok(lock) => Some(lock),
        Err(DataDirError::Held { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if alone.is_none() {
        console.note(
            "the daemon is running and keeps containers, networks, volumes and databases in order itself: looking at images only",
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
    let waste = find(&config, &store, &engine, alone.is_some()).await?;
    if !args.dry_run {
        for item in &waste {
            remove(&engine, item).await?;
        }
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
    let before = Utc::now() - config.image_ttl;
    let is_old = |made: Option<DateTime<Utc>>| made.is_none_or(|made| made < before);
    for image in engine.owned_images().await? {
        let unused = image.names.iter().all(|name| !used.contains(name));
        if unused && is_old(image.created_at) {
            let name = image.names.first().unwrap_or(&image.id).clone();
            let why = "not used by a preview and older than PREVIEW_DOCKER_IMAGE_CACHE_TTL";
            waste.push(Waste { kind: "image", name, why, bytes: Some(image.size_bytes) });
        }
    }
    Ok(waste)
}

async fn remove(engine: &Engine, item: &Waste) -> anyhow::Result<()> {
    match item.kind {
        "container" => engine.remove(&item.name).await?,
        "network" => engine.remove_network(&item.name).await?,
        "volume" => engine.remove_volume(&item.name).await?,
        _ => engine.remove_image(&item.name).await?,
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
