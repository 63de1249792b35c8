//! `previewd config`, `migrate` and `openapi`.

use super::ConfigArgs;
use crate::api;
use crate::cli::output::{Cell, Console};
use crate::cli::settings::Globals;
use crate::config::Origin;
use crate::data_dir;
use crate::store::Store;

/// Every setting as it is in force, and where it comes from.
pub async fn config(globals: Globals, args: ConfigArgs) -> anyhow::Result<()> {
    let config = super::load(&globals, &args, None)?;
    let console = Console::new(globals.json);
    if globals.json {
        console.value(&config.effective)?;
        return Ok(());
    }
    let origin = |origin: Origin| match origin {
        Origin::Environment => "environment",
        Origin::File => "file",
        Origin::Default => "default",
    };
    let row = |setting: &crate::config::Effective| {
        vec![Cell::new(setting.name), Cell::new(&setting.value), Cell::new(origin(setting.origin))]
    };
    let rows: Vec<_> = config.effective.iter().map(row).collect();
    console.table(&["SETTING", "VALUE", "FROM"], &rows)?;
    Ok(())
}

/// Opening the store brings it to the newest schema.
pub async fn migrate(globals: Globals, args: ConfigArgs) -> anyhow::Result<()> {
    let config = super::load(&globals, &args, None)?;
    data_dir::make(&config.data_dir)?;
    let store = Store::open(config.store).await?;
    let console = Console::new(globals.json);
    let (backend, version) = (store.backend(), store.schema_version());
    match globals.json {
        true => console.value(&serde_json::json!({ "backend": backend, "schema": version }))?,
        false => console.line(&format!("{backend} is at schema {version}"))?,
    }
    store.close().await;
    Ok(())
}

pub async fn openapi(_: Globals) -> anyhow::Result<()> {
    Console::new(true).line(&api::openapi().to_pretty_json()?)?;
    Ok(())
}
