//! A whole daemon of a test's own: real store, real engine, port 0, and a look at the end that
//! nothing with its label is left on the engine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use previewd::api::auth::{Keys, Role, TokenRequest};
use previewd::app::App;
use previewd::cli::upload::Upload;
use previewd::config::{Config, Overrides};
use previewd::domain::{InstanceId, UserId, UserTier};
use previewd::engine::{Engine, Kind};
use previewd::store::Store;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{Answer, Client};

/// Settings besides the defaults of tests.
pub type Settings = Vec<(&'static str, String)>;

pub struct TestApp {
    pub address: SocketAddr,
    pub data: tempfile::TempDir,
    pub engine: Engine,
    /// The settings as environment variables, for a daemon in a process of its own.
    pub environment: HashMap<String, String>,
    config: Config,
    keys: Keys,
    running: Option<(oneshot::Sender<()>, JoinHandle<anyhow::Result<()>>)>,
}

/// Preview ports of the test daemons of one process: apart from each other and from 3001–3100.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);
const PORTS_EACH: u16 = 40;

impl TestApp {
    pub async fn start() -> Self {
        Self::with(Settings::new()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::tuned(settings, |_| {}).await
    }

    /// With values that no setting may have, such as a session of a second.
    pub async fn tuned(settings: Settings, tune: impl FnOnce(&mut Config)) -> Self {
        let mut app = Self::prepared(settings).await;
        tune(&mut app.config);
        app.boot().await;
        app
    }

    /// Everything but the daemon, which the caller starts elsewhere and whose `address` it sets.
    pub async fn prepared(settings: Settings) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let environment = environment(data.path(), settings);
        let config = Config::read(environment.clone(), &Overrides::default()).expect("valid settings");
        let instance = name_instance(&config).await;
        let engine = Engine::connect(config.engine(instance)).expect("an engine's address");
        let keys = Keys::open(&config.data_dir).expect("a key");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { address, data, engine, environment, config, keys, running: None }
    }

    /// Starts the daemon, again after [`TestApp::shutdown`]; on another port each time.
    pub async fn boot(&mut self) {
        let app = App::compose(self.config.clone()).await.expect("composed");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        self.address = listener.local_addr().expect("an address");
        let (end, ended) = oneshot::channel::<()>();
        let run = app.run(listener, async { ended.await.unwrap_or(()) });
        self.running = Some((end, tokio::spawn(run)));
    }

    /// Waits for the daemon to end by itself, with what it ends.
    pub async fn ended(&mut self, seconds: u64) -> anyhow::Result<()> {
        let (_end, task) = self.running.take().expect("it runs");
        let ended = tokio::time::timeout(std::time::Duration::from_secs(seconds), task).await;
        ended.expect("it ends in time").expect("no panic")
    }

    /// Changes values before the next [`TestApp::boot`].
    pub fn tune(&mut self, tune: impl FnOnce(&mut Config)) {
        tune(&mut self.config);
    }

    /// Ends the daemon as SIGTERM would; previews stay.
    pub async fn shutdown(&mut self) {
        if let Some((end, task)) = self.running.take() {
            let _ = end.send(());
            task.await.expect("no panic").expect("a clean end");
        }
    }

    /// Stops every preview, ends the daemon, if it runs, and looks that nothing is left.
    pub async fn finish(mut self) {
        if self.running.is_some() {
            self.stop_all().await;
        }
        self.shutdown().await;
        self.remove_fresh_images().await;
        self.assert_nothing_left().await;
    }

    /// Images of generations whose ids begin with `fresh` have content that comes only once. Their
    /// environments stay: other tests may be just about to start in them.
    pub async fn remove_fresh_images(&self) {
        for image in self.engine.owned_images().await.expect("a list") {
            let generation = image.ownership.generation.as_ref().map(|id| id.as_str());
            let is_shared = image.ownership.kind == Kind::Environment;
            if generation.is_some_and(|id| id.starts_with("fresh")) && !is_shared {
                self.engine.remove_image(&image.id).await.expect("nothing uses it any more");
            }
        }
    }

    pub async fn stop_all(&self) {
        let admin = self.admin();
        let list = admin.get("/api/v2/previews?limit=200").await;
        for preview in list.json()["previews"].as_array().expect("a list") {
            let ended = ["stopped", "failed"].contains(&preview["status"].as_str().expect("a status"));
            if !ended {
                let id = preview["generationId"].as_str().expect("an id");
                admin.delete(&format!("/api/v2/generations/{id}/preview")).await;
            }
        }
    }

    pub async fn assert_nothing_left(&self) {
        let containers = self.engine.owned_containers().await.expect("a list");
        assert!(containers.is_empty(), "containers left: {containers:?}");
        let networks = self.engine.owned_networks().await.expect("a list");
        assert!(networks.is_empty(), "networks left: {networks:?}");
        let volumes = self.engine.owned_volumes().await.expect("a list");
        assert!(volumes.is_empty(), "volumes left: {volumes:?}");
        let rules = self.firewall_rules();
        assert!(rules.is_empty(), "rules of the packet filter left: {rules:?}");
    }

    /// Jumps into chains of ours in the host's packet filter; none where it cannot be read.
    pub fn firewall_rules(&self) -> Vec<String> {
        let saved = std::process::Command::new("iptables-save").args(["-t", "filter"]).output();
        let saved = saved.map(|saved| saved.stdout).unwrap_or_default();
        let name = format!("\"previewd {}\"", self.engine.instance());
        let saved = String::from_utf8_lossy(&saved);
        saved.lines().filter(|line| line.contains(&name)).map(str::to_owned).collect()
    }

    /// A client with a token of its own.
    pub fn client(&self, user: &str, role: Role, tier: UserTier) -> Client {
        Client::new(self.address).bearer(self.mint(user, role, tier))
    }

    /// A token alone.
    pub fn token(&self, user: &str) -> String {
        self.mint(user, Role::User, UserTier::Pro)
    }

    fn mint(&self, user: &str, role: Role, tier: UserTier) -> String {
        let user = UserId::parse(user).expect("a user name");
        let request = TokenRequest { user, role, tier, ttl: Duration::from_secs(600) };
        self.keys.mint(&request).expect("signed")
    }

    /// One text out of the store's file, as whoever has the file would read it.
    pub async fn sql(&self, query: &'static str) -> String {
        let url = format!("sqlite://{}?mode=ro", self.data.path().join("previewd.db").display());
        let pool = sqlx::SqlitePool::connect(&url).await.expect("the file");
        sqlx::query_scalar(query).fetch_one(&pool).await.expect("a text")
    }

    /// The installation's key.
    pub const fn secret(&self) -> [u8; 32] {
        self.keys.secret()
    }

    pub fn user(&self, name: &str) -> Client {
        self.client(name, Role::User, UserTier::Pro)
    }

    pub fn admin(&self) -> Client {
        self.client("operator", Role::Admin, UserTier::Enterprise)
    }

    /// Without a token.
    pub fn stranger(&self) -> Client {
        Client::new(self.address)
    }

    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }
}

