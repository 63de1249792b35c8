//! `previewd doctor`: what stands in the way of a launch on this host, and what to do about it.

use std::path::Path;

use serde::Serialize;

use super::ConfigArgs;
use crate::cli::output::{Cell, Console, Tone, bytes};
use crate::cli::settings::Globals;
use crate::config::Config;
use crate::data_dir;
use crate::databases::ServerKind;
use crate::domain::{DatabaseMode, Egress, InstanceId};
use crate::engine::{Engine, EngineInfo, Firewall};
use crate::orchestrator::{Room, free_at, room};
use crate::store::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do; empty when there is nothing to do.
    advice: String,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), advice: String::new() }
    }

    fn warning(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, found: found.into(), advice: advice.into() }
    }

    fn failed(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Failed, found: found.into(), advice: advice.into() }
    }
}

pub async fn doctor(globals: Globals, args: ConfigArgs) -> anyhow::Result<()> {
    let config = super::load(&globals, &args, None)?;
    let mut findings = vec![database(&config).await];
    let floor = config.orchestrator.upkeep.disk_floor;
    let engine = Engine::connect(config.engine(InstanceId::random()))?;
    match engine.info().await {
        Ok(info) => {
            findings.extend(engine_findings(&info));
            findings.push(base_images(&config, &engine).await);
            findings.extend(database_images(&config, &engine).await);
            findings.push(networks(&config, &engine).await);
            findings.push(reach(&engine).await);
            findings.push(egress(&config, &engine).await);
            findings.push(storage(&info));
            findings.extend(disk("disk of images", Path::new(&info.data_root), floor));
        }
        Err(error) => findings.push(Finding::failed(
            "engine",
            error.to_string(),
            format!(
                "start a Docker engine, or set DOCKER_HOST (now {}); `make setup` installs one",
                config.docker_host
            ),
        )),
    }
    findings.extend(disk("disk of data", &config.data_dir, floor));
    show(&globals, &findings)?;
    match findings.iter().any(|finding| finding.verdict == Verdict::Failed) {
        true => anyhow::bail!("launches will not work until what failed is mended"),
        false => Ok(()),
    }
}

async fn database(config: &Config) -> Finding {
    if let Err(error) = data_dir::make(&config.data_dir) {
        return Finding::failed(
            "data directory",
            error.to_string(),
            "set PREVIEW_DATA_DIR to a place you may write",
        );
    }
    match Store::open(config.store.clone()).await {
        Ok(store) => {
            Finding::ok("database", format!("{}, schema {}", store.backend(), store.schema_version()))
        }
        Err(error) => {
            Finding::failed("database", error.to_string(), "check DATABASE_URL and that its server runs")
        }
    }
}

fn engine_findings(info: &EngineInfo) -> Vec<Finding> {
    let found = format!("Docker {} (API {}), {}", info.version, info.api_version, info.storage_driver);
    let mut findings = vec![Finding::ok("engine", found)];
    findings.push(match info.buildkit {
        true => Finding::ok("builder", "BuildKit"),
        false => Finding::warning(
            "builder",
            "no BuildKit",
            "builds use the classic builder: slower, no cache mounts",
        ),
    });
    findings.push(Finding::ok("cgroups", format!("v{}", info.cgroup_version)));
    let confined = info.security_options.iter().any(|option| option.contains("seccomp"));
    findings.push(match confined {
        true => Finding::ok("seccomp", "on"),
        false => {
            Finding::warning("seccomp", "off", "use an engine with seccomp: previews run strangers' code")
        }
    });
    for warning in &info.warnings {
        findings.push(Finding::warning("engine", warning.clone(), "limits that depend on it do not hold"));
    }
    findings
}

async fn base_images(config: &Config, engine: &Engine) -> Finding {
    let mut missing = Vec::new();
    let wanted = config.orchestrator.images.bases.defaults();
    for image in &wanted {
        if !matches!(engine.image_id(image).await, Ok(Some(_))) {
            missing.push(image.clone());
        }
    }
    match missing.is_empty() {
        true => Finding::ok("base images", wanted.join(", ")),
        false => Finding::failed(
            "base images",
            format!("missing: {}", missing.join(", ")),
            "run `make setup`, or name images that are there in PREVIEW_BASE_IMAGES",
        ),
    }
}

