//! A test's own corner of the engine: an instance id of its own, and nothing left of it
//! afterwards, whether the test passed or not.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use previewd::domain::{InstanceId, PreviewId, ResourceLimits};
use previewd::engine::{
    Builder, Config, ContainerSpec, ContainerState, Engine, EngineError, Kind, NetworkSpec, Ownership,
};

use crate::base;

pub struct Scene {
    pub engine: Engine,
    pub image: &'static str,
    pub ownership: Ownership,
}

/// Runs the test, cleans up, and fails when the test did or when something cannot be removed.
pub async fn scene<F: Future<Output = ()>>(test: impl FnOnce(Scene) -> F) {
    scene_with(Builder::Auto, test).await;
}

pub async fn scene_with<F: Future<Output = ()>>(builder: Builder, test: impl FnOnce(Scene) -> F) {
    let config = Config { docker_host: base::docker_host(), builder, ..Config::new(InstanceId::random()) };
    let image = base::probe_image().await;
    let engine = Engine::connect(config).expect("an engine's address");
    let mut ownership = Ownership::of(engine.instance().clone(), Kind::Preview);
    ownership.preview = Some(PreviewId::new());
    let outcome =
        AssertUnwindSafe(test(Scene { engine: engine.clone(), image, ownership })).catch_unwind().await;
    clean_up(&engine).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert_nothing_left(&engine).await;
}

async fn clean_up(engine: &Engine) {
    for container in engine.owned_containers().await.expect("a list") {
        engine.remove(&container.id).await.expect("removed");
    }
    for network in engine.owned_networks().await.expect("a list") {
        engine.remove_network(&network.id).await.expect("removed");
    }
    for image in engine.owned_images().await.expect("a list") {
        for name in image.names {
            engine.remove_image(&name).await.expect("removed");
        }
        engine.remove_image(&image.id).await.expect("removed");
    }
}

/// Volumes above all: nobody removes them by name.
async fn assert_nothing_left(engine: &Engine) {
    assert_eq!(engine.owned_volumes().await.expect("a list"), []);
    assert_eq!(engine.owned_containers().await.expect("a list"), []);
    assert_eq!(engine.owned_networks().await.expect("a list"), []);
    assert_eq!(engine.owned_images().await.expect("a list"), []);
}

impl Scene {
    pub fn name(&self, name: &str) -> String {
        format!("previewd-test-{}-{name}", self.engine.instance())
    }

    /// A spec that runs `/probe` with these words.
    pub fn spec(&self, name: &str, network: &str, words: &[&str]) -> ContainerSpec {
        let command = ["/probe"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        ContainerSpec {
            name: self.name(name),
            image: self.image.to_owned(),
            command: Some(command),
            arguments: None,
            environment: BTreeMap::new(),
            network: network.to_owned(),
            names: vec![],
            limits: ResourceLimits { memory_mb: 64, cpu: 0.5, storage_mb: 64, pids: 32 },
            ownership: self.ownership.clone(),
            publish: None,
            runtime: None,
            working_dir: None,
            writable: vec!["/app".to_owned()],
            scratch: vec![],
            volumes: vec![],
        }
    }

    pub fn network_spec(&self, name: &str, subnet: &str) -> NetworkSpec {
        NetworkSpec {
            name: self.name(name),
            subnet: subnet.to_owned(),
            internal: false,
            peers: false,
            ownership: self.ownership.with_kind(Kind::Network),
        }
    }

    /// A network of the first subnet that is free; its name.
    pub async fn network(&self) -> String {
        let start = u32::from_str_radix(&PreviewId::new().to_string()[32..], 16).expect("hexadecimal");
        for at in 0..64 {
            let subnet = format!("10.213.{}.{}/29", (start / 32 + at) % 256, start % 32 * 8);
            let spec = self.network_spec("net", &subnet);
            match self.engine.create_network(&spec).await {
                Ok(_) => return spec.name,
                Err(EngineError::SubnetTaken { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("no subnet is free");
    }

    /// Creates and starts; the id.
    pub async fn run(&self, spec: &ContainerSpec) -> String {
        let id = self.engine.create_container(spec).await.expect("created");
        self.engine.start(&id).await.expect("started");
        id
    }

    /// Runs to the end: exit code and what it printed.
    pub async fn run_to_end(&self, spec: &ContainerSpec) -> (i64, Vec<String>) {
        let id = self.run(spec).await;
        let code = self.engine.wait(&id, Duration::from_secs(30)).await.expect("an end");
        (code, crate::logs::all_lines(&self.engine, &id).await)
    }

    pub async fn state(&self, id: &str) -> ContainerState {
        self.engine.inspect(id).await.expect("an answer").expect("a container")
    }
}

/// Waits for something that comes true by itself, at most ten seconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
