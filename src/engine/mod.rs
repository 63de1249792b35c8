//! The container engine: the only place that speaks to one, and the only one that imports
//! bollard. Nothing outside sees a type of the engine's API.
//!
//! [`Engine`] is a cheap handle without state of its own: what exists is what the engine says.
//! Every call has a deadline; every thing made carries our labels ([`Ownership`]); whatever
//! does not carry them is never changed. A handle can be made without an engine: calls answer
//! [`EngineError::Unreachable`] until one is there.

mod archive;
mod attach;
mod build;
mod cgroup;
mod container_spec;
mod container_state;
mod containers;
mod disk;
mod error;
mod events;
mod firewall;
mod images;
mod info;
mod logs;
mod networks;
mod ownership;
mod process;
mod remove_files;
mod sockets;
mod stats;
mod transport;
mod unpack;
mod upload;
mod volumes;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::InstanceId;
use crate::faults::{self, Side};

pub use archive::Archive;
pub use attach::Output;
pub use build::{BuildError, BuildRequest, Builder, CachedStep};
pub use cgroup::{CgroupLimits, Freezer, Meter};
pub use container_spec::{ContainerSpec, VolumeMount};
pub use container_state::{ContainerState, OwnedContainer};
pub use disk::Storage;
pub use error::EngineError;
pub use events::{EngineEvent, EventKind};
pub use firewall::{
    Firewall, FirewallError, Held as FirewallHeld, Policy as FirewallPolicy, Rules as FirewallRules,
    Standing as FirewallStanding,
};
pub use images::{ImageFacts, OwnedImage};
pub use info::EngineInfo;
pub use logs::{EngineLogLine, LogStream, LogsFrom};
pub use networks::{NetworkSpec, OwnedNetwork};
pub use ownership::{Kind, Ownership};
pub use process::ContainerProcess;
pub use sockets::ListeningSocket;
pub use volumes::{OwnedVolume, VolumeSpec};

use transport::Address;

/// How to reach the engine and how long to wait for it.
#[derive(Debug, Clone)]
pub struct Config {
    /// `DOCKER_HOST`: `unix:///path` or `tcp://host:port`; default `unix:///var/run/docker.sock`.
    pub docker_host: String,
    /// What everything made through this handle is labelled with.
    pub instance: InstanceId,
    /// `PREVIEW_ENGINE_TIMEOUT`, seconds, default 30: deadline of one call, and the longest
    /// silence of a transfer.
    pub call_timeout: Duration,
    /// `PREVIEW_BUILD_TIMEOUT`, seconds, default 600: deadline of a build whose request names none.
    pub build_timeout: Duration,
    /// `PREVIEW_BUILDER`: `auto` (default), `buildkit` or `classic`.
    pub builder: Builder,
}

impl Config {
    pub const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

    /// All defaults.
    pub fn new(instance: InstanceId) -> Self {
        Self {
            docker_host: Self::DEFAULT_HOST.to_owned(),
            instance,
            call_timeout: Duration::from_secs(30),
            build_timeout: Duration::from_secs(600),
            builder: Builder::Auto,
        }
    }
}

/// A handle on one engine. Cloning it costs a reference count.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    address: Address,
    docker: Docker,
    /// Containers being removed. The engine does little of it at once: whoever waits there has a
    /// deadline, whoever waits here none.
    removals: Semaphore,
}

/// Containers that are removed at once.
const REMOVALS: usize = 8;

impl Engine {
    /// Fails on an address that can never work, not on an engine that is not there.
    pub fn connect(config: Config) -> Result<Self, EngineError> {
        let address = Address::parse(&config.docker_host)?;
        let docker = address
            .client(CancellationToken::new())
            .map_err(|error| EngineError::from_bollard("connect", error))?;
        Ok(Self(Arc::new(Inner { config, address, docker, removals: Semaphore::new(REMOVALS) })))
    }

    pub fn instance(&self) -> &InstanceId {
        &self.config().instance
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    /// The client for streams: the response head has a deadline, the body none.
    fn streaming(&self) -> Docker {
        let head = self.config().call_timeout.max(Duration::from_secs(1));
        self.0.docker.clone().with_timeout(head)
    }

    /// A client whose every connection closes when the guard is dropped.
    fn short_lived(&self) -> Result<(Docker, DropGuard), EngineError> {
        let lifetime = CancellationToken::new();
        let docker = self.0.address.client(lifetime.clone());
        let docker = docker.map_err(|error| EngineError::from_bollard("connect", error))?;
        Ok((docker, lifetime.drop_guard()))
    }

    /// One call, with the configured deadline.
    async fn call<'a, T, F>(
        &'a self,
        call: &'static str,
        run: impl FnOnce(&'a Docker) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, bollard::errors::Error>> + 'a,
    {
        self.call_within(self.config().call_timeout, call, run).await
    }

    /// One call that may take `deadline`.
    async fn call_within<'a, T, F>(
        &'a self,
        deadline: Duration,
        call: &'static str,
        run: impl FnOnce(&'a Docker) -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, bollard::errors::Error>> + 'a,
    {
        faults::pass(call, Side::Before);
        // What a call needs on its way is large, and would be part of whatever waits for one anywhere within.
        let answer = Box::pin(run(&self.0.docker));
        let answer = match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer.map_err(|error| EngineError::from_bollard(call, error)),
            Err(_) => Err(EngineError::Timeout { call, after: deadline }),
        };
        faults::pass(call, Side::After);
        answer
    }
}

/// What is absent as `None`, so that callers need not look into errors for it.
fn present<T>(answer: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn config(host: &str) -> Config {
        Config { docker_host: host.to_owned(), ..Config::new(InstanceId::random()) }
    }

    #[tokio::test]
    async fn a_handle_needs_no_engine_and_says_so_when_asked() {
        for host in ["unix:///nonexistent/engine.sock", "tcp://127.0.0.1:1"] {
            let engine = Engine::connect(config(host)).expect("the address is well-formed");
            let error = engine.info().await.expect_err("nobody is there");
            assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
            assert!(error.is_transient());
        }
    }

    /// Callers run them in tasks of their own; that this compiles is the test.
    #[tokio::test]
    async fn futures_can_move_between_threads() {
        fn movable<T: Send>(_: T) {}
        let engine = Engine::connect(config("tcp://127.0.0.1:1")).expect("well-formed");
        let second = Duration::from_secs(1);
        movable((engine.info(), engine.addresses_reachable(), engine.inspect("x"), engine.remove("x")));
        movable((engine.start("x"), engine.stop("x", second), engine.kill("x"), engine.restart("x", second)));
        movable((
            engine.pause("x"),
            engine.unpause("x"),
            engine.wait("x", second),
            engine.owned_containers(),
        ));
        movable((engine.owned_networks(), engine.all_subnets(), engine.remove_network("x")));
        movable((engine.owned_images(), engine.image_id("x"), engine.remove_image("x")));
        movable((engine.owned_volumes(), engine.remove_volume("x"), engine.upload("x", Bytes::new(), "/")));
        movable(engine.remove_files("x", "/app", &[]));
        movable((engine.events(), engine.logs("x", LogsFrom::Start, true), engine.stats("x")));
        let (lines, _read) = tokio::sync::mpsc::channel(1);
        movable(engine.pull("x", &lines));
        let create = async |spec: ContainerSpec, net: NetworkSpec| {
            let (create, create_network) = (engine.create_container(&spec), engine.create_network(&net));
            movable((create, create_network));
        };
        movable(create);
    }
}
