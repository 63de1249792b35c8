//! All settings: which there are, where each came from, and the [`Config`] of every part.
//!
//! Each part documents its own settings at its own `Config`; here they are read and checked
//! together, so that `previewd config` can print all of them and a slip stops the start.

mod api_settings;
mod databases;
mod parse;
mod reader;
mod reserves;
mod upkeep;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use reader::{ConfigError, Effective, Origin};

use crate::domain::{Egress, InstanceId, ResourceLimits, TierTable};
use crate::generation::{BaseImages, BuildInputs};
use crate::orchestrator::{AddressPool, Dial, EgressConfig, ImagesConfig, NetworksConfig};
use crate::seal::{NamedKeys, parse_keys};
use crate::streams::samples;
use crate::{api, engine, ingress, orchestrator, store, streams, webhooks};
use parse::{duration_s, flag, in_range, optional, tier, word};
use reader::Reader;

/// The configuration of every part.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_LISTEN`, default 127.0.0.1:8000: where the API is served.
    pub listen: SocketAddr,
    /// `PREVIEW_DATA_DIR`, default the user's XDG data directory: database, key, token.
    pub data_dir: PathBuf,
    /// `DOCKER_HOST`, default unix:///var/run/docker.sock.
    pub docker_host: String,
    pub builder: engine::Builder,
    /// `PREVIEW_ENGINE_TIMEOUT`, seconds, default 30: one call of the engine.
    pub engine_timeout: Duration,
    pub store: store::Config,
    pub ingress: ingress::Config,
    pub streams: streams::Config,
    pub samples: streams::samples::Config,
    pub orchestrator: orchestrator::Config,
    pub api: api::Config,
    pub webhooks: webhooks::Config,
    /// `PREVIEW_SEAL_KEYS`, default those of the data directory: what secrets are encrypted with in
    /// the store, each of 64 hex digits, the newest first.
    pub seal_keys: Option<NamedKeys>,
    /// Every setting as it is in force, for `previewd config`.
    pub effective: Vec<Effective>,
}

/// What the command line says over environment and file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    pub data_dir: Option<PathBuf>,
    pub file: Option<PathBuf>,
}

impl Config {
    /// Reads this process's environment.
    pub fn from_env(overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        Self::read(reader::as_text(std::env::vars_os())?, overrides)
    }

    pub fn read(
        environment: impl IntoIterator<Item = (String, String)>,
        overrides: &Overrides,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader::new(with(environment, overrides), overrides.file.as_deref())
            .map_err(|error| vec![error])?;
        let parts = read_parts(&mut reader);
        let effective = reader.finish()?;
        // Every `take` gave a value or recorded an error, and there was no error.
        let mut config = parts.ok_or_else(Vec::new)?;
        config.effective = effective;
        Ok(config)
    }

    /// The engine's part, once the installation has a name.
    pub fn engine(&self, instance: InstanceId) -> engine::Config {
        engine::Config {
            docker_host: self.docker_host.clone(),
            builder: self.builder,
            call_timeout: self.engine_timeout,
            build_timeout: self.orchestrator.images.timeout,
            ..engine::Config::new(instance)
        }
    }
}

