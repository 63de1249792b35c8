//! `previewd reseal`: what is kept encrypted, encrypted anew with a new key.

use super::ConfigArgs;
use crate::api::auth::Keys;
use crate::cli::output::Console;
use crate::cli::settings::Globals;
use crate::data_dir::DataDir;
use crate::seal::{Ring, Seal};
use crate::store::Store;

/// Needs the daemon to be stopped: it works with the keys it started with.
pub async fn reseal(globals: Globals, args: ConfigArgs) -> anyhow::Result<()> {
    let config = super::load(&globals, &args, None)?;
    let _lock = DataDir::open(&config.data_dir)?;
    let keys = Keys::open(&config.data_dir)?;
    let mut ring = Ring::open(&config.data_dir, keys.secret(), config.seal_keys.clone())?;
    // Written down first: whatever happens from here on, every key that something is sealed with
    // is in the file. Keys that are named by a setting are changed there.
    if !ring.is_named() {
        ring.add()?;
    }
    let store = Store::open(config.store).await?.sealed_by(ring.seal());
    // Where no daemon has run since they came to be sealed with the others' keys.
    store.adopt_webhook_secrets(&Seal::new(keys.secret(), &[])).await?;
    let rows = store.reseal().await?;
    store.close().await;
    if !ring.is_named() {
        ring.drop_former()?;
    }
    let console = Console::new(globals.json);
    match globals.json {
        true => console.value(&serde_json::json!({ "resealed": rows }))?,
        false => console.line(&format!("{rows} rows are encrypted with the newest key"))?,
    }
    Ok(())
}
