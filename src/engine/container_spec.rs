//! The one place that says what a container may do. The engine's configuration is written
//! here from nothing; no field of it comes from a caller unless [`ContainerSpec`] has it.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::{Kind, Ownership};
use crate::domain::ResourceLimits;

/// A container to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    pub name: String,
    /// A name or content id the engine holds.
    pub image: String,
    /// Run instead of what the image names, entry point included.
    pub command: Option<Vec<String>>,
    /// Given to the image's entry point in place of its own command; that, or the image's
    /// program itself where it has no entry point.
    pub arguments: Option<Vec<String>>,
    pub environment: BTreeMap<String, String>,
    /// The one network it joins.
    pub network: String,
    /// Under which others in that network find it, besides its own.
    pub names: Vec<String>,
    pub limits: ResourceLimits,
    pub ownership: Ownership,
    /// A container port to publish on 127.0.0.1 under a free port. Only where the daemon
    /// cannot dial container addresses.
    pub publish: Option<u16>,
    /// A runtime the engine knows, such as `runsc`; its default otherwise.
    pub runtime: Option<String>,
    /// Absolute; the image's otherwise.
    pub working_dir: Option<String>,
    /// Folders of the image that stay writable, absolute. The engine copies each into a volume
    /// of the container when that is created, owners and modes kept: some 0.4 ms a file, so
    /// what is large and never written (`node_modules`, a venv) belongs elsewhere. A folder the
    /// image does not have becomes an empty one of root's: use `scratch`.
    pub writable: Vec<String>,
    /// Further empty, writable folders in memory, absolute, besides `/tmp`, `/run` and the home.
    pub scratch: Vec<String>,
    /// Volumes that outlive the container.
    pub volumes: Vec<VolumeMount>,
}

/// A volume of ours in a container, for reading and writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    /// Its name. An empty one is filled with what the image has in the folder, owners kept.
    pub volume: String,
    /// Absolute.
    pub folder: String,
}

impl ContainerSpec {
    /// User and group of everything that runs in a container.
    pub const UID: u32 = 10001;
    /// The user's home, empty at every start.
    pub const HOME: &str = "/home/app";

