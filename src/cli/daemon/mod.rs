//! The commands of the daemon and its administration: they work on the data directory, the
//! engine and the database themselves, not over the API.

mod admin;
mod arenas;
mod dockerfile;
mod doctor;
mod gc;
mod reseal;
mod serve;
mod token;

pub use admin::{config, migrate, openapi};
pub use arenas::as_many_as_cores;
pub use dockerfile::dockerfile;
pub use doctor::doctor;
pub use gc::gc;
pub use reseal::reseal;
pub use serve::serve;
pub use token::token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::settings::Globals;
use super::timespan;
use crate::config::{Config, Overrides};
use crate::domain::{UserId, UserTier};

/// Where the settings come from; the environment wins over the file.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The address to listen on [default: 127.0.0.1:8000]
    #[arg(long, env = "PREVIEW_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub settings: ConfigArgs,
}

#[derive(Debug, Clone, Args)]
pub struct DockerfileArgs {
    /// The directory with the code
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Every decision with its reason
    #[arg(long)]
    pub explain: bool,
    /// A JSON file with the generation's metadata [default: DIR/preview.json if there is one]
    #[arg(long, value_name = "FILE")]
    pub metadata: Option<PathBuf>,
    #[command(flatten)]
    pub settings: ConfigArgs,
}

#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// Whom it stands for: previews belong to their user
    #[arg(long, value_name = "U")]
    pub user: UserId,
    /// An admin sees and controls the previews of all users
    #[arg(long, value_enum, default_value_t = Role::User)]
    pub role: Role,
    /// What the user may use: free, pro or enterprise
    #[arg(long, value_name = "T", default_value = "free")]
    pub tier: UserTier,
    /// How long it is valid: 3600, 12h, 30d
    #[arg(long, value_name = "D", default_value = "30d", value_parser = timespan::parse)]
    pub ttl: Duration,
    #[command(flatten)]
    pub settings: ConfigArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    User,
    Admin,
}

#[derive(Debug, Clone, Args)]
pub struct GcArgs {
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub settings: ConfigArgs,
}

/// All settings, or every mistake in them at once.
fn load(globals: &Globals, settings: &ConfigArgs, listen: Option<SocketAddr>) -> anyhow::Result<Config> {
    let overrides = Overrides { listen, data_dir: globals.data_dir.clone(), file: settings.config.clone() };
    Config::from_env(&overrides).map_err(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the settings are not right:\n  {}", list.join("\n  "))
    })
}