/// Flags are settings too: the strongest.
fn with(
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Vec<(String, String)> {
    let flags = [
        ("PREVIEW_LISTEN", overrides.listen.map(|listen| listen.to_string())),
        ("PREVIEW_DATA_DIR", overrides.data_dir.as_ref().map(|dir| dir.display().to_string())),
    ];
    let mut all: Vec<_> = environment.into_iter().collect();
    for (name, value) in flags {
        if let Some(value) = value {
            all.retain(|(other, _)| other != name);
            all.push((name.to_owned(), value));
        }
    }
    all
}

fn read_parts(r: &mut Reader) -> Option<Config> {
    let listen =
        r.take("PREVIEW_LISTEN", "127.0.0.1:8000", "an address such as 127.0.0.1:8000", word::<SocketAddr>);
    let data_dir =
        r.take("PREVIEW_DATA_DIR", &default_data_dir(), "a directory", |text| Some(PathBuf::from(text)))?;
    let docker_host =
        r.take("DOCKER_HOST", "unix:///var/run/docker.sock", "unix:///path or tcp://host:port", |text| {
            (text.starts_with("unix:///") || text.starts_with("tcp://")).then(|| text.to_owned())
        });
    let builder = r.take("PREVIEW_BUILDER", "auto", "auto, buildkit or classic", |text| match text {
        "auto" => Some(engine::Builder::Auto),
        "buildkit" => Some(engine::Builder::BuildKit),
        "classic" => Some(engine::Builder::Classic),
        _ => None,
    });
    let engine_timeout = r.take("PREVIEW_ENGINE_TIMEOUT", "30", "1 to 600 seconds", duration_s(1..=600));
    let domain = r.take("PREVIEW_DOMAIN", "", "a domain such as preview.example.org", optional(host_name))?;
    let store = read_store(r, &data_dir);
    let ingress = read_ingress(r, domain.clone());
    let streams = read_streams(r);
    let samples = read_samples(r);
    let api = api_settings::read(r);
    let has_tls = api.as_ref().is_some_and(|api| api.serve.tls.is_some());
    let orchestrator = read_orchestrator(r, domain, has_tls, &data_dir);
    let webhooks = read_webhooks(r);
    let expected = "keys of 64 hex digits, the newest first, with commas";
    let seal_keys = r.take_secret("PREVIEW_SEAL_KEYS", "", expected, optional(parse_keys));
    read_others(r);
    Some(Config {
        listen: listen?,
        data_dir,
        docker_host: docker_host?,
        builder: builder?,
        engine_timeout: engine_timeout?,
        store: store?,
        ingress: ingress?,
        streams: streams?,
        samples: samples?,
        orchestrator: orchestrator?,
        api: api?,
        webhooks: webhooks?,
        seal_keys: seal_keys?,
        effective: Vec::new(),
    })
}

fn read_store(r: &mut Reader, data_dir: &Path) -> Option<store::Config> {
    let default = format!("sqlite://{}", data_dir.join("previewd.db").display());
    let url = r.take_secret("DATABASE_URL", &default, "sqlite://PATH or postgres://…", |text| {
        let known = ["sqlite:", "postgres://", "postgresql://"];
        known.iter().any(|scheme| text.starts_with(scheme)).then(|| text.to_owned())
    });
    let size = r.take("PREVIEW_POSTGRESQL_POOL_SIZE", "10", "1 to 200 connections", in_range(1..=200));
    let wait = r.take("PREVIEW_POSTGRESQL_POOL_TIMEOUT", "30", "1 to 300 seconds", duration_s(1..=300));
    Some(store::Config { database_url: url?, pool_size: u32::try_from(size?).ok()?, acquire_timeout: wait? })
}

fn read_ingress(r: &mut Reader, domain: Option<String>) -> Option<ingress::Config> {
    let port = "a port from 1 to 65535";
    let min = r.take("PREVIEW_PORT_MIN", "3001", port, in_range(1..=65535));
    let max = r.take("PREVIEW_PORT_MAX", "3100", port, in_range(1..=65535));
    let bind = r.take("PREVIEW_BIND", "127.0.0.1", "an IP address", word);
    let mut seconds = |name, default| r.take(name, default, "1 to 3600 seconds", duration_s(1..=3600));
    let request = seconds("PREVIEW_REQUEST_TIMEOUT", "60");
    let connect = seconds("PREVIEW_CONNECT_TIMEOUT", "5");
    let wake = seconds("PREVIEW_WAKE_TIMEOUT", "10");
    let header = seconds("PREVIEW_HEADER_TIMEOUT", "15");
    let body = seconds("PREVIEW_BODY_TIMEOUT", "60");
    let send = seconds("PREVIEW_SEND_TIMEOUT", "60");
    let keep_alive = seconds("PREVIEW_KEEP_ALIVE_TIMEOUT", "75");
    let idle = seconds("PREVIEW_UPSTREAM_IDLE_TIMEOUT", "4");
    let drain = seconds("PREVIEW_DRAIN_TIMEOUT", "1");
    let live = r.take("PREVIEW_LIVE_RELOAD", "true", "true or false", flag);
    let connections = r.take("PREVIEW_MAX_CONNECTIONS", "1024", "1 to 1000000", in_range(1..=1_000_000));
    let kept = r.take("PREVIEW_UPSTREAM_IDLE", "256", "0 to 100000", in_range(0..=100_000));
    let (min, max) = (u16::try_from(min?).ok()?, u16::try_from(max?).ok()?);
    if min > max {
        r.contradiction("PREVIEW_PORT_MIN", "PREVIEW_PORT_MAX", format!("{min} is above {max}"));
    }
    Some(ingress::Config {
        port_min: min,
        port_max: max,
        bind: bind?,
        domain,
        request_timeout: request?,
        connect_timeout: connect?,
        wake_timeout: wake?,
        header_timeout: header?,
        body_timeout: body?,
        send_timeout: send?,
        keep_alive_timeout: keep_alive?,
        max_connections: connections?,
        max_idle: usize::try_from(kept?).ok()?,
        idle_timeout: idle?,
        live_reload: live?,
        drain_timeout: drain?,
    })
}

fn read_streams(r: &mut Reader) -> Option<streams::Config> {
    let buffer =
        r.take("PREVIEW_LOG_STREAM_BUFFER_SIZE", "1000", "10 to 100000 lines", in_range(10..=100_000));
    let lines = r.take("PREVIEW_LOG_MAX_LINES", "10000", "100 to 100000 lines", in_range(100..=100_000));
    let total = "10000 to 1000000000 lines";
    let total = r.take("PREVIEW_LOG_TOTAL_LINES", "5000000", total, in_range(10_000..=1_000_000_000));
    let days = r.take("PREVIEW_LOG_RETENTION_DAYS", "7", "1 to 3650 days", in_range(1..=3650));
    let backends =
        "database or file (this version ships no lines to syslog, elasticsearch, cloudwatch or otlp)";
    let backend = r.take("PREVIEW_LOG_BACKEND", "database", backends, |text| match text {
        "database" => Some(streams::Backend::Database),
        "file" => Some(streams::Backend::File),
        _ => None,
    });
    Some(streams::Config {
        subscriber_lines: usize::try_from(buffer?).ok()?,
        lines: usize::try_from(lines?).ok()?,
        backend: backend?,
        retention_days: days?,
        total_lines: total?,
        ..streams::Config::default()
    })
}

fn read_samples(r: &mut Reader) -> Option<samples::Config> {
    let interval = r.take("PREVIEW_SAMPLE_INTERVAL", "2", "1 to 60 seconds", duration_s(1..=60));
    let source = r.take("PREVIEW_SAMPLE_SOURCE", "auto", "auto or engine", |text| match text {
        "auto" => Some(samples::SourceChoice::Auto),
        "engine" => Some(samples::SourceChoice::Engine),
        _ => None,
    });
    let days = r.take("PREVIEW_METRICS_RETENTION_DAYS", "30", "1 to 3650 days", in_range(1..=3650));
    let retention = Duration::from_secs(days? * 86_400);
    Some(samples::Config { interval: interval?, source: source?, retention, ..samples::Config::default() })
}

fn read_orchestrator(
    r: &mut Reader,
    domain: Option<String>,
    domain_has_tls: bool,
    data_dir: &Path,
) -> Option<orchestrator::Config> {
    let tiers = read_tiers(r);
    let per_user = r.take("PREVIEW_MAX_INSTANCES_PER_USER", "3", "1 to 10000", in_range(1..=10_000));
    let live = r.take("PREVIEW_MAX_CONCURRENCY", "100", "1 to 10000", in_range(1..=10_000));
    let startup = r.take("PREVIEW_STARTUP_TIMEOUT", "30", "1 to 600 seconds", duration_s(1..=600));
    let interval = r.take("PREVIEW_HEALTH_CHECK_INTERVAL", "30", "1 to 3600 seconds", duration_s(1..=3600));
    let timeout = r.take("PREVIEW_HEALTH_CHECK_TIMEOUT", "10", "1 to 300 seconds", duration_s(1..=300));
    let idle = r.take("PREVIEW_IDLE_PAUSE", "300", "0 (never) to 86400 seconds", duration_s(0..=86_400));
    let restarts = r.take("PREVIEW_MAX_RESTARTS", "3", "0 to 100", in_range(0..=100));
    let pause = r.take("PREVIEW_RESTART_PAUSE", "1", "1 to 60 seconds", duration_s(1..=60));
    let private = r.take("PREVIEW_PRIVATE", "false", "true or false", flag);
    let extensions = r.take("PREVIEW_MAX_EXTENSIONS", "3", "0 to 1000", in_range(0..=1000));
    let runtime = r.take("PREVIEW_RUNTIME", "", "a runtime of the engine such as runsc", optional(host_name));
    let dial = r.take("PREVIEW_DIAL", "auto", "auto, container or published", |text| match text {
        "auto" => Some(None),
        "container" => Some(Some(Dial::Container)),
        "published" => Some(Some(Dial::Published)),
        _ => None,
    });
    let every = r.take("PREVIEW_RECONCILE_INTERVAL", "3", "1 to 300 seconds", duration_s(1..=300));
    let parked = reserves::parked(r);
    let warm = reserves::warm(r);
    let memory = reserves::memory(r);
    let networks = read_networks(r);
    let images = read_images(r);
    let databases = databases::read(r, images.as_ref());
    let egress = r.take(
        "PREVIEW_EGRESS",
        "open",
        "open, none, or public addresses, blocks and host names with commas",
        |text| Egress::parse(text).ok(),
    );
    let upkeep = upkeep::read(r, data_dir);
    Some(orchestrator::Config {
        tiers: tiers?,
        max_per_user: u32::try_from(per_user?).ok()?,
        max_live: u32::try_from(live?).ok()?,
        startup_timeout: startup?,
        health_interval: interval?,
        health_timeout: timeout?,
        idle_pause: Some(idle?).filter(|idle| !idle.is_zero()),
        max_restarts: u32::try_from(restarts?).ok()?,
        restart_pause: pause?,
        private: private?,
        max_extensions: u32::try_from(extensions?).ok()?,
        runtime: runtime?,
        domain,
        domain_has_tls,
        dial: dial?,
        parked: parked?,
        warm: warm?,
        memory: memory?,
        egress: EgressConfig {
            allowed: egress?,
            pool: networks.as_ref()?.pool,
            databases: databases.as_ref()?.external_addresses(),
        },
        networks: networks?,
        images: images?,
        databases: databases?,
        upkeep: upkeep?,
        reconcile_every: every?,
    })
}

fn read_tiers(r: &mut Reader) -> Option<TierTable> {
    let expected = "JSON such as {\"memory\":256,\"cpu\":0.5}: MiB from 16, cores from 0.05";
    let mut read = |name, default, storage_mb| {
        let (memory, cpu) = r.take(name, default, expected, tier)?;
        Some(ResourceLimits::new(memory, cpu, storage_mb))
    };
    let free = read("PREVIEW_RESOURCE_TIER_FREE", "{\"memory\":256,\"cpu\":0.5}", 1024);
    let pro = read("PREVIEW_RESOURCE_TIER_PRO", "{\"memory\":1024,\"cpu\":2}", 2048);
    let enterprise = read("PREVIEW_RESOURCE_TIER_ENTERPRISE", "{\"memory\":2048,\"cpu\":4}", 4096);
    Some(TierTable { free: free?, pro: pro?, enterprise: enterprise? })
}

fn read_networks(r: &mut Reader) -> Option<NetworksConfig> {
    let pool = r.take(
        "PREVIEW_NETWORK_POOL",
        "10.213.0.0/16",
        "an IPv4 block from /8 to /28 that nothing else here uses",
        AddressPool::parse,
    );
    let spares = r.take("PREVIEW_NETWORK_SPARES", "2", "0 to 100 networks", in_range(0..=100));
    let rest = r.take("PREVIEW_NETWORK_REST", "30", "0 to 3600 seconds", duration_s(0..=3600));
    Some(NetworksConfig { pool: pool?, spares: usize::try_from(spares?).ok()?, rest: rest? })
}

fn read_images(r: &mut Reader) -> Option<ImagesConfig> {
    let concurrency = r.take("PREVIEW_BUILD_CONCURRENCY", "2", "1 to 64 builds", in_range(1..=64));
    let queue = r.take("PREVIEW_BUILD_QUEUE", "64", "1 to 10000 builds", in_range(1..=10_000));
    let timeout = r.take("PREVIEW_BUILD_TIMEOUT", "600", "10 to 7200 seconds", duration_s(10..=7200));
    let memory = r.take("PREVIEW_BUILD_MEMORY_MB", "2048", "128 to 65536 MiB", in_range(128..=65_536));
    let bases = read_bases(r);
    let inputs = read_build_inputs(r);
    Some(ImagesConfig {
        concurrency: usize::try_from(concurrency?).ok()?,
        queue: usize::try_from(queue?).ok()?,
        timeout: timeout?,
        memory_mb: memory?,
        bases: bases?,
        inputs: inputs?,
    })
}

fn read_bases(r: &mut Reader) -> Option<BaseImages> {
    let expected =
        "JSON with any of python, node, staticSite, go, rust, pythonVersions, nodeVersions, aliases, allowed";
    r.take("PREVIEW_BASE_IMAGES", "{}", expected, |text| serde_json::from_str(text).ok())
}

/// What build steps need on hosts behind proxies. Mirrors may carry credentials.
fn read_build_inputs(r: &mut Reader) -> Option<BuildInputs> {
    let url = |text: &str| {
        let ok = (text.starts_with("http://") || text.starts_with("https://"))
            && !text.contains(char::is_whitespace);
        ok.then(|| text.to_owned())
    };
    let file = "a readable PEM file";
    let ca = r.take("PREVIEW_BUILD_CA_BUNDLE", "", file, optional(|path| std::fs::read(path).ok()))?;
    let mut mirror = |name| r.take_secret(name, "", "an http or https URL", optional(url));
    let pip = mirror("PREVIEW_PIP_INDEX_URL")?;
    let npm = mirror("PREVIEW_NPM_REGISTRY")?;
    let apt = mirror("PREVIEW_APT_MIRROR")?;
    Some(BuildInputs {
        ca_bundle: ca.map(Into::into),
        pip_index_url: pip,
        npm_registry: npm,
        apt_mirror: apt,
        ..BuildInputs::default()
    })
}

fn read_webhooks(r: &mut Reader) -> Option<webhooks::Config> {
    let attempts = r.take("PREVIEW_WEBHOOK_ATTEMPTS", "8", "1 to 50", in_range(1..=50));
    let pause = r.take("PREVIEW_WEBHOOK_PAUSE", "5", "1 to 3600 seconds", duration_s(1..=3600));
    let timeout = r.take("PREVIEW_WEBHOOK_TIMEOUT", "10", "1 to 60 seconds", duration_s(1..=60));
    let private = r.take("PREVIEW_WEBHOOK_PRIVATE", "false", "true or false", flag);
    Some(webhooks::Config {
        attempts: u32::try_from(attempts?).ok()?,
        pause: pause?,
        timeout: timeout?,
        private: private?,
    })
}

/// Settings of the contract whose parts are still to come: known, checked, and shown.
fn read_others(r: &mut Reader) {
    r.take("DOCKER_IMAGE_REGISTRY", "", "a registry", |text| Some(text.to_owned()));
    r.take("PREVIEW_MEMORY_LIMIT_MB", "512", "16 to 1048576 MiB", in_range(16..=1_048_576));
    r.take("PREVIEW_SUPPORT_MONGODB", "true", "true or false", flag);
    r.take("PREVIEW_DOCKERFILE_CACHE", "true", "true or false", flag);
    r.take("SNAPSHOT_RATE_PER_MINUTE", "10", "1 to 10000", in_range(1..=10_000));
    for name in ["ENABLE_SSE", "ENABLE_FEATURE_FLAGS", "ENABLE_COST_ACCOUNTING"] {
        r.take(name, "true", "true or false", flag);
    }
}

/// `$XDG_DATA_HOME/previewd`, else `~/.local/share/previewd`.
pub fn default_data_dir() -> String {
    let home = || std::env::var("HOME").map(|home| format!("{home}/.local/share"));
    let base = std::env::var("XDG_DATA_HOME").ok().filter(|dir| dir.starts_with('/')).or_else(|| home().ok());
    format!("{}/previewd", base.unwrap_or_else(|| "/var/lib".to_owned()))
}

/// A DNS name, or a word that could be one.
fn host_name(text: &str) -> Option<String> {
    let ok = text.len() <= 200
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
    ok.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::read(environment, &Overrides::default())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = read(&[]).expect("the defaults are valid");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert_eq!((config.ingress.port_min, config.ingress.port_max), (3001, 3100));
        assert_eq!(config.orchestrator.max_per_user, 3);
        assert_eq!(config.orchestrator.tiers, TierTable::default());
        assert_eq!(config.api.session, Duration::from_secs(2 * 3600));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let errors = read(&[
            ("PREVIEW_PORT_MIN", "4000"),
            ("PREVIEW_PORT_MAX", "3000"),
            ("PREVIEW_STARTUP_TIMEOUT", "-1"),
            ("PREVIEW_NETWROK_POOL", "10.0.0.0/16"),
        ])
        .expect_err("accepted");
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("contradict")), "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("did you mean PREVIEW_NETWORK_POOL?")), "{errors:?}");
    }

    #[test]
    fn a_backend_that_is_not_there_is_told_from_a_misspelt_one() {
        for backend in ["syslog", "elasticsearch", "cloudwatch", "otlp"] {
            let errors = read(&[("PREVIEW_LOG_BACKEND", backend)]).expect_err("accepted");
            assert!(errors[0].contains("PREVIEW_LOG_BACKEND") && errors[0].contains(backend), "{errors:?}");
            assert!(errors[0].contains("this version ships no lines to syslog"), "{errors:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = read(&[("DATABASE_URL", "postgres://u:hunter2@h/db")]).expect("valid");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
