//! Networks of our own: one bridge a preview, its subnet chosen by the caller.

use std::collections::HashMap;

use bollard::models::{
    EndpointSettings, Ipam, IpamConfig, Network, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest, NetworkInspect,
};
use bollard::query_parameters::{
    InspectNetworkOptions, ListContainersOptionsBuilder, ListNetworksOptions, ListNetworksOptionsBuilder,
};

use super::ownership::{belongs_to, instance_filter};
use super::{Engine, EngineError, Ownership, present};

#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSpec {
    pub name: String,
    /// `10.64.0.8/29`.
    pub subnet: String,
    /// Without a way out, to other networks or the internet. The host can still be reached.
    pub internal: bool,
    /// Whether containers of this network may talk to each other.
    pub peers: bool,
    pub ownership: Ownership,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OwnedNetwork {
    pub id: String,
    pub name: String,
    pub subnet: Option<String>,
    pub ownership: Ownership,
    /// Ids of the containers in it.
    pub containers: Vec<String>,
}

impl Engine {
    /// Its id. A network of that name, ownership and subnet is taken for the one made by an
    /// earlier call whose answer was lost; one with another subnet is replaced when empty.
    /// [`EngineError::SubnetTaken`] when the addresses are in use.
    pub async fn create_network(&self, spec: &NetworkSpec) -> Result<String, EngineError> {
        const CALL: &str = "create network";
        // The engine itself would let two networks have one name.
        if let Some(found) = self.network_named(&spec.name).await? {
            let id = found.id.clone().unwrap_or_default();
            if Ownership::from_labels(&found.labels.clone().unwrap_or_default()).as_ref()
                != Some(&spec.ownership)
            {
                let message = format!("a network named {} exists", spec.name);
                return Err(EngineError::Conflict { call: CALL, message });
            }
            if subnets(&found).next() == Some(&spec.subnet) {
                return Ok(id);
            }
            self.remove_network(&id).await?;
        }
        match self.call(CALL, |docker| docker.create_network(spec.to_engine())).await {
            Ok(created) => Ok(created.id),
            // What the engine answers when an address pool overlaps, and for nothing else a
            // bridge with an explicit subnet could run into.
            Err(EngineError::Refused { status: 403, message, .. }) => {
                Err(EngineError::SubnetTaken { subnet: spec.subnet.clone(), message })
            }
            Err(error) => Err(error),
        }
    }

    /// Absent is fine. Endpoints that stand in the way are cut off: those of our own containers
    /// and those of containers that no longer exist.
    pub async fn remove_network(&self, id_or_name: &str) -> Result<(), EngineError> {
        const CALL: &str = "remove network";
        let Some(found) = self.inspect_network(id_or_name).await? else { return Ok(()) };
        if !belongs_to(found.labels.as_ref(), self.instance()) {
            return Err(EngineError::NotOurs { call: CALL, name: id_or_name.to_owned() });
        }
        let id = found.id.clone().unwrap_or_else(|| id_or_name.to_owned());
        match self.call(CALL, |docker| docker.remove_network(&id)).await {
            // 403, newer engines 409: it has endpoints.
            Err(EngineError::Refused { status: 403, .. } | EngineError::Conflict { .. }) => {}
            answer => return present(answer).map(drop),
        }
        if let Some(found) = self.inspect_network(&id).await? {
            self.cut_off(&id, found).await?;
        }
        present(self.call(CALL, |docker| docker.remove_network(&id)).await).map(drop)
    }

    async fn cut_off(&self, network: &str, found: NetworkInspect) -> Result<(), EngineError> {
        const CALL: &str = "disconnect from network";
        for (key, endpoint) in found.containers.unwrap_or_default() {
            // A leftover endpoint has a container id that is none, and goes by its name.
            let container = match self.inspect(&key).await? {
                Some(state) if state.ownership.as_ref().is_some_and(|o| o.instance == *self.instance()) => {
                    key
                }
                Some(_) => return Err(EngineError::NotOurs { call: CALL, name: key }),
                None => endpoint.name.unwrap_or(key),
            };
            let request = NetworkDisconnectRequest { container, force: Some(true) };
            present(self.call(CALL, |docker| docker.disconnect_network(network, request)).await)?;
        }
        Ok(())
    }

