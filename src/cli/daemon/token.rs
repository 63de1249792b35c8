//! `previewd token`.

use super::{Role, TokenArgs};
use crate::api::auth::{self, Keys, TokenRequest};
use crate::cli::output::Console;
use crate::cli::settings::Globals;
use crate::data_dir;

pub async fn token(globals: Globals, args: TokenArgs) -> anyhow::Result<()> {
    let config = super::load(&globals, &args.settings, None)?;
    data_dir::make(&config.data_dir)?;
    let keys = Keys::open(&config.data_dir)?;
    let role = match args.role {
        Role::User => auth::Role::User,
        Role::Admin => auth::Role::Admin,
    };
    let request = TokenRequest { user: args.user, role, tier: args.tier, ttl: args.ttl };
    let token = keys.mint(&request)?;
    let console = Console::new(globals.json);
    match globals.json {
        true => console.value(&serde_json::json!({ "token": token }))?,
        false => console.line(&token)?,
    }
    Ok(())
}