/// Of no account to previews without a database.
async fn database_images(config: &Config, engine: &Engine) -> Vec<Finding> {
    let databases = &config.orchestrator.databases;
    let mut findings = Vec::new();
    for (kind, is_given) in
        [(ServerKind::Postgresql, databases.postgresql), (ServerKind::Mysql, databases.mysql)]
    {
        if !is_given || databases.mode == DatabaseMode::External {
            continue;
        }
        let image = databases.images.of(kind, "");
        findings.push(match engine.image_id(&image).await {
            Ok(Some(_)) => Finding::ok("database image", image),
            _ => Finding::warning(
                "database image",
                format!("missing: {image}"),
                format!(
                    "previews get no {}; run `infra/base-images.sh {}`, or see PREVIEW_DATABASE_IMAGES",
                    kind.product(),
                    kind.base()
                ),
            ),
        });
    }
    if databases.redis {
        let image = databases.images.redis.clone();
        findings.push(match engine.image_id(&image).await {
            Ok(Some(_)) => Finding::ok("cache image", image),
            _ => Finding::warning(
                "cache image",
                format!("missing: {image}"),
                "previews get no Redis; run `infra/base-images.sh redis`, or see PREVIEW_DATABASE_IMAGES",
            ),
        });
    }
    findings
}

async fn networks(config: &Config, engine: &Engine) -> Finding {
    let pool = config.orchestrator.networks.pool;
    match engine.all_subnets().await {
        Ok(subnets) if pool.has_room(&subnets) => {
            Finding::ok("networks", format!("{pool}, {} in all", pool.capacity()))
        }
        Ok(_) => Finding::failed(
            "networks",
            format!("nothing is free in {pool}"),
            "set PREVIEW_NETWORK_POOL to a block that no other network uses",
        ),
        Err(error) => Finding::warning("networks", error.to_string(), "try again"),
    }
}

async fn reach(engine: &Engine) -> Finding {
    match engine.addresses_reachable().await {
        Ok(true) => Finding::ok("reach", "container addresses can be dialled"),
        Ok(false) => Finding::warning(
            "reach",
            "container addresses cannot be dialled from here",
            "previews publish a loopback port instead; on the engine's own host this is not needed",
        ),
        Err(error) => Finding::warning("reach", error.to_string(), "try again"),
    }
}

/// Whether previews can be kept from the host, its neighbours and each other.
async fn egress(config: &Config, engine: &Engine) -> Finding {
    let allowed = &config.orchestrator.egress.allowed;
    let unable = match engine.addresses_reachable().await {
        Ok(false) => Some("the engine's networks are not on this host".to_owned()),
        _ => Firewall::new(engine.instance()).probe().await.err().map(|error| error.to_string()),
    };
    let Some(reason) = unable else { return Finding::ok("egress", format!("{allowed}, kept by iptables")) };
    let advice = "run the daemon as root, or with CAP_NET_ADMIN, on the engine's own host, with iptables installed; \
                  until then previews reach the host, its neighbours and metadata services";
    match allowed {
        Egress::Open => Finding::warning("egress", format!("not restricted: {reason}"), advice),
        _ => Finding::failed("egress", format!("{allowed} cannot be kept: {reason}"), advice),
    }
}

/// Whether what previews write can be measured, and so bounded.
fn storage(info: &EngineInfo) -> Finding {
    let volumes = Path::new(&info.data_root).join("volumes");
    match std::fs::read_dir(&volumes) {
        Ok(_) => Finding::ok("storage limits", "what previews write is measured"),
        Err(error) => Finding::warning(
            "storage limits",
            format!("not kept: {}: {error}", volumes.display()),
            "run the daemon as root, or with CAP_DAC_READ_SEARCH, on the engine's own host",
        ),
    }
}

/// `None` where the directory is not on this host.
fn disk(check: &'static str, dir: &Path, floor: u64) -> Option<Finding> {
    let found = format!("{} free at {}", bytes(free_at(dir)?), dir.display());
    let advice =
        "free some: `previewd gc` removes unused images; PREVIEW_DISK_FLOOR_MB says how much is enough";
    Some(match room(&[dir.to_owned()], floor) {
        Room::Enough => Finding::ok(check, found),
        Room::Tight(_) => Finding::warning(check, found, advice),
        Room::Out(_) => Finding::failed(check, found, advice),
    })
}

fn show(globals: &Globals, findings: &[Finding]) -> anyhow::Result<()> {
    let console = Console::new(globals.json);
    if globals.json {
        console.value(&findings)?;
        return Ok(());
    }
    let row = |finding: &Finding| {
        let (word, tone) = match finding.verdict {
            Verdict::Ok => ("ok", Tone::Good),
            Verdict::Warning => ("warning", Tone::Busy),
            Verdict::Failed => ("failed", Tone::Bad),
        };
        vec![
            Cell::toned(word, tone),
            Cell::new(finding.check),
            Cell::new(&finding.found),
            Cell::new(&finding.advice),
        ]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    console.table(&["", "CHECK", "FOUND", "WHAT TO DO"], &rows)?;
    Ok(())
}