    pub(super) fn to_engine(&self) -> ContainerCreateBody {
        let port = self.publish.map(|port| format!("{port}/tcp"));
        ContainerCreateBody {
            image: Some(self.image.clone()),
            user: Some(format!("{0}:{0}", Self::UID)),
            // An entry point given replaces the image's, and drops its command.
            entrypoint: self.command.clone(),
            cmd: self.arguments.clone(),
            env: Some(self.environment()),
            working_dir: self.working_dir.clone(),
            labels: Some(self.ownership.to_labels()),
            // The image's own check would start processes of its own; ours is from outside.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
            exposed_ports: port.clone().map(|port| vec![port]),
            attach_stdin: Some(false),
            open_stdin: Some(false),
            tty: Some(false),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(self.network.clone(), self.endpoint())])),
            }),
            host_config: Some(self.host_config(port)),
            ..Default::default()
        }
    }

    fn host_config(&self, port: Option<String>) -> HostConfig {
        HostConfig {
            memory: Some(self.limits.memory_bytes()),
            // Memory and swap together: no swap.
            memory_swap: Some(self.limits.memory_bytes()),
            nano_cpus: Some(self.limits.nano_cpus()),
            pids_limit: Some(i64::from(self.limits.pids)),
            ulimits: Some(vec![ulimit("nofile", 4096), ulimit("core", 0)]),
            // Previews go before the daemon and the engine when the host runs out of memory; a
            // database server, on which several of them depend, goes after them.
            oom_score_adj: Some(if self.ownership.kind == Kind::Server { 200 } else { 500 }),
            sysctls: self.sysctls(),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            privileged: Some(false),
            readonly_rootfs: Some(true),
            tmpfs: Some(self.tmpfs()),
            mounts: Some(self.mounts()),
            // Reaps zombies and passes SIGTERM on to servers that would ignore it as process 1.
            init: Some(true),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "10m".to_owned()),
                    ("max-file".to_owned(), "2".to_owned()),
                ])),
            }),
            network_mode: Some(self.network.clone()),
            ipc_mode: Some("private".into()),
            publish_all_ports: Some(false),
            port_bindings: port.map(|port| HashMap::from([(port, Some(vec![loopback_binding()]))])),
            runtime: self.runtime.clone(),
            ..Default::default()
        }
    }

    fn endpoint(&self) -> EndpointSettings {
        let aliases = (!self.names.is_empty()).then(|| self.names.clone());
        EndpointSettings { aliases, ..Default::default() }
    }

    /// The variables it finds, besides those of the image.
    pub fn given_environment(&self) -> BTreeMap<String, String> {
        let mut given = self.environment.clone();
        given.entry("HOME".to_owned()).or_insert_with(|| Self::HOME.to_owned());
        given
    }

    pub(super) fn environment(&self) -> Vec<String> {
        self.given_environment().iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Memory that looks like folders. It counts as the container's memory, so the sizes only
    /// keep a careless app from being killed where "no space left" would have told it more.
    fn tmpfs(&self) -> HashMap<String, String> {
        let uid = Self::UID;
        let share = (self.limits.memory_mb / 4).clamp(16, 256);
        // exec: pip, npx and just-in-time compilers run what they put there.
        let shared = format!("rw,exec,nosuid,nodev,size={share}m,mode=1777,uid={uid},gid={uid}");
        let own = format!("rw,exec,nosuid,nodev,size={share}m,mode=0755,uid={uid},gid={uid}");
        let run = format!("rw,noexec,nosuid,nodev,size=16m,mode=1777,uid={uid},gid={uid}");
        let fixed = [("/tmp", &shared), ("/run", &run), (Self::HOME, &own)];
        let further = self.scratch.iter().map(|folder| (folder.as_str(), &own));
        fixed
            .into_iter()
            .chain(further)
            .map(|(folder, options)| (folder.to_owned(), options.clone()))
            .collect()
    }

    /// A database server is in the network of every preview it serves, and must not be a way from
    /// one to another. The setting is of the container's own network namespace.
    fn sysctls(&self) -> Option<HashMap<String, String>> {
        (self.ownership.kind == Kind::Server)
            .then(|| HashMap::from([("net.ipv4.ip_forward".to_owned(), "0".to_owned())]))
    }

    fn mounts(&self) -> Vec<Mount> {
        let own = self.writable.iter().map(|folder| self.volume(folder));
        let named = self.volumes.iter().map(|mount| Mount {
            source: Some(mount.volume.clone()),
            target: Some(mount.folder.clone()),
            typ: Some(MountType::VOLUME),
            ..Default::default()
        });
        own.chain(named).collect()
    }

    /// Without a source the volume is anonymous: the engine fills it from the image and takes
    /// it away with the container.
    fn volume(&self, folder: &str) -> Mount {
        Mount {
            target: Some(folder.to_owned()),
            typ: Some(MountType::VOLUME),
            volume_options: Some(MountVolumeOptions {
                labels: Some(self.ownership.with_kind(Kind::Volume).to_labels()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

fn ulimit(name: &str, limit: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(limit), hard: Some(limit) }
}

fn loopback_binding() -> PortBinding {
    PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(String::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstanceId;

    fn spec() -> ContainerSpec {
        ContainerSpec {
            name: "pv-1".into(),
            image: "app:1".into(),
            command: None,
            arguments: None,
            environment: BTreeMap::from([("PORT".into(), "8000".into())]),
            network: "net-1".into(),
            names: vec![],
            limits: ResourceLimits::new(512, 0.5, 1024),
            ownership: Ownership::of(InstanceId::parse("abcd1234").expect("valid"), Kind::Preview),
            publish: None,
            runtime: None,
            working_dir: None,
            writable: vec!["/app".into()],
            scratch: vec![],
            volumes: vec![],
        }
    }

    /// The whole configuration as it is sent: a field more or less is a change of what
    /// untrusted code may do, and has to be made here as well.
    #[test]
    fn exactly_this_is_sent() {
        let sent = serde_json::to_value(spec().to_engine().host_config).expect("serialises");
        let labels = serde_json::json!({"previewd.instance": "abcd1234", "previewd.kind": "volume"});
        let tmpfs = "rw,exec,nosuid,nodev,size=128m,mode=1777,uid=10001,gid=10001";
        let expected = serde_json::json!({
            "Memory": 536870912, "MemorySwap": 536870912, "NanoCpus": 500000000, "PidsLimit": 256,
            "Ulimits": [
                {"Name": "nofile", "Soft": 4096, "Hard": 4096},
                {"Name": "core", "Soft": 0, "Hard": 0},
            ],
            "OomScoreAdj": 500, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"],
            "Privileged": false, "ReadonlyRootfs": true, "Init": true,
            "Tmpfs": {
                "/tmp": tmpfs,
                "/run": "rw,noexec,nosuid,nodev,size=16m,mode=1777,uid=10001,gid=10001",
                "/home/app": "rw,exec,nosuid,nodev,size=128m,mode=0755,uid=10001,gid=10001",
            },
            "Mounts": [{"Target": "/app", "Type": "volume", "VolumeOptions": {"Labels": labels}}],
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
            "NetworkMode": "net-1", "IpcMode": "private", "PublishAllPorts": false,
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn the_user_is_never_the_images() {
        let sent = spec().to_engine();
        assert_eq!(sent.user.as_deref(), Some("10001:10001"));
        assert_eq!(sent.env, Some(vec!["HOME=/home/app".into(), "PORT=8000".into()]));
        assert_eq!(sent.entrypoint, None);
        assert_eq!(sent.cmd, None);
    }

    #[test]
    fn a_database_server_forwards_nothing_and_keeps_its_volume() {
        let mut server = spec();
        server.ownership.kind = Kind::Server;
        server.volumes = vec![VolumeMount { volume: "pv-data".into(), folder: "/data".into() }];
        let host = server.to_engine().host_config.expect("a host configuration");
        assert_eq!(host.sysctls, Some(HashMap::from([("net.ipv4.ip_forward".into(), "0".into())])));
        assert_eq!(host.oom_score_adj, Some(200));
        let mount = host.mounts.and_then(|mounts| mounts.last().cloned()).expect("a mount");
        assert_eq!((mount.source.as_deref(), mount.target.as_deref()), (Some("pv-data"), Some("/data")));
    }

    #[test]
    fn publishing_is_on_loopback_only() {
        let published = ContainerSpec { publish: Some(8000), ..spec() };
        let bindings = published.to_engine().host_config.and_then(|host| host.port_bindings);
        assert_eq!(bindings, Some(HashMap::from([("8000/tcp".into(), Some(vec![loopback_binding()]))])));
    }
}