    /// Puts a container into a further network, where it answers to these names too. Already
    /// there is fine, under whatever names it was put there.
    pub async fn connect_network(
        &self,
        network: &str,
        container: &str,
        names: &[&str],
    ) -> Result<(), EngineError> {
        const CALL: &str = "connect to network";
        let aliases = names.iter().map(|name| (*name).to_owned()).collect();
        let request = NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(EndpointSettings { aliases: Some(aliases), ..Default::default() }),
        };
        match self.call(CALL, |docker| docker.connect_network(network, request)).await {
            // 403: there is an endpoint of that name already.
            Err(error @ (EngineError::Refused { .. } | EngineError::Conflict { .. })) => {
                match self.inspect(container).await? {
                    Some(state) if state.networks.iter().any(|name| name == network) => Ok(()),
                    _ => Err(error),
                }
            }
            answer => answer,
        }
    }

    /// Takes a container out of a network. Not being there, or not being at all, is fine.
    pub async fn disconnect_network(&self, network: &str, container: &str) -> Result<(), EngineError> {
        const CALL: &str = "disconnect from network";
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        match present(self.call(CALL, |docker| docker.disconnect_network(network, request)).await) {
            // What the engine answers when the container is in the network no more.
            Err(error @ (EngineError::Refused { .. } | EngineError::Conflict { .. })) => {
                match self.inspect(container).await? {
                    Some(state) if state.networks.iter().any(|name| name == network) => Err(error),
                    _ => Ok(()),
                }
            }
            answer => answer.map(drop),
        }
    }

    /// Whether there is one of ours with that name or id.
    pub async fn has_network(&self, id_or_name: &str) -> Result<bool, EngineError> {
        let found = self.inspect_network(id_or_name).await?;
        Ok(found.is_some_and(|network| belongs_to(network.labels.as_ref(), self.instance())))
    }

    pub async fn owned_networks(&self) -> Result<Vec<OwnedNetwork>, EngineError> {
        let filters = instance_filter(self.instance());
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let networks = self.list_networks(Some(options)).await?;
        if networks.is_empty() {
            return Ok(Vec::new());
        }
        let mut attached = self.containers_by_network().await?;
        let owned = |network: Network| {
            let id = network.id.clone()?;
            let name = network.name.clone().unwrap_or_default();
            let mut containers = attached.remove(&name).unwrap_or_default();
            containers.extend(attached.remove(&id).unwrap_or_default());
            let subnet = subnets(&network).next().cloned();
            Some(OwnedNetwork {
                subnet,
                ownership: Ownership::from_labels(&network.labels?)?,
                containers,
                id,
                name,
            })
        };
        Ok(networks.into_iter().filter_map(owned).collect())
    }

    /// Every subnet of every network of the engine, ours and others'.
    pub async fn all_subnets(&self) -> Result<Vec<String>, EngineError> {
        let networks = self.list_networks(None).await?;
        Ok(networks.iter().flat_map(|network| subnets(network).cloned()).collect())
    }

    /// One list of containers instead of one inspection a network.
    async fn containers_by_network(&self) -> Result<HashMap<String, Vec<String>>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let containers = self.call("list containers", |docker| docker.list_containers(Some(options))).await?;
        let mut by_network: HashMap<String, Vec<String>> = HashMap::new();
        for container in containers {
            let Some(id) = container.id else { continue };
            let joined = container.network_settings.and_then(|settings| settings.networks);
            for network in joined.unwrap_or_default().into_keys() {
                by_network.entry(network).or_default().push(id.clone());
            }
        }
        Ok(by_network)
    }

    async fn network_named(&self, name: &str) -> Result<Option<Network>, EngineError> {
        // The engine's filter matches parts of names.
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let found = self.list_networks(Some(options)).await?;
        Ok(found.into_iter().find(|network| network.name.as_deref() == Some(name)))
    }

    async fn list_networks(&self, options: Option<ListNetworksOptions>) -> Result<Vec<Network>, EngineError> {
        self.call("list networks", |docker| docker.list_networks(options)).await
    }

    async fn inspect_network(&self, id_or_name: &str) -> Result<Option<NetworkInspect>, EngineError> {
        let options = None::<InspectNetworkOptions>;
        present(self.call("inspect network", |docker| docker.inspect_network(id_or_name, options)).await)
    }
}

impl NetworkSpec {
    fn to_engine(&self) -> NetworkCreateRequest {
        let option = |name: &str, on: bool| (format!("com.docker.network.bridge.{name}"), on.to_string());
        NetworkCreateRequest {
            name: self.name.clone(),
            driver: Some("bridge".into()),
            internal: Some(self.internal),
            attachable: Some(false),
            enable_ipv6: Some(false),
            ipam: Some(Ipam {
                driver: Some("default".into()),
                config: Some(vec![IpamConfig { subnet: Some(self.subnet.clone()), ..Default::default() }]),
                options: None,
            }),
            options: Some(HashMap::from([
                option("enable_icc", self.peers),
                option("enable_ip_masquerade", !self.internal),
            ])),
            labels: Some(self.ownership.to_labels()),
            ..Default::default()
        }
    }
}

fn subnets(network: &Network) -> impl Iterator<Item = &String> {
    let configs = network.ipam.iter().filter_map(|ipam| ipam.config.as_ref()).flatten();
    configs.filter_map(|config| config.subnet.as_ref())
}
