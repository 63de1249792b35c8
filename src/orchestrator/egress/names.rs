//! What host names stand for, and who says so.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look_up(name: String) -> (String, Vec<Ipv4Addr>) {
    let question = async { tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect) };
    let found: Result<std::io::Result<Vec<SocketAddr>>, _> = tokio::time::timeout(PATIENCE, question).await;
    let addresses = match found {
        Ok(Ok(addresses)) => addresses
            .into_iter()
            .filter_map(|address| match address.ip() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
            .collect(),
        Ok(Err(error)) => {
            tracing::warn!(%error, name, "a host name of an egress list is not known: it is not reached");
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    (name, addresses)
}

/// Where the engine sends containers' questions for names: the host's own resolvers, or those
/// behind the local stub.
pub(super) fn resolvers() -> Vec<Ipv4Addr> {
    for file in ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let found = name_servers(&text);
        if !found.is_empty() {
            return found;
        }
    }
    // What the engine itself falls back to.
    vec![Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(8, 8, 4, 4)]
}

fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = lines.filter_map(|rest| rest.trim().parse::<Ipv4Addr>().ok());
    addresses.filter(|address| !address.is_loopback()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_those_that_containers_ask() {
        let text = "# made by somebody\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fd00::1\n";
        assert_eq!(name_servers(text), [Ipv4Addr::new(10, 0, 0, 2)]);
    }
}
