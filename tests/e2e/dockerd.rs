//! A Docker engine of a test's own, which may be ended, killed and stopped: its own containerd, data,
//! socket and bridge, and no rule of it in the host's packet filter. Making one takes root.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::app::{Settings, until};

pub struct Dockerd {
    dir: tempfile::TempDir,
    bridge: String,
    /// Of the bridge, and of the previews' networks: apart from those of the engine of all tests.
    net: u8,
    containerd: Child,
    daemon: Child,
}

impl Dockerd {
    /// With these images of the engine of all tests in it.
    pub async fn start(images: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = u8::try_from(216 + (process + number) % 32).expect("small");
        let bridge = format!("pvd{}x{number}", process % 1_000_000);
        run(Command::new("ip").args(["link", "add", &bridge, "type", "bridge"]));
        run(Command::new("ip").args(["addr", "add", &format!("10.{net}.255.1/24"), "dev", &bridge]));
        run(Command::new("ip").args(["link", "set", &bridge, "up"]));
        let dir = tempfile::tempdir().expect("a directory");
        // None of the host's own.
        std::fs::write(dir.path().join("daemon.json"), "{}").expect("written");
        let containerd = containerd(dir.path());
        until(30, || async { dir.path().join("containerd.sock").exists().then_some(()) }).await;
        let daemon = dockerd(dir.path(), &bridge);
        let mut own = Self { dir, bridge, net, containerd, daemon };
        own.answers().await;
        for image in images {
            own.load(image);
        }
        own
    }

    /// Have a daemon of ours use it.
    pub fn settings(&self) -> Settings {
        vec![
            ("DOCKER_HOST", self.host()),
            ("PREVIEW_NETWORK_POOL", format!("10.{}.0.0/17", self.net)),
            ("PREVIEW_ENGINE_TIMEOUT", "4".to_owned()),
        ]
    }

    /// Ends it by a signal and starts it again. Returns when it answers.
    pub async fn restart(&mut self, signal: Signal) {
        self.signal(signal);
        self.has_ended(120).await;
        let _ = std::fs::remove_file(self.dir.path().join("docker.pid"));
        self.daemon = dockerd(self.dir.path(), &self.bridge);
        self.answers().await;
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.daemon), signal).expect("it runs");
    }

    async fn has_ended(&mut self, seconds: u64) {
        let look = || {
            let ended = self.daemon.try_wait().expect("waited for");
            async move { ended }
        };
        until(seconds, look).await;
    }

    async fn answers(&mut self) {
        let log = self.dir.path().join("dockerd.log");
        let look = || {
            let ended = self.daemon.try_wait().expect("waited for");
            assert!(ended.is_none(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
            let answers = self.docker(&["version"]).status.success().then_some(());
            async move { answers }
        };
        until(90, look).await;
    }

    pub fn docker(&self, words: &[&str]) -> Output {
        let mut docker = Command::new("docker");
        docker.args(["-H", &self.host()]).args(words).output().expect("docker runs")
    }

    fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("docker.sock").display())
    }

    fn load(&self, image: &str) {
        let mut saved =
            Command::new("docker").args(["save", image]).stdout(Stdio::piped()).spawn().expect("docker");
        let from = saved.stdout.take().expect("piped");
        run(Command::new("docker").args(["-H", &self.host(), "load", "-q"]).stdin(from));
        assert!(saved.wait().expect("it ends").success(), "{image} is here");
    }

    /// Ends it, when all went well.
    pub async fn end(mut self) {
        self.signal(Signal::TERM);
        self.has_ended(60).await;
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        if matches!(self.daemon.try_wait(), Ok(None)) {
            // Of a test that failed: its containers first, for they outlive it.
            self.signal(Signal::CONT);
            let ids = self.docker(&["ps", "-aq"]);
            let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
            for id in ids.split_whitespace() {
                self.docker(&["rm", "-f", id]);
            }
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
        let _ = self.containerd.kill();
        let _ = self.containerd.wait();
        let _ = Command::new("ip").args(["link", "del", &self.bridge]).output();
        for place in mounts_under(self.dir.path()) {
            let _ = Command::new("umount").arg("-l").arg(place).output();
        }
    }
}

fn containerd(dir: &Path) -> Child {
    let config = dir.join("containerd.toml");
    std::fs::write(&config, "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")
        .expect("written");
    quiet(Command::new("containerd"), &dir.join("containerd.log"))
        .arg("--config")
        .arg(config)
        .arg("--root")
        .arg(dir.join("containerd"))
        .arg("--state")
        .arg(dir.join("containerd-state"))
        .arg("--address")
        .arg(dir.join("containerd.sock"))
        .spawn()
        .expect("containerd runs")
}

fn dockerd(dir: &Path, bridge: &str) -> Child {
    quiet(Command::new("dockerd"), &dir.join("dockerd.log"))
        .arg("--containerd")
        .arg(dir.join("containerd.sock"))
        .arg("--data-root")
        .arg(dir.join("data"))
        .arg("--exec-root")
        .arg(dir.join("exec"))
        .arg("--pidfile")
        .arg(dir.join("docker.pid"))
        .arg("--host")
        .arg(format!("unix://{}", dir.join("docker.sock").display()))
        .args(["--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false"])
        .args(["--userland-proxy=false", "--config-file"])
        .arg(dir.join("daemon.json"))
        .spawn()
        .expect("dockerd runs")
}

fn quiet(mut command: Command, log: &Path) -> Command {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
    let again = log.try_clone().expect("a log");
    command.stdin(Stdio::null()).stdout(log).stderr(again);
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The innermost first.
fn mounts_under(dir: &Path) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let mut found: Vec<PathBuf> = places.filter(|place| place.starts_with(dir)).collect();
    found.reverse();
    found
}
