//! Who listens inside a container, read from the kernel instead of asked from inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ContainerProcess;

/// A TCP socket in state LISTEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListeningSocket {
    pub address: IpAddr,
    pub port: u16,
}

impl ListeningSocket {
    /// Whether other hosts than the container itself can connect to it.
    pub fn is_open(&self) -> bool {
        !self.address.is_loopback()
    }
}

impl ContainerProcess {
    /// Every listening socket of the container's network. `None` where its processes cannot be
    /// seen: a remote engine, or one in a virtual machine.
    pub fn listening(&self) -> Option<Vec<ListeningSocket>> {
        let mut sockets = parse(&self.read("net/tcp")?);
        // Absent without IPv6.
        sockets.extend(parse(&self.read("net/tcp6").unwrap_or_default()));
        // The engine's name server for containers listens on 127.0.0.11 in every one of them.
        sockets.retain(|socket| socket.address != IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)));
        sockets.sort();
        Some(sockets)
    }
}

/// The kernel's table: `sl local_address rem_address st …`, numbers in hexadecimal.
fn parse(table: &str) -> Vec<ListeningSocket> {
    const LISTEN: &str = "0A";
    let listening = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (address, port) = local.split_once(':')?;
        (state == LISTEN).then_some(ListeningSocket {
            address: parse_address(address)?,
            port: u16::from_str_radix(port, 16).ok()?,
        })
    };
    table.lines().skip(1).filter_map(listening).collect()
}

/// 32-bit words, each in the byte order of the machine.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_are_read_from_the_kernels_table() {
        let v4 = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                  0: 0100007F:1F40 00000000:0000 0A 00000000:00000000\n\
                  1: 00000000:0BB8 00000000:0000 0A 00000000:00000000\n\
                  2: 0200090A:1F40 0100090A:C350 01 00000000:00000000\n\
                  broken line\n";
        let v6 = "  sl  local_address rem_address st\n\
                  0: 00000000000000000000000001000000:1F41 00000000000000000000000000000000:0000 0A 0\n";
        let found = |address: &str, port| ListeningSocket { address: address.parse().expect("ip"), port };
        assert_eq!(parse(v4), [found("127.0.0.1", 8000), found("0.0.0.0", 3000)]);
        assert_eq!(parse(v6), [found("::1", 8001)]);
        assert!(!parse(v4)[0].is_open());
        assert!(parse(v4)[1].is_open());
    }
}
