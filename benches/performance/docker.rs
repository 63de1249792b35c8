//! The baselines' engine calls: the `docker` command, as a person without previewd would use it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Pid;

use crate::daemon::{CPUS, MEMORY_MB};

/// A container or image of a baseline, removed when this goes.
pub struct Baseline {
    label: String,
}

impl Baseline {
    pub fn new(row: &str) -> Self {
        Self { label: format!("previewd.bench={row}-{}", std::process::id()) }
    }

    /// What its containers carry.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// `docker run -d`, published on a free port of this host; returns once the command was given,
    /// not when it has ended.
    pub fn run(&self, image: &str, container_port: u16) -> anyhow::Result<Running> {
        self.run_at(free_port()?, image, container_port)
    }

    /// The same on a port that the caller found free.
    pub fn run_at(&self, port: u16, image: &str, container_port: u16) -> anyhow::Result<Running> {
        let mut command = Command::new("docker");
        command.args([
            "run",
            "-d",
            "--label",
            &self.label,
            "-p",
            &format!("127.0.0.1:{port}:{container_port}"),
        ]);
        command.args(["-e", "PYTHONUNBUFFERED=1", "-e", "LOG_LEVEL=INFO"]);
        command.args(["-e", &format!("PORT={container_port}")]);
        command.args(limits());
        let process = command.arg(image).stdout(Stdio::piped()).spawn().context("docker run")?;
        Ok(Running { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// A network of the baseline's own, as compose makes one for each project.
    pub fn network(&self) -> anyhow::Result<()> {
        run(Command::new("docker").args(["network", "create", "--label", &self.label, &self.network_name()]))
            .map(drop)
    }

    pub fn remove_network(&self) -> anyhow::Result<()> {
        run(Command::new("docker").args(["network", "rm", &self.network_name()])).map(drop)
    }

    fn network_name(&self) -> String {
        self.label.replace(['.', '='], "-")
    }

    /// `docker run -d` of a server that others in the network reach by a name; its id.
    pub fn service(
        &self,
        image: &str,
        name: &str,
        environment: &[&str],
        shell: &str,
    ) -> anyhow::Result<String> {
        let mut command = Command::new("docker");
        command.args(["run", "-d", "--label", &self.label, "--network", &self.network_name()]);
        command.args([
            "--network-alias",
            name,
            "--user",
            "10001:10001",
            "--tmpfs",
            "/tmp:rw,size=512m,mode=1777",
        ]);
        command.args(environment.iter().flat_map(|variable| ["-e", variable]));
        Ok(run(command.args([image, "sh", "-c", shell]))?.trim().to_owned())
    }

    /// `docker run -d` of an app in that network, published on a free port of this host.
    pub fn app(&self, image: &str, service: &Service<'_>, shell: &str) -> anyhow::Result<Running> {
        let port = free_port()?;
        let mut command = Command::new("docker");
        command.args(["run", "-d", "--label", &self.label, "--network", &self.network_name()]);
        command.args(["-p", &format!("127.0.0.1:{port}:{}", service.port)]);
        command.args(["-e", "PYTHONUNBUFFERED=1", "-e", &format!("DATABASE_URL={}", service.url)]);
        command.args(limits());
        let process =
            command.args([image, "sh", "-c", shell]).stdout(Stdio::piped()).spawn().context("docker run")?;
        Ok(Running { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// `docker build` without any cache of layers, with whichever builder this host's command has.
    pub fn build(&self, folder: &Path, tag: &str) -> anyhow::Result<()> {
        self.build_with(folder, tag, &["--no-cache"])
    }

    /// The same with every layer that an earlier build has left.
    pub fn build_cached(&self, folder: &Path, tag: &str) -> anyhow::Result<()> {
        self.build_with(folder, tag, &[])
    }

    fn build_with(&self, folder: &Path, tag: &str, options: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("docker");
        command.env("DOCKER_BUILDKIT", if has_buildkit() { "1" } else { "0" });
        command.arg("build").args(options).args(["--rm", "--label", &self.label, "-t", tag]);
        if let Ok(index) = std::env::var("PREVIEW_PIP_INDEX_URL") {
            command.args(["--build-arg", &format!("PIP_INDEX_URL={index}")]);
        }
        run(command.arg(folder)).map(drop)
    }

    /// The containers of this baseline with what they made; its images stay.
    pub fn remove_containers(&self) -> anyhow::Result<()> {
        remove_containers(&self.label)
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        if let Err(error) = remove_labelled(&self.label) {
            eprintln!("left behind with label {}: {error:#}", self.label);
        }
    }
}

/// What an app is told: where its database is, and where it listens itself.
pub struct Service<'a> {
    pub url: &'a str,
    pub port: u16,
}

/// `docker exec`.
pub fn exec(container: &str, command: &[&str]) -> anyhow::Result<String> {
    run(Command::new("docker").args(["exec", container]).args(command))
}

/// A `docker run` under way.
pub struct Running {
    process: Child,
    pub address: SocketAddr,
}

impl Running {
    /// Fails where the command did.
    pub fn ended(self) -> anyhow::Result<()> {
        let done = self.process.wait_with_output()?;
        if !done.status.success() {
            bail!("docker run ended with {}", done.status);
        }
        Ok(())
    }
}

/// The command needs a plugin to build with BuildKit, and many hosts lack it.
pub fn has_buildkit() -> bool {
    run(Command::new("docker").args(["buildx", "version"])).is_ok()
}

/// What our containers get, so far as `docker run` can say it: all of it but the labels of the
/// volume and a network of its own, for the default bridge is what a plain `docker run` joins.
fn limits() -> Vec<String> {
    let memory = format!("{MEMORY_MB}m");
    let tmpfs = |folder: &str, more: &str| format!("{folder}:rw,nosuid,nodev,{more},uid=10001,gid=10001");
    let words = [
        &["--user", "10001:10001", "--env", "HOME=/home/app"][..],
        &["--memory", &memory, "--memory-swap", &memory, "--cpus", &CPUS.to_string()],
        &["--pids-limit", "256", "--ulimit", "nofile=4096:4096", "--ulimit", "core=0:0"],
        &["--oom-score-adj", "500", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
        &["--read-only", "--tmpfs", &tmpfs("/tmp", "exec,size=128m,mode=1777")],
        &["--tmpfs", &tmpfs("/run", "noexec,size=16m,mode=1777")],
        &["--tmpfs", &tmpfs("/home/app", "exec,size=128m,mode=0755")],
        // Anonymous: filled from the image, as ours is.
        &["--volume", "/app", "--init", "--no-healthcheck", "--ipc", "private", "--restart", "no"],
        &["--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=2"],
    ];
    words.concat().into_iter().map(str::to_owned).collect()
}

/// Below the range that the kernel gives to outgoing connections: a port there may be somebody's, or,
/// asked often enough while nothing listens, connect to itself.
pub fn free_port() -> anyhow::Result<u16> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (14_001..15_000).find(is_free).context("no free port from 14001 to 14999")
}

/// So many different ones.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports: Vec<u16> = (14_001..15_000).filter(is_free).take(count).collect();
    anyhow::ensure!(ports.len() == count, "only {} free ports from 14001 to 14999", ports.len());
    Ok(ports)
}

/// The address of a container in its one network.
pub fn container_address(label: &str) -> anyhow::Result<String> {
    let id = list(&["ps", "-q", "--filter", &format!("label={label}")])?.join(" ");
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    Ok(run(Command::new("docker").args(["inspect", "-f", format, &id]))?.trim().to_owned())
}

/// The id of the container that carries a label.
pub fn container_of(label: &str) -> anyhow::Result<String> {
    let found = list(&["ps", "-q", "--filter", &format!("label={label}")])?;
    found.into_iter().next().with_context(|| format!("no container with {label}"))
}

/// Containers, networks, volumes and images with this label.
pub fn remove_labelled(label: &str) -> anyhow::Result<()> {
    remove_containers(label)?;
    let filter = format!("label={label}");
    let kinds: [(&[&str], &[&str]); 3] = [
        (&["network", "ls", "-q", "--filter"], &["network", "rm"]),
        (&["volume", "ls", "-q", "--filter"], &["volume", "rm"]),
        (&["images", "-q", "--no-trunc", "--filter"], &["rmi", "-f"]),
    ];
    for (listing, removing) in kinds {
        let mut found = list(&[listing, &[filter.as_str()]].concat())?;
        found.dedup();
        if !found.is_empty() {
            run(Command::new("docker").args(removing).args(found))?;
        }
    }
    Ok(())
}

fn remove_containers(label: &str) -> anyhow::Result<()> {
    let found = list(&["ps", "-aq", "--filter", &format!("label={label}")])?;
    if !found.is_empty() {
        run(Command::new("docker").args(["rm", "-f", "-v"]).args(found))?;
    }
    Ok(())
}

fn list(arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    Ok(run(Command::new("docker").args(arguments))?.lines().map(str::to_owned).collect())
}

/// The process that a container's init has started, as this host numbers it.
pub fn main_process(container: &str) -> anyhow::Result<Pid> {
    let init = run(Command::new("docker").args(["inspect", "-f", "{{.State.Pid}}", container]))?;
    let init = init.trim();
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children"))?;
    let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
    first.and_then(Pid::from_raw).with_context(|| format!("{container} runs nothing"))
}

/// Its output; an error with what it said when it failed.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("{:?}", command.get_program()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let tail: Vec<&str> = said.lines().rev().take(8).collect();
        bail!("{command:?}: {}", tail.into_iter().rev().collect::<Vec<_>>().join(" | "));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// SIGTERM, and SIGKILL where that does not help within half a minute.
pub fn terminate(process: &mut Child) -> anyhow::Result<()> {
    if process.try_wait()?.is_some() {
        return Ok(());
    }
    run(Command::new("kill").args(["-TERM", &process.id().to_string()]))?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while process.try_wait()?.is_none() {
        if Instant::now() > deadline {
            process.kill()?;
            process.wait()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
