//! The real program, as a child process: single commands, and a daemon.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use previewd::config::{Config, Overrides};
use previewd::domain::InstanceId;
use previewd::engine::Engine;
use previewd::store::Store;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_previewd");

/// What the host says about builds goes through; all else of the environment stays away.
const INHERITED: [&str; 6] = [
    "PATH",
    "HOME",
    "DOCKER_HOST",
    "PREVIEW_BUILD_CA_BUNDLE",
    "PREVIEW_PIP_INDEX_URL",
    "PREVIEW_NPM_REGISTRY",
];

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What was printed, when all went well.
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

pub fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    let inherited = INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(inherited).envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command that needs no daemon.
pub async fn previewd(args: &[&str]) -> Ended {
    previewd_with(&[], args).await
}

pub async fn previewd_with(environment: &[(&str, &str)], args: &[&str]) -> Ended {
    let output = command(environment).args(args).output();
    let output =
        tokio::time::timeout(Duration::from_secs(120), output).await.expect("it ends").expect("it runs");
    Ended {
        code: output.status.code().expect("no signal"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// `previewd serve` with a data directory of its own.
pub struct Daemon {
    pub data: tempfile::TempDir,
    pub url: String,
    /// The line that said it serves.
    pub greeting: String,
    engine: Engine,
    child: Child,
    /// Kept open, and read at the end: nothing but the greeting may be in it.
    stdout: BufReader<ChildStdout>,
}

impl Daemon {
    pub async fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let engine = own_engine(data.path()).await;
        // Above the ports systems give out by themselves, apart from other test processes.
        let first = 61_000 + (std::process::id() % 80) * 50;
        let ports = [first.to_string(), (first + 49).to_string()];
        let environment = [
            ("PREVIEW_PORT_MIN", ports[0].as_str()),
            ("PREVIEW_PORT_MAX", ports[1].as_str()),
            ("PREVIEW_NETWORK_POOL", "10.215.0.0/16"),
            ("PREVIEW_NETWORK_SPARES", "1"),
            ("PREVIEW_RECONCILE_INTERVAL", "1"),
            ("RUST_LOG", "error"),
        ];
        let dir = data.path().to_str().expect("text");
        let mut serve = command(&environment);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", dir]).stderr(Stdio::null());
        let mut child = serve.spawn().expect("it runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        let line = stdout.read_line(&mut greeting);
        tokio::time::timeout(Duration::from_secs(30), line).await.expect("it starts").expect("a line");
        let url = greeting.trim().rsplit(' ').next().expect("a URL").to_owned();
        Self { data, url, greeting, engine, child, stdout }
    }

    /// Runs a client command against it.
    pub async fn run(&self, args: &[&str]) -> Ended {
        let dir = self.data.path().to_str().expect("text");
        let environment = [("PREVIEW_URL", self.url.as_str()), ("PREVIEW_DATA_DIR", dir)];
        previewd_with(&environment, args).await
    }

    /// Ends it as a service manager would; gives what else it printed. Nothing may be left.
    pub async fn finish(mut self) -> String {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().await.expect("sh");
        assert!(sent.success());
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await.expect("it ends");
        assert!(ended.expect("waited").success(), "a clean end");
        let mut rest = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut self.stdout, &mut rest).await.expect("text");
        let containers = self.engine.owned_containers().await.expect("a list");
        assert!(containers.is_empty(), "containers left: {containers:?}");
        let networks = self.engine.owned_networks().await.expect("a list");
        assert!(networks.is_empty(), "networks left: {networks:?}");
        rest
    }
}

/// Gives the data directory an instance name that says it is a test's, and looks at the engine
/// under that name.
async fn own_engine(data: &Path) -> Engine {
    let dir = ("PREVIEW_DATA_DIR".to_owned(), data.display().to_string());
    let host = std::env::var("DOCKER_HOST").ok().map(|host| ("DOCKER_HOST".to_owned(), host));
    let config = Config::read([dir].into_iter().chain(host), &Overrides::default()).expect("settings");
    let name = format!("test{}", InstanceId::random());
    let store = Store::open(config.store.clone()).await.expect("a store");
    store.put_setting_if_absent("instance", &name).await.expect("written");
    store.close().await;
    Engine::connect(config.engine(InstanceId::parse(&name).expect("a name"))).expect("an engine's address")
}

pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}
