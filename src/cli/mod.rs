//! The command line: what can be typed, and which file does it.
//!
//! Client commands speak to a daemon over its HTTP API and know nothing else of it; the commands
//! of the daemon itself and of its administration are in [`daemon`]. Results go to stdout,
//! progress and complaints to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod audit;
mod build;
mod build_view;
mod client;
mod compare;
mod context;
pub mod daemon;
mod database;
mod dockerignore;
mod endpoints;
mod events;
mod examples;
mod keys;
mod launch;
mod lifecycle;
mod logs;
mod logs_follow;
mod output;
mod preview;
mod problem;
mod progress;
mod ps;
mod request;
pub mod settings;
mod share;
mod sse;
mod stats;
mod status;
mod sync;
#[cfg(test)]
mod testing;
mod timespan;
pub mod upload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::Context;
pub use settings::Globals;

/// Turns generated code into running, watched, disposable previews on Docker.
#[derive(Debug, Parser)]
#[command(name = "previewd", version, after_help = examples::TOP)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    #[command(after_help = examples::SERVE)]
    Serve(daemon::ServeArgs),
    /// Launch the code in a directory, wait until it is healthy and print its URL
    #[command(after_help = examples::LAUNCH)]
    Launch(launch::LaunchArgs),
    /// List previews, newest first
    #[command(after_help = examples::PS)]
    Ps(ps::PsArgs),
    /// Show one preview: health, resources, traffic, time left
    #[command(after_help = examples::STATUS)]
    Status(preview::Target),
    /// Stop previews and free what they hold; also while they are being built
    #[command(after_help = examples::STOP)]
    Stop(preview::Targets),
    /// Restart previews with the image they have
    #[command(after_help = examples::RESTART)]
    Restart(preview::Targets),
    /// Freeze previews until `resume`; they keep their memory and use no CPU
    #[command(after_help = examples::PAUSE)]
    Pause(preview::Targets),
    /// Wake paused previews
    #[command(after_help = examples::RESUME)]
    Resume(preview::Targets),
    /// Give a preview more time before it expires
    #[command(after_help = examples::EXTEND)]
    Extend(lifecycle::ExtendArgs),
    /// List the HTTP endpoints found in the code
    #[command(after_help = examples::ENDPOINTS)]
    Endpoints(preview::Target),
    /// Show what became of one generation in another: endpoints, models, packages, environment
    #[command(after_help = examples::COMPARE)]
    Compare(compare::CompareArgs),
    /// Show what is in a preview's database, ask it, or reset it
    #[command(after_help = examples::DATABASE)]
    Database(database::DatabaseArgs),
    /// Send one HTTP request to a preview
    #[command(after_help = examples::REQUEST)]
    Request(request::RequestArgs),
    /// Print what a preview has printed, and with -f what it prints
    #[command(after_help = examples::LOGS)]
    Logs(logs::LogsArgs),
    /// Show what previews use and serve, live
    #[command(after_help = examples::STATS)]
    Stats(stats::StatsArgs),
    /// Keep a preview at what a directory has: each change is brought in as it is saved
    #[command(after_help = examples::SYNC)]
    Sync(sync::SyncArgs),
    /// Show the audit trail of a preview
    #[command(after_help = examples::EVENTS)]
    Events(events::EventsArgs),
    /// Make a link that opens a preview for somebody without an account; list and revoke them
    #[command(after_help = examples::SHARE)]
    Share(share::ShareArgs),
    /// Show who did what, and who visited which preview; for admins
    #[command(after_help = examples::AUDIT)]
    Audit(audit::AuditArgs),
    /// Make, list and revoke API keys, for platforms that call the API
    #[command(after_help = examples::KEYS)]
    Keys(keys::KeysArgs),
    /// Print the Dockerfile previewd would build; needs no daemon and no engine
    #[command(after_help = examples::DOCKERFILE)]
    Dockerfile(daemon::DockerfileArgs),
    /// Mint a bearer token with the daemon's key
    #[command(after_help = examples::TOKEN)]
    Token(daemon::TokenArgs),
    /// Check engine, disk, networks, base images and database, and say what to do
    #[command(after_help = examples::DOCTOR)]
    Doctor(daemon::ConfigArgs),
    /// Remove what previewd owns and no longer needs, and nothing else
    #[command(after_help = examples::GC)]
    Gc(daemon::GcArgs),
    /// Encrypt what is kept secret with a new key; the daemon must be stopped
    #[command(after_help = examples::RESEAL)]
    Reseal(daemon::ConfigArgs),
    /// Bring the database to the current schema
    #[command(after_help = examples::MIGRATE)]
    Migrate(daemon::ConfigArgs),
    /// Print the effective settings and where each comes from
    #[command(after_help = examples::CONFIG)]
    Config(daemon::ConfigArgs),
    /// Print the OpenAPI document of the API
    #[command(after_help = examples::OPENAPI)]
    Openapi,
}

