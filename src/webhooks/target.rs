//! Where events may be sent: an http or https address, and of what its name leads to only what
//! lies on the open network. Whoever may register an address must not reach through us what only
//! this host can: its own services, its neighbours, the metadata of a cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::Uri;

/// An address that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    /// As the `Host` header says it.
    pub authority: String,
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("expected http://HOST/… or https://HOST/… of at most 2048 characters, without user or password")]
    Form,
    #[error("{address} is not on the open network; PREVIEW_WEBHOOK_PRIVATE allows it")]
    Private { address: IpAddr },
    #[error("the name {host} leads nowhere: {reason}")]
    Name { host: String, reason: String },
}

impl Target {
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Form)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(TargetError::Form),
        };
        let authority = uri.authority().ok_or(TargetError::Form)?;
        if url.len() > 2048 || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(TargetError::Form);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self {
            tls,
            host,
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.to_string(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// An address in numbers that is never to be told.
    pub fn refuse_literal(&self) -> Result<(), TargetError> {
        match self.host.parse() {
            Ok(address) if !is_open(address) => Err(TargetError::Private { address }),
            _ => Ok(()),
        }
    }

    /// Where its name leads now. All of it must be allowed: a name that leads both here and there
    /// is one that somebody has made to.
    pub async fn resolve(&self, private: bool) -> Result<Vec<SocketAddr>, TargetError> {
        let nowhere = |reason: String| TargetError::Name { host: self.host.clone(), reason };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| nowhere(error.to_string()))?.take(16).collect();
        if let Some(shut) = found.iter().find(|address| !private && !is_open(address.ip())) {
            return Err(TargetError::Private { address: shut.ip() });
        }
        match found.is_empty() {
            true => Err(nowhere("no address".to_owned())),
            false => Ok(found),
        }
    }
}

/// Neither this host nor a private, shared, reserved or multicast range.
fn is_open(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_open_v4(address),
        IpAddr::V6(address) => is_open_v6(address),
    }
}

fn is_open_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shut = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        // Shared by providers; protocol assignments; benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19));
    !is_shut
}

fn is_open_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_open_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // An address of the older kind in a newer one: mapped, compatible, translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // Everything that is routed; of it not what is for documents, tunnels and benchmarks.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [first, ..] => (0x2000..0x4000).contains(&first) && first != 0x3fff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_others_refused() {
        let target = Target::parse("https://hooks.example.org:8443/a?b=c").expect("read");
        assert_eq!((target.tls, target.host.as_str(), target.port), (true, "hooks.example.org", 8443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("hooks.example.org:8443", "/a?b=c"));
        let target = Target::parse("http://[2606:4700::1]").expect("read");
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("2606:4700::1", 80, "/"));
        for bad in
            ["ftp://a/", "file:///etc/passwd", "/a", "a", "http://", "http://u:p@a/", "http://a b/", ""]
        {
            assert_eq!(Target::parse(bad), Err(TargetError::Form), "{bad}");
        }
    }

    #[test]
    fn only_the_open_network_is_told() {
        for open in ["1.1.1.1", "93.184.216.34", "2606:4700::1", "2a00:1450:4001::1", "::ffff:1.1.1.1"] {
            assert!(is_open(open.parse().expect("an address")), "{open}");
        }
        for shut in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_open(shut.parse().expect("an address")), "{shut}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_here_is_refused_unless_that_is_allowed() {
        let target = Target::parse("http://localhost:9").expect("read");
        assert!(matches!(target.resolve(false).await, Err(TargetError::Private { .. })));
        assert!(target.resolve(true).await.is_ok());
        assert!(Target::parse("http://169.254.169.254/latest").expect("read").refuse_literal().is_err());
    }
}
