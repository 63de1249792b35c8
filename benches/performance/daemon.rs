//! The daemon that is measured: the release binary in a process of its own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use previewd::domain::InstanceId;
use previewd::store::{self, Store};
use serde_json::{Value, json};

use crate::answer::until;
use crate::docker;
use crate::http::{Answer, Client};

pub struct Daemon {
    process: Child,
    instance: String,
    client: Client,
    address: SocketAddr,
    data: tempfile::TempDir,
}

/// What baselines are given too.
pub const MEMORY_MB: u32 = 512;
pub const CPUS: u32 = 1;

impl Daemon {
    /// `settings` are environment variables besides those every bench daemon gets.
    pub async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let instance = name_instance(&data).await?;
        let mut process = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            // Clear of a daemon in use on this host, and of the tests.
            .envs([("PREVIEW_PORT_MIN", "13001"), ("PREVIEW_PORT_MAX", "13100")])
            .envs([("PREVIEW_NETWORK_POOL", "10.215.0.0/16"), ("RUST_LOG", "warn")])
            .envs([("PREVIEW_STARTUP_TIMEOUT", "120")])
            // Made behind a launch, one would take its second of the processor from the baseline.
            .envs([("PREVIEW_WARM_MAX", "0")])
            // Rows ask as fast as they can.
            .envs(["USER", "TOKEN", "ANONYMOUS"].map(|of| (format!("PREVIEW_{of}_RATE_PER_MINUTE"), "0")))
            .envs([("PREVIEW_USER_CONCURRENCY", "512")])
            .envs(settings.iter().copied())
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the daemon")?;
        let address = match address_of(&mut process) {
            Ok(address) => address,
            Err(error) => {
                let _ = process.kill();
                return Err(error);
            }
        };
        let token = std::fs::read_to_string(data.path().join("token")).context("the daemon's token")?;
        let client = Client::new(address).bearer(token.trim());
        let daemon = Self { process, instance, client, address, data };
        daemon.is_ready().await?;
        Ok(daemon)
    }

    async fn is_ready(&self) -> anyhow::Result<()> {
        let answer = self.client.get("/readiness").await;
        if answer.status != 200 {
            bail!("the daemon is not ready: {}", answer.text());
        }
        Ok(())
    }

    /// Of the API.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token of the live preview, which a launch says again.
    pub async fn preview_token(&self, generation: &str) -> anyhow::Result<String> {
        let path = format!("/api/v2/generations/{generation}/preview/launch");
        let answer = accepted(self.client.post(&path, &json!({})).await, "asking for the token")?;
        Ok(answer["previewToken"].as_str().context("no previewToken")?.to_owned())
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What its containers carry as a label.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The text that Prometheus would get.
    pub async fn metrics(&self) -> String {
        self.client.get("/metrics").await.text()
    }

    pub async fn put(&self, generation: &str, body: &Value) -> anyhow::Result<()> {
        let path = format!("/api/v2/generations/{generation}");
        accepted(self.client.put(&path, body).await, "storing a generation").map(drop)
    }

    /// Answers as soon as the launch is accepted.
    /// Changes files of a live preview; the answer.
    pub async fn patch(&self, generation: &str, files: &Value) -> anyhow::Result<Value> {
        let path = format!("/api/v2/generations/{generation}/preview/files");
        let body = serde_json::json!({ "files": files }).to_string();
        accepted(self.client.send(hyper::Method::PATCH, &path, body).await, "changing files")
    }

    pub async fn launch(&self, generation: &str) -> anyhow::Result<SocketAddr> {
        self.launch_with(generation, &json!({})).await
    }

    /// Answers when the preview is healthy.
    pub async fn launch_and_wait(&self, generation: &str) -> anyhow::Result<SocketAddr> {
        self.launch_with(generation, &json!({ "wait": true })).await
    }

    async fn launch_with(&self, generation: &str, body: &Value) -> anyhow::Result<SocketAddr> {
        let path = format!("/api/v2/generations/{generation}/preview/launch");
        let answer = accepted(self.client.post(&path, body).await, "launching")?;
        let url = answer["baseUrl"].as_str().context("no baseUrl")?;
        Ok(url.trim_start_matches("http://").parse()?)
    }

    /// Returns when a preview of the generation waits for its launch.
    pub async fn is_prewarmed(&self, generation: &str) -> anyhow::Result<()> {
        let path = format!("/api/v2/generations/{generation}");
        until("a preview is ready ahead of its launch", async || {
            let answer = accepted(self.client.get(&path).await, "reading a generation")?;
            Ok((answer["prewarmed"] == "ready").then_some(()))
        })
        .await
    }

    /// Returns when a container waits for a start, with nothing more to do.
    pub async fn is_warm(&self) -> anyhow::Result<()> {
        until("a container waits, warm", async || {
            Ok(self.metrics().await.lines().any(|line| line == "preview_warm 1").then_some(()))
        })
        .await
    }

    pub async fn status(&self, generation: &str) -> anyhow::Result<Value> {
        let path = format!("/api/v2/generations/{generation}/preview/status");
        accepted(self.client.get(&path).await, "asking for the status")
    }

    /// How many previews a page of at most `limit` has.
    pub async fn list(&self, limit: usize) -> anyhow::Result<usize> {
        let path = format!("/api/v2/previews?limit={limit}");
        let answer = accepted(self.client.get(&path).await, "listing previews")?;
        Ok(answer["previews"].as_array().context("no previews")?.len())
    }

    /// Returns when the preview has this status.
    pub async fn is_now(&self, generation: &str, word: &str) -> anyhow::Result<()> {
        until(word, async || Ok((self.status(generation).await?["status"] == word).then_some(()))).await
    }

    /// Stops the preview and returns when nothing of it is left.
    pub async fn stop(&self, generation: &str) -> anyhow::Result<()> {
        let path = format!("/api/v2/generations/{generation}/preview");
        self.client.delete(&path).await;
        let path = format!("{path}/status");
        until("the preview has stopped", async || {
            // Fifty that ask as fast as they can would hold up what they wait for.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let answer = self.client.get(&path).await;
            let is_over = answer.status == 404 || answer.json()["status"] == "stopped";
            Ok(is_over.then_some(()))
        })
        .await
    }

    /// Builds the generation's image; how long that took, from the request on.
    pub async fn build(&self, generation: &str) -> anyhow::Result<Duration> {
        let path = format!("/api/v2/generations/{generation}/build");
        let begun = Instant::now();
        accepted(self.client.post(&path, &json!({})).await, "asking for a build")?;
        until("the image is built", async || {
            let answer = accepted(self.client.get(&path).await, "asking about a build")?;
            match answer["state"].as_str() {
                Some("building") => Ok(None),
                Some("built") if answer["cached"] == true => bail!("the image was there already"),
                Some("built") => Ok(Some(begun.elapsed())),
                _ => bail!("the build failed: {answer}"),
            }
        })
        .await
    }

    /// The name of the generation's image, built where it is not there.
    pub async fn image(&self, generation: &str) -> anyhow::Result<String> {
        let path = format!("/api/v2/generations/{generation}/build");
        accepted(self.client.post(&path, &json!({})).await, "asking for a build")?;
        until("the image is built", async || {
            let answer = accepted(self.client.get(&path).await, "asking about a build")?;
            match (answer["state"].as_str(), answer["image"].as_str()) {
                (Some("building"), _) => Ok(None),
                (Some("built"), Some(image)) => Ok(Some(image.to_owned())),
                _ => bail!("the build failed: {answer}"),
            }
        })
        .await
    }

    /// What happened to the generation's newest preview.
    pub async fn events(&self, generation: &str) -> anyhow::Result<Vec<Value>> {
        let path = format!("/api/v2/generations/{generation}/preview/events");
        let answer = accepted(self.client.get(&path).await, "reading events")?;
        Ok(answer["events"].as_array().context("no events")?.clone())
    }

    /// The build's output, as the preview's log has it.
    pub async fn build_log(&self, generation: &str) -> anyhow::Result<Vec<String>> {
        let path = format!("/api/v2/generations/{generation}/preview/logs?source=build&limit=1000");
        let answer = accepted(self.client.get(&path).await, "reading the log")?;
        let lines = answer["logs"].as_array().context("no log lines")?;
        Ok(lines.iter().filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect())
    }

    /// Ends the daemon and removes what it leaves on purpose: its images.
    pub async fn end(mut self) -> anyhow::Result<()> {
        docker::terminate(&mut self.process)?;
        self.sweep()
    }

    fn sweep(&self) -> anyhow::Result<()> {
        docker::remove_labelled(&format!("previewd.instance={}", self.instance))?;
        self.remove_rules()
    }

    /// The daemon's rules in the packet filter stay where its previews do, and these are removed here. All
    /// of them lie in chains whose names begin alike, as a rule says that has the instance in its comment.
    fn remove_rules(&self) -> anyhow::Result<()> {
        const REMOVE: &str = r#"
            command -v iptables-save >/dev/null || exit 0
            chains=$(iptables-save | sed -n "s/.*--comment \"previewd $1\" -j \(PVD-[0-9a-f]*-\).*/\1/p" | head -n 1)
            [ -z "$chains" ] || iptables-save | grep -vF -e "$chains" | iptables-restore"#;
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let status =
            Command::new("sh").args(["-c", REMOVE, "sh", &self.instance]).env("PATH", path).status()?;
        anyhow::ensure!(status.success(), "the daemon's rules are still in the packet filter: {status}");
        Ok(())
    }
}

