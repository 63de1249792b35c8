//! What the engine says about one container, in our words.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use bollard::models::{
    ContainerInspectResponse, ContainerState as EngineState, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, NetworkSettings,
};
use chrono::{DateTime, Datelike, Utc};

use super::ownership::of_container;
use super::{ContainerProcess, Ownership, Storage};
use crate::domain::ContainerStatus;

/// One container, looked at closely.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerState {
    pub id: String,
    pub name: String,
    /// As it was asked for: a name, or a content id.
    pub image: String,
    /// Content id.
    pub image_id: String,
    /// `None` when it does not carry labels of ours.
    pub ownership: Option<Ownership>,
    pub status: ContainerStatus,
    /// Processes exist; also true while paused.
    pub running: bool,
    pub paused: bool,
    /// Once it has run and ended.
    pub exit_code: Option<i64>,
    pub oom_killed: bool,
    /// Its first process while it runs.
    pub process: Option<ContainerProcess>,
    /// Where what it writes lies.
    pub storage: Storage,
    /// By network name, while it runs.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Names of all networks it is in, running or not.
    pub networks: Vec<String>,
    /// The network it was made in.
    pub home_network: Option<String>,
    /// The host's port, when one is published.
    pub published_port: Option<u16>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it could not be started, in the engine's words.
    pub error: Option<String>,
}

/// One line of the list of containers.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedContainer {
    pub id: String,
    pub name: String,
    /// As it was asked for: a name, or a content id.
    pub image: String,
    pub ownership: Ownership,
    pub status: ContainerStatus,
    /// The network it was made in.
    pub home_network: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
}

impl ContainerState {
    /// The address in one network.
    pub fn address_in(&self, network: &str) -> Option<IpAddr> {
        self.addresses.get(network).copied()
    }

    pub(super) fn new(answer: ContainerInspectResponse) -> Self {
        let id = answer.id.unwrap_or_default();
        let config = answer.config.unwrap_or_default();
        let state = answer.state.unwrap_or_default();
        let network = answer.network_settings.unwrap_or_default();
        let networks = network.networks.iter().flat_map(HashMap::keys).cloned().collect();
        let status = state.status.map_or(ContainerStatus::Unknown, ContainerStatus::from);
        let running = state.running.unwrap_or(false);
        let finished_at = state.finished_at.as_deref().and_then(moment);
        Self {
            name: plain_name(answer.name.as_deref()),
            image: config.image.unwrap_or_default(),
            image_id: answer.image.unwrap_or_default(),
            ownership: of_container(&config.labels.unwrap_or_default()),
            status,
            running,
            paused: state.paused.unwrap_or(false),
            exit_code: state.exit_code.filter(|_| !running && has_run(&state)),
            oom_killed: state.oom_killed.unwrap_or(false),
            process: process(&id, &state),
            storage: Storage::new(answer.graph_driver, answer.mounts),
            published_port: published_port(&network),
            addresses: addresses(network),
            networks,
            home_network: answer.host_config.and_then(|host| host.network_mode),
            started_at: state.started_at.as_deref().and_then(moment),
            finished_at: finished_at.filter(|_| !running),
            error: state.error.filter(|text| !text.is_empty()),
            id,
        }
    }
}

impl OwnedContainer {
    pub(super) fn new(summary: ContainerSummary) -> Option<Self> {
        let name = summary.names.unwrap_or_default().into_iter().next();
        Some(Self {
            id: summary.id?,
            name: plain_name(name.as_deref()),
            image: summary.image.unwrap_or_default(),
            ownership: of_container(&summary.labels?)?,
            status: summary.state.map_or(ContainerStatus::Unknown, ContainerStatus::from),
            home_network: summary.host_config.and_then(|host| host.network_mode),
            created_at: summary.created.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        })
    }
}

/// A start that failed leaves an exit code and a moment of its end, but no moment of a start.
fn has_run(state: &EngineState) -> bool {
    state.started_at.as_deref().and_then(moment).is_some()
        || state.finished_at.as_deref().and_then(moment).is_some()
}

