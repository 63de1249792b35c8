//! What kind of engine it is, and whether its containers can be dialled from here.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};
use bollard::query_parameters::ListNetworksOptions;

use super::{Engine, EngineError};

/// Facts about the engine, as it tells them.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineInfo {
    /// `20.10.24`.
    pub version: String,
    /// `1.41`.
    pub api_version: String,
    pub operating_system: String,
    pub storage_driver: String,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Whether it can build with BuildKit.
    pub buildkit: bool,
    /// What the engine itself complains of: missing swap accounting, open API ports.
    pub warnings: Vec<String>,
    pub cpus: u64,
    pub memory_bytes: u64,
    /// Names a container may ask for: `runc`, `runsc`.
    pub runtimes: Vec<String>,
    /// `name=seccomp,profile=default`, `name=apparmor`.
    pub security_options: Vec<String>,
    /// Where images and volumes lie, on the engine's host.
    pub data_root: String,
}

impl Engine {
    pub async fn info(&self) -> Result<EngineInfo, EngineError> {
        let version = self.version().await?;
        let info = self.call("read the engine's info", |docker| docker.info()).await?;
        // The library compares this with what it knows; it only ever lowers its own version.
        self.call("negotiate the API version", |docker| docker.clone().negotiate_version()).await?;
        Ok(EngineInfo::new(&version, info))
    }

    pub(super) async fn version(&self) -> Result<SystemVersion, EngineError> {
        self.call("read the engine's version", |docker| docker.version()).await
    }

    /// Whether this process can dial the addresses of containers: it can when the gateway of a
    /// bridge network is an address of this very host (network namespace). Not so for a remote
    /// engine, one inside a virtual machine, or when we run in a container of our own.
    pub async fn addresses_reachable(&self) -> Result<bool, EngineError> {
        if !self.0.address.is_local() {
            return Ok(false);
        }
        let info = self.call("read the engine's info", |docker| docker.info()).await?;
        if info.operating_system.as_deref() == Some("Docker Desktop") {
            return Ok(false);
        }
        let filter = [("driver".to_owned(), vec!["bridge".to_owned()])].into();
        let options = ListNetworksOptions { filters: Some(filter) };
        let networks = self.call("list networks", |docker| docker.list_networks(Some(options))).await?;
        let configs = networks.into_iter().filter_map(|network| network.ipam?.config).flatten();
        let gateways =
            configs.filter_map(|config| gateway(config.gateway.as_deref(), config.subnet.as_deref()));
        Ok(gateways.into_iter().any(|gateway| TcpListener::bind((gateway, 0)).is_ok()))
    }
}

/// Some engines do not tell the gateway of their default network: it is the first address.
fn gateway(named: Option<&str>, subnet: Option<&str>) -> Option<IpAddr> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return named.split('/').next()?.parse().ok();
    }
    let base: Ipv4Addr = subnet?.split('/').next()?.parse().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(u32::from(base).checked_add(1)?)))
}

impl EngineInfo {
    fn new(version: &SystemVersion, info: SystemInfo) -> Self {
        let unsigned = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
        let mut runtimes: Vec<_> = info.runtimes.unwrap_or_default().into_keys().collect();
        runtimes.sort();
        Self {
            version: version.version.clone().or(info.server_version).unwrap_or_default(),
            api_version: version.api_version.clone().unwrap_or_default(),
            operating_system: info.operating_system.unwrap_or_default(),
            storage_driver: info.driver.unwrap_or_default(),
            cgroup_version: match info.cgroup_version {
                Some(SystemInfoCgroupVersionEnum::_2) => 2,
                _ => 1,
            },
            buildkit: has_buildkit(version),
            warnings: info.warnings.unwrap_or_default(),
            cpus: unsigned(info.ncpu),
            memory_bytes: unsigned(info.mem_total),
            runtimes,
            security_options: info.security_options.unwrap_or_default(),
            data_root: info.docker_root_dir.unwrap_or_default(),
        }
    }
}

/// BuildKit builds came with API 1.39. Podman answers the same API and does not have them.
pub(super) fn has_buildkit(version: &SystemVersion) -> bool {
    let api = version.api_version.as_deref().and_then(|text| text.split_once('.'));
    let api = api.and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    let podman = version.components.iter().flatten().any(|part| part.name.contains("Podman"));
    let linux = version.os.as_deref().is_none_or(|os| os == "linux");
    api.is_some_and(|api| api >= (1, 39)) && linux && !podman
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_the_named_one_or_the_first_address() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(gateway(Some("10.1.0.1"), None), ip("10.1.0.1"));
        assert_eq!(gateway(Some("10.1.0.1/16"), None), ip("10.1.0.1"));
        assert_eq!(gateway(Some(""), Some("172.17.0.0/16")), ip("172.17.0.1"));
        assert_eq!(gateway(None, Some("fd00::/64")), None);
        assert_eq!(gateway(None, None), None);
    }

    #[test]
    fn buildkit_needs_a_docker_of_its_age() {
        let version = |api: &str| SystemVersion { api_version: Some(api.into()), ..Default::default() };
        assert!(has_buildkit(&version("1.41")));
        assert!(!has_buildkit(&version("1.38")));
        assert!(!has_buildkit(&SystemVersion::default()));
        let part = bollard::models::SystemVersionComponents {
            name: "Podman Engine".into(),
            version: "4.3".into(),
            details: None,
        };
        assert!(!has_buildkit(&SystemVersion { components: Some(vec![part]), ..version("1.41") }));
    }
}