/// Parses the command line, does what it says and gives the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.globals.json;
    if matches!(cli.command, Command::Serve(_)) {
        daemon::as_many_as_cores();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&anyhow::Error::new(error).context("cannot start the runtime"), json),
    };
    let result = runtime.block_on(run(cli));
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error, json),
    }
}

/// Runs one parsed command.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { globals, command } = cli;
    let command = match command {
        Command::Serve(args) => return daemon::serve(globals, args).await,
        Command::Dockerfile(args) => return daemon::dockerfile(globals, args).await,
        Command::Token(args) => return daemon::token(globals, args).await,
        Command::Doctor(args) => return daemon::doctor(globals, args).await,
        Command::Gc(args) => return daemon::gc(globals, args).await,
        Command::Reseal(args) => return daemon::reseal(globals, args).await,
        Command::Migrate(args) => return daemon::migrate(globals, args).await,
        Command::Config(args) => return daemon::config(globals, args).await,
        Command::Openapi => return daemon::openapi(globals).await,
        client_command => client_command,
    };
    run_client(&Context::new(&globals)?, command).await
}

async fn run_client(context: &Context, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Launch(args) => launch::run(context, args).await,
        Command::Ps(args) => ps::run(context, args).await,
        Command::Status(target) => status::run(context, target).await,
        Command::Stop(targets) => lifecycle::stop(context, targets).await,
        Command::Restart(targets) => lifecycle::restart(context, targets).await,
        Command::Pause(targets) => lifecycle::pause(context, targets).await,
        Command::Resume(targets) => lifecycle::resume(context, targets).await,
        Command::Extend(args) => lifecycle::extend(context, args).await,
        Command::Endpoints(target) => endpoints::run(context, target).await,
        Command::Compare(args) => compare::run(context, args).await,
        Command::Database(args) => database::run(context, args).await,
        Command::Request(args) => request::run(context, args).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Stats(args) => stats::run(context, args).await,
        Command::Sync(args) => sync::run(context, args).await,
        Command::Events(args) => events::run(context, args).await,
        Command::Share(args) => share::run(context, args).await,
        Command::Audit(args) => audit::run(context, args).await,
        Command::Keys(args) => keys::run(context, args).await,
        Command::Serve(_)
        | Command::Dockerfile(_)
        | Command::Token(_)
        | Command::Doctor(_)
        | Command::Gc(_)
        | Command::Reseal(_)
        | Command::Migrate(_)
        | Command::Config(_)
        | Command::Openapi => anyhow::bail!("this command is not one of a client"),
    }
}

/// Wrong usage that only shows once the command has looked at the world.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Prints why a command failed and gives its exit code.
fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    if output::is_broken_pipe(error) {
        // `previewd ps | head` is no failure.
        return ExitCode::SUCCESS;
    }
    let code = exit_code(error);
    match json {
        true => eprintln!("{}", problem::as_json(error)),
        false => eprintln!("previewd: {}", output::clean_block(&problem::as_text(error))),
    }
    ExitCode::from(code)
}

fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Usage>() {
        Some(_) => 2,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_that_parses() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name().to_owned();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = help.lines().filter_map(|l| l.trim().strip_prefix("previewd ")).collect();
            assert!(!lines.is_empty(), "{name} has no example");
            for line in lines {
                let words = testing::shell_words(line);
                assert_eq!(words[0], name, "{line}");
                let typed = std::iter::once("previewd".to_owned()).chain(words);
                assert!(Cli::try_parse_from(typed).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn wrong_usage_is_told_from_failure() {
        assert_eq!(exit_code(&Usage("x".into()).into()), 2);
        assert_eq!(exit_code(&anyhow::anyhow!("x")), 1);
        let refused = |line: &[&str]| Cli::try_parse_from(line).expect_err("accepted").exit_code();
        assert_eq!(refused(&["previewd", "status", "../x"]), 2);
        assert_eq!(refused(&["previewd", "extend", "gen-1", "soon"]), 2);
        assert_eq!(refused(&["previewd", "launch", ".", "--tier", "huge"]), 2);
    }
}