/// Where a row ends early, nothing may stay behind either.
impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = docker::terminate(&mut self.process);
        if let Err(error) = self.sweep() {
            eprintln!("left behind by daemon {} in {}: {error:#}", self.instance, self.data.path().display());
        }
    }
}

/// `PREVIEWD_BENCH_BINARY` names another build of the daemon, to compare two of them.
fn binary() -> OsString {
    std::env::var_os("PREVIEWD_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_previewd").into())
}

/// Instances of benches have names that say so.
async fn name_instance(data: &tempfile::TempDir) -> anyhow::Result<String> {
    let name = format!("bench{}", InstanceId::random());
    let config = store::Config {
        database_url: format!("sqlite://{}", data.path().join("previewd.db").display()),
        pool_size: 1,
        acquire_timeout: Duration::from_secs(10),
    };
    let store = Store::open(config).await?;
    let kept = store.put_setting_if_absent("instance", &name).await?;
    store.close().await;
    Ok(kept)
}

/// The daemon says in one line that it serves, and where.
fn address_of(process: &mut Child) -> anyhow::Result<SocketAddr> {
    let stdout = process.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let (_, address) = line.trim().rsplit_once("http://").with_context(|| format!("it said {line:?}"))?;
    Ok(address.parse()?)
}

fn accepted(answer: Answer, what: &str) -> anyhow::Result<Value> {
    match answer.status {
        200..=299 => Ok(answer.json()),
        status => bail!("{what}: {status} {}", answer.text()),
    }
}