/// The settings of this process for the builds, and test ports, pool and times.
fn environment(data: &Path, settings: Settings) -> HashMap<String, String> {
    let slot = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
    // Processes of one test run start at different places of the range.
    let start = 20_000 + (std::process::id() as u16 % 250) * 160;
    let first = 20_000 + (start - 20_000 + slot * PORTS_EACH) % 40_000;
    let mut all = HashMap::from([
        ("PREVIEW_DATA_DIR".to_owned(), data.display().to_string()),
        ("PREVIEW_PORT_MIN".to_owned(), first.to_string()),
        ("PREVIEW_PORT_MAX".to_owned(), (first + PORTS_EACH - 1).to_string()),
        ("PREVIEW_NETWORK_POOL".to_owned(), "10.214.0.0/16".to_owned()),
        ("PREVIEW_NETWORK_SPARES".to_owned(), "1".to_owned()),
        // What has ended is to have gone when its end is told.
        ("PREVIEW_NETWORK_REST".to_owned(), "0".to_owned()),
        // Each takes a second of the processor, for a start that most tests never make.
        ("PREVIEW_WARM_MAX".to_owned(), "0".to_owned()),
        // All tests share the engine's, and would have to make it again.
        ("PREVIEW_BUILD_CACHE_TTL".to_owned(), "0".to_owned()),
        ("PREVIEW_RECONCILE_INTERVAL".to_owned(), "1".to_owned()),
        ("PREVIEW_STARTUP_TIMEOUT".to_owned(), "60".to_owned()),
        // Tests ask again and again until something is so; those of the limits set their own.
        ("PREVIEW_USER_RATE_PER_MINUTE".to_owned(), "0".to_owned()),
        ("PREVIEW_TOKEN_RATE_PER_MINUTE".to_owned(), "0".to_owned()),
        ("PREVIEW_ANONYMOUS_RATE_PER_MINUTE".to_owned(), "0".to_owned()),
    ]);
    for name in ["DOCKER_HOST", "PREVIEW_BUILD_CA_BUNDLE", "PREVIEW_PIP_INDEX_URL", "PREVIEW_NPM_REGISTRY"] {
        if let Ok(value) = std::env::var(name) {
            all.insert(name.to_owned(), value);
        }
    }
    all.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
    all
}

/// Test instances have names that say so, and of which run, for the look after all tests.
async fn name_instance(config: &Config) -> InstanceId {
    let run = std::env::var("PREVIEW_TEST_RUN").unwrap_or_else(|_| "test".to_owned());
    let name = format!("{run}{}", InstanceId::random());
    let store = Store::open(config.store.clone()).await.expect("a store");
    let kept = store.put_setting_if_absent("instance", &name).await.expect("written");
    store.close().await;
    InstanceId::parse(&kept).expect("valid")
}

/// The body of a PUT for one of `examples/`.
pub fn example(name: &str) -> Value {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let upload = Upload::read(&dir, None).expect("an example");
    serde_json::from_slice(&upload.body().expect("a body")).expect("JSON")
}

/// Stores an example and launches it, waiting until it is healthy.
pub async fn launch_example(client: &Client, example_name: &str, id: &str) -> Value {
    let put = client.put(&format!("/api/v2/generations/{id}"), &example(example_name)).await;
    assert!(put.status == 201 || put.status == 200, "{put:?}");
    let launched = launch(client, id).await;
    assert_eq!(launched.status, 201, "{launched:?}");
    launched.json()
}

pub async fn launch(client: &Client, id: &str) -> Answer {
    client.post(&format!("/api/v2/generations/{id}/preview/launch"), &json!({ "wait": true })).await
}

/// Asks again until the answer is as wanted, at most `seconds`.
pub async fn until<F: Future<Output = Option<T>>, T>(seconds: u64, mut ask: impl FnMut() -> F) -> T {
    let look = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(seconds), look).await.expect("it came to pass in time")
}
