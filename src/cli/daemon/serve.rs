//! `previewd serve`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::ServeArgs;
use crate::api::auth::{Keys, Role, TokenRequest, write_private};
use crate::app::App;
use crate::cli::settings::{Globals, TOKEN_FILE};
use crate::domain::{UserId, UserTier};
use crate::faults;

/// The owner's token is made anew at every start, so it need not live long after the last one.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

pub async fn serve(globals: Globals, args: ServeArgs) -> anyhow::Result<()> {
    start_logging();
    faults::arm();
    allow_many_files();
    let config = super::load(&globals, &args.settings, args.listen)?;
    let data_dir = config.data_dir.clone();
    let listen = config.listen;
    let scheme = if config.api.serve.tls.is_some() { "https" } else { "http" };
    let app = App::compose(config).await?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    leave_token(&data_dir)?;
    let readiness = app.orchestrator().readiness().await;
    for trouble in [&readiness.engine, &readiness.store, &readiness.base_images].into_iter().flatten() {
        tracing::warn!(trouble, "not ready for launches yet; `previewd doctor` says what to do");
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "previewd is serving on {scheme}://{address}")?;
    stdout.flush()?;
    drop(stdout);
    app.run(listener, asked_to_end()).await
}

/// Every preview costs a dozen open files besides its visitors' sockets; what a shell grants at first
/// is made for programs without any. The hard limit stays the operator's.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files stays where it is");
    }
}

/// JSON lines on stderr; `RUST_LOG` chooses, the default is `info`.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr);
    // A process that has a subscriber already keeps it.
    let _ = logs.try_init();
}

/// For the client commands of the same user on this machine.
fn leave_token(data_dir: &Path) -> anyhow::Result<()> {
    let keys = Keys::open(data_dir)?;
    let request = TokenRequest {
        user: UserId::parse("local")?,
        role: Role::Admin,
        tier: UserTier::Enterprise,
        ttl: TOKEN_LIFE,
    };
    let token = keys.mint(&request)?;
    let (path, fresh) = (data_dir.join(TOKEN_FILE), data_dir.join("token.new"));
    // Written beside and moved over, so that no reader meets half a token.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    write_private(&fresh, &token)
        .and_then(|()| std::fs::rename(&fresh, &path))
        .context("cannot write the token")
}

async fn asked_to_end() {
    let wait = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = wait.await {
        tracing::error!(%error, "signals cannot be heard; ending takes a kill");
        std::future::pending::<()>().await;
    }
}
