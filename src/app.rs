//! Composes everything: the only file that knows all parts.

use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::admission::Admission;
use crate::api::auth::{ApiKeys, Keys, Tokens};
use crate::api::refusals::Refusals;
use crate::api::room::Room;
use crate::api::serve::tls::Tls;
use crate::api::{self, AppState, Exposition};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::databases::Passwords;
use crate::domain::InstanceId;
use crate::engine::Engine;
use crate::ingress::{Hooks, Ingress};
use crate::orchestrator::{Metrics, Needs, Orchestrator, TokenKey, VisitWriter, Visitors};
use crate::seal::{Ring, Seal};
use crate::store::{AuditLog, AuditWriter, Claim, Store};
use crate::streams::samples::Samples;
use crate::streams::{Archive, Backend, DatabaseArchive, FileArchive, LineWriter, LogHub, RequestLog};
use crate::webhooks::Webhooks;

/// Everything of one daemon, made but not yet serving.
pub struct App {
    router: Router,
    serve: api::serve::Config,
    tls: Option<Tls>,
    admission: Admission,
    audit_days: u32,
    audit: AuditLog,
    audit_writer: AuditWriter,
    refusals: Refusals,
    visit_writer: VisitWriter,
    orchestrator: Orchestrator,
    store: Store,
    ingress: Ingress,
    logs: LogHub,
    request_lines: LineWriter,
    webhooks: Webhooks,
    /// Those that are open: they say goodbye before the daemon goes.
    sockets: TaskTracker,
    /// Tells streams that never end by themselves.
    shutdown: CancellationToken,
    claim: Claim,
    /// Held for as long as the daemon lives.
    _lock: DataDir,
}

/// How long a shutdown waits for requests and tasks under way.
const DRAIN: Duration = Duration::from_secs(10);

/// Between two writings of visits, of which there may be none.
const SHORTEST: Duration = Duration::from_secs(1);

/// Remembers that no row is left from before secrets were encrypted.
const SEALED: &str = "sealed";

/// Remembers that no secret of a webhook is left that was sealed with a key of its own.
const WEBHOOKS_SEALED: &str = "webhooks_sealed";

/// How long sockets may take to close.
const GOODBYE: Duration = Duration::from_secs(3);

impl App {
    /// Opens the data directory and the store, and connects the parts. Needs no engine.
    pub async fn compose(config: Config) -> anyhow::Result<Self> {
        let lock = DataDir::open(&config.data_dir)?;
        let tls = config.api.serve.tls.clone().map(Tls::open).transpose()?;
        let keys = Keys::open(&config.data_dir)?;
        let tokens = Tokens::new(keys.clone(), config.api.jwt.clone());
        let seal = Ring::open(&config.data_dir, keys.secret(), config.seal_keys.clone())?.seal();
        let store = Store::open(config.store.clone()).await?.sealed_by(seal.clone());
        let claim = store.claim().await?;
        let fresh = InstanceId::random();
        let named = store.put_setting_if_absent("instance", fresh.as_str()).await?;
        let instance = InstanceId::parse(&named).context("the store's instance id")?;
        let engine = Engine::connect(config.engine(instance.clone()))?;
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (audit, audit_writer) = AuditLog::new(store.clone());
        let (requests, request_lines) = RequestLog::new();
        let visitors = Arc::new(Visitors::new(requests));
        let mut hooks = hooks(&visitors, &tokens);
        let visits = config.api.audit_visits;
        hooks.guestbook = (!visits.is_zero()).then(|| Arc::clone(&visitors) as _);
        let visit_writer = VisitWriter::new(Arc::clone(&visitors), visits.max(SHORTEST), audit.clone());
        let ingress = Ingress::new(config.ingress.clone(), hooks);
        let logs = log_hub(&config, &store)?;
        let samples = Samples::new(config.samples.clone());
        let orchestrator = Orchestrator::new(Needs {
            instance,
            config: config.orchestrator.clone(),
            store: store.clone(),
            engine: engine.clone(),
            ingress: ingress.clone(),
            logs: logs.clone(),
            samples,
            tokens: TokenKey::new(keys.secret()),
            seal: seal.clone(),
            passwords: Passwords::new(keys.secret()),
            audit: audit.clone(),
            metrics,
        });
        visitors.attach(&orchestrator);
        orchestrator.collect(&mut registry);
        let webhooks = Webhooks::new(store.clone(), config.webhooks.clone(), seal.clone());
        let shutdown = CancellationToken::new();
        let sockets = TaskTracker::new();
        store.forget_unfinished_answers().await?;
        if store.setting(SEALED).await?.is_none() {
            // What was written before there was encryption.
            store.reseal().await?;
            store.put_setting_if_absent(SEALED, "1").await?;
        }
        if store.setting(WEBHOOKS_SEALED).await?.is_none() {
            store.adopt_webhook_secrets(&Seal::new(keys.secret(), &[])).await?;
            store.put_setting_if_absent(WEBHOOKS_SEALED, "1").await?;
        }
        let (serve, admission) = (config.api.serve.clone(), Admission::new(config.api.admission));
        let (audit_days, room) = (config.api.audit_days, Room::new(&config.api));
        let refusals = Refusals::default();
        let state = AppState {
            config: Arc::new(config.api),
            orchestrator: orchestrator.clone(),
            store: store.clone(),
            ingress: ingress.clone(),
            logs: logs.clone(),
            tokens,
            api_keys: ApiKeys::new(store.clone()),
            seal,
            metrics: Exposition::new(registry),
            webhooks: webhooks.clone(),
            admission: admission.clone(),
            allowance: Arc::default(),
            audit: audit.clone(),
            refusals: refusals.clone(),
            room,
            sockets: sockets.clone(),
            shutdown: shutdown.clone(),
        };
        let router = api::router(state);
        Ok(Self {
            router,
            serve,
            tls,
            admission,
            audit_days,
            audit,
            audit_writer,
            refusals,
            visit_writer,
            orchestrator,
            store,
            ingress,
            logs,
            request_lines,
            webhooks,
            sockets,
            shutdown,
            claim,
            _lock: lock,
        })
    }

