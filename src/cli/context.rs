//! What every client command works with.

use super::client::Client;
use super::output::Console;
use super::settings::Globals;

pub struct Context {
    pub client: Client,
    pub console: Console,
}

impl Context {
    pub fn new(globals: &Globals) -> anyhow::Result<Self> {
        let token = globals.token(std::env::var("PREVIEW_TOKEN").ok());
        Ok(Self { client: Client::new(globals.url(), token)?, console: Console::new(globals.json) })
    }
}