fn process(id: &str, state: &EngineState) -> Option<ContainerProcess> {
    let pid = u32::try_from(state.pid?).ok().filter(|pid| *pid > 0)?;
    Some(ContainerProcess::new(id, pid))
}

fn addresses(network: NetworkSettings) -> BTreeMap<String, IpAddr> {
    let networks: HashMap<_, _> = network.networks.unwrap_or_default();
    networks.into_iter().filter_map(|(name, end)| Some((name, end.ip_address?.parse().ok()?))).collect()
}

fn published_port(network: &NetworkSettings) -> Option<u16> {
    let mut bindings = network.ports.as_ref()?.values().flatten().flatten();
    bindings.find_map(|binding| binding.host_port.as_deref()?.parse().ok())
}

/// The engine writes the year 1 where it means never.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (moment.year() > 1).then_some(moment)
}

/// The engine puts a slash in front of names.
fn plain_name(name: Option<&str>) -> String {
    name.unwrap_or_default().trim_start_matches('/').to_owned()
}

macro_rules! status_from {
    ($engine:ident) => {
        impl From<$engine> for ContainerStatus {
            fn from(status: $engine) -> Self {
                match status {
                    $engine::CREATED => Self::Created,
                    $engine::RUNNING | $engine::STOPPING => Self::Running,
                    $engine::PAUSED => Self::Paused,
                    $engine::RESTARTING => Self::Restarting,
                    $engine::REMOVING => Self::Removing,
                    $engine::EXITED => Self::Exited,
                    $engine::DEAD => Self::Dead,
                    $engine::EMPTY => Self::Unknown,
                }
            }
        }
    };
}

status_from!(ContainerStateStatusEnum);
status_from!(ContainerSummaryStateEnum);

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(state: serde_json::Value, network: serde_json::Value) -> ContainerState {
        let answer = serde_json::json!({
            "Id": "abc", "Name": "/pv-1", "Image": "sha256:1", "State": state, "NetworkSettings": network,
            "Config": {"Image": "app:1", "Labels": {}},
        });
        ContainerState::new(serde_json::from_value(answer).expect("an answer"))
    }

    #[test]
    fn a_running_one_has_a_process_and_an_address() {
        let state = inspected(
            serde_json::json!({
                "Status": "running", "Running": true, "Pid": 42, "ExitCode": 0,
                "StartedAt": "2026-01-02T03:04:05.5Z", "FinishedAt": "0001-01-01T00:00:00Z",
            }),
            serde_json::json!({
                "Networks": {"net-1": {"IPAddress": "10.9.0.2"}, "other": {"IPAddress": ""}},
                "Ports": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}], "9/tcp": null},
            }),
        );
        assert_eq!((state.name.as_str(), state.status), ("pv-1", ContainerStatus::Running));
        assert_eq!(state.process.as_ref().map(ContainerProcess::pid), Some(42));
        assert_eq!(state.address_in("net-1"), "10.9.0.2".parse().ok());
        assert_eq!(state.addresses.len(), 1);
        assert_eq!(state.published_port, Some(32768));
        assert_eq!((state.exit_code, state.finished_at), (None, None));
        assert!(state.started_at.is_some());
    }

    #[test]
    fn only_what_has_run_has_an_exit_code() {
        let never = serde_json::json!({
            "Status": "created", "Running": false, "Pid": 0, "ExitCode": 0,
            "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z",
        });
        let created = inspected(never, serde_json::json!({}));
        assert_eq!((created.exit_code, created.process), (None, None));
        let ended = serde_json::json!({
            "Status": "exited", "Running": false, "ExitCode": 137, "OOMKilled": true,
            "StartedAt": "2026-01-02T03:04:05Z", "FinishedAt": "2026-01-02T03:04:06Z",
        });
        let exited = inspected(ended, serde_json::json!({}));
        assert_eq!((exited.exit_code, exited.oom_killed), (Some(137), true));
    }
}