    pub const fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }

    /// Serves until `shutdown` resolves, then drains: requests under way end, previews stay.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let over = CancellationToken::new();
        let keeper = tokio::spawn(self.logs.clone().keep(over.clone()));
        let writer = tokio::spawn(self.request_lines.write(self.logs, self.shutdown.clone()));
        let teller = tokio::spawn(self.webhooks.run(self.shutdown.clone()));
        self.orchestrator.start().await?;
        let begun = self.shutdown.clone();
        let deciding = self.orchestrator.clone();
        // Another daemon decides about these previews from then on.
        let lost = CancellationToken::new();
        let watch = tokio::spawn(look_after(self.claim, self.store.clone(), lost.clone(), over.clone()));
        let displaced = lost.clone();
        let signal = async move {
            tokio::select! {
                () = shutdown => {}
                () = displaced.cancelled() => {}
            }
            begun.cancel();
            deciding.begin_shutdown();
        };
        let housekeeping =
            api::housekeeping::keep(self.store.clone(), self.admission, self.audit_days, over.clone());
        let housekeeping = tokio::spawn(housekeeping);
        let audit = tokio::spawn(self.audit_writer.write(over.clone()));
        let gone = CancellationToken::new();
        let visits = tokio::spawn(self.visit_writer.write(gone.clone()));
        let refusals = tokio::spawn(self.refusals.write(self.audit, gone.clone()));
        let serve = api::serve::serve(listener, self.router, self.serve, self.tls, self.shutdown.clone());
        let begin = tokio::spawn(signal);
        let ending = self.shutdown.clone();
        let deadline = async {
            ending.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        let orchestrator = self.orchestrator.clone();
        tokio::select! {
            () = serve => {}
            () = deadline => tracing::warn!("some requests did not end in time"),
        }
        begin.abort();
        self.sockets.close();
        let _ = tokio::time::timeout(GOODBYE, self.sockets.wait()).await;
        orchestrator.shutdown(DRAIN).await;
        // After the drivers, so that none of them opens a port again.
        self.ingress.close_all().await;
        gone.cancel();
        let _ = tokio::time::timeout(DRAIN, async { tokio::join!(visits, refusals) }).await;
        // After everybody who has something to say.
        over.cancel();
        let _ =
            tokio::time::timeout(DRAIN, async { tokio::join!(writer, keeper, teller, housekeeping, audit) })
                .await;
        if let Ok(claim) = watch.await {
            claim.release().await;
        }
        self.store.close().await;
        anyhow::ensure!(!lost.is_cancelled(), "another previewd has taken the store over");
        Ok(())
    }
}

/// Until `over`, or until another daemon has the store, of which `lost` tells.
async fn look_after(
    mut claim: Claim,
    store: Store,
    lost: CancellationToken,
    over: CancellationToken,
) -> Claim {
    if over.run_until_cancelled(claim.lost(&store)).await.is_some() {
        tracing::error!("another previewd has taken the store over: this one ends, its previews stay");
        lost.cancel();
    }
    claim
}

/// The logs, with where they outlive memory.
fn log_hub(config: &Config, store: &Store) -> anyhow::Result<LogHub> {
    let folder = config.data_dir.join("logs");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("the folder of logs {}", folder.display()))?;
    let archive: Arc<dyn Archive> = match config.streams.backend {
        Backend::Database => Arc::new(DatabaseArchive::new(store.clone())),
        Backend::File => Arc::new(FileArchive::new(folder.clone())),
    };
    Ok(LogHub::keeping(config.streams.clone(), archive, folder))
}

fn hooks(visitors: &Arc<Visitors>, tokens: &Tokens) -> Hooks {
    let (tokens, waker) = (tokens.clone(), Arc::clone(visitors));
    Hooks {
        wake: Some(Arc::new(move |preview| waker.wake(preview))),
        observer: Some(Arc::clone(visitors) as _),
        doorkeeper: Some(Arc::clone(visitors) as _),
        own_token: Some(Arc::new(move |token| tokens.is_ours(token))),
        ..Hooks::new(Arc::clone(visitors) as _)
    }
}
