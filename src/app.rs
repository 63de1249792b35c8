//! Composes everything: the only file that knows all parts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::auth::Keys;
use crate::api::{self, AppState};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::databases::Seal;
use crate::domain::InstanceId;
use crate::engine::Engine;
use crate::ingress::{Hooks, Ingress};
use crate::orchestrator::{Metrics, Needs, Orchestrator, TokenKey, Visitors};
use crate::store::{Claim, Store};
use crate::streams::LogHub;

/// Everything of one daemon, made but not yet serving.
pub struct App {
    router: Router,
    orchestrator: Orchestrator,
    store: Store,
    ingress: Ingress,
    /// Tells streams that never end by themselves.
    shutdown: CancellationToken,
    claim: Claim,
    /// Held for as long as the daemon lives.
    _lock: DataDir,
}

/// How long a shutdown waits for requests and tasks under way.
const DRAIN: Duration = Duration::from_secs(10);

impl App {
    /// Opens the data directory and the store, and connects the parts. Needs no engine.
    pub async fn compose(config: Config) -> anyhow::Result<Self> {
        let lock = DataDir::open(&config.data_dir)?;
        let keys = Keys::open(&config.data_dir)?;
        let store = Store::open(config.store.clone()).await?;
        let claim = store.claim().await?;
        let fresh = InstanceId::random();
        let named = store.put_setting_if_absent("instance", fresh.as_str()).await?;
        let instance = InstanceId::parse(&named).context("the store's instance id")?;
        let engine = Engine::connect(config.engine(instance.clone()))?;
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let visitors = Visitors::register(&mut registry);
        let ingress = Ingress::new(config.ingress.clone(), hooks(&visitors, &keys));
        let logs = LogHub::new(config.streams.clone());
        let orchestrator = Orchestrator::new(Needs {
            instance,
            config: config.orchestrator.clone(),
            store: store.clone(),
            engine: engine.clone(),
            ingress: ingress.clone(),
            logs: logs.clone(),
            tokens: TokenKey::new(keys.secret()),
            seal: Seal::new(keys.secret()),
            metrics,
        });
        visitors.attach(&orchestrator);
        orchestrator.collect(&mut registry);
        let shutdown = CancellationToken::new();
        let state = AppState {
            config: Arc::new(config.api),
            orchestrator: orchestrator.clone(),
            store: store.clone(),
            ingress: ingress.clone(),
            logs,
            keys,
            metrics: Arc::new(registry),
            shutdown: shutdown.clone(),
        };
        Ok(Self { router: api::router(state), orchestrator, store, ingress, shutdown, claim, _lock: lock })
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
        self.orchestrator.start().await?;
        let begun = self.shutdown.clone();
        let deciding = self.orchestrator.clone();
        let signal = async move {
            shutdown.await;
            begun.cancel();
            deciding.begin_shutdown();
        };
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let serve = axum::serve(listener, service).with_graceful_shutdown(signal);
        let ending = self.shutdown.clone();
        let deadline = async {
            ending.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        let orchestrator = self.orchestrator.clone();
        tokio::select! {
            served = serve => served?,
            () = deadline => tracing::warn!("some requests did not end in time"),
        }
        orchestrator.shutdown(DRAIN).await;
        // After the drivers, so that none of them opens a port again.
        self.ingress.close_all().await;
        self.claim.release().await;
        self.store.close().await;
        Ok(())
    }
}

fn hooks(visitors: &Arc<Visitors>, keys: &Keys) -> Hooks {
    let keys = keys.clone();
    Hooks {
        observer: Some(Arc::clone(visitors) as _),
        own_token: Some(Arc::new(move |token| token.starts_with("pvt_") || keys.verify(token).is_ok())),
        ..Hooks::new(Arc::clone(visitors) as _)
    }
}
