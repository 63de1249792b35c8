//! Which `Host` headers are ours.
//!
//! A page anywhere on the web can make a browser call a name that resolves to 127.0.0.1 (DNS
//! rebinding). It cannot choose the `Host` header: that is what tells it apart.

use std::net::IpAddr;

use super::Config;

/// Whether a preview on its own port answers to this `Host` header.
pub(super) fn is_ours(host: &[u8], config: &Config) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let Some(name) = without_port(host) else { return false };
    // Tried first, because nearly everybody says localhost.
    is_our_name(name, config.domain.as_deref()) || is_our_address(name, config.bind)
}

/// An address cannot be rebound to another; any will do when listening on all of them.
fn is_our_address(name: &str, bind: IpAddr) -> bool {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let ours = |address: IpAddr| address.is_loopback() || address == bind || bind.is_unspecified();
    bare.parse().is_ok_and(ours)
}

fn is_our_name(name: &str, domain: Option<&str>) -> bool {
    is_or_is_below(name, "localhost") || domain.is_some_and(|domain| is_or_is_below(name, domain))
}

fn is_or_is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.as_bytes(), domain.as_bytes());
    match name.len().checked_sub(domain.len()) {
        Some(0) => name.eq_ignore_ascii_case(domain),
        Some(at) => name[at - 1] == b'.' && name[at..].eq_ignore_ascii_case(domain),
        None => false,
    }
}

/// `name` of `name`, `name:port`, `[address]`, `[address]:port`.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => (&host[..at], &host[at + 1..]),
        _ => (host, "0"),
    };
    let is_port = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let is_name = !name.is_empty() && (name.starts_with('[') || !name.contains(':'));
    (is_port && is_name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_the_domain_are_ours_and_nothing_else() {
        let config = Config { domain: Some("previews.example".to_owned()), ..Config::default() };
        for host in [
            "localhost",
            "LOCALHOST:3001",
            "a.localhost:3001",
            "127.0.0.1",
            "127.0.0.1:3001",
            "[::1]:3001",
            "[::1]",
            "previews.example",
            "x.previews.example:80",
        ] {
            assert!(is_ours(host.as_bytes(), &config), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "evil.example:3001",
            "localhost.evil.example",
            "notlocalhost",
            "xpreviews.example",
            "10.0.0.1",
            "[::2]",
            "::1",
            "localhost:x",
            "localhost:123456",
            "localhost@evil.example",
            "\u{e9}",
        ] {
            assert!(!is_ours(host.as_bytes(), &config), "{host}");
        }
    }

    #[test]
    fn a_listener_on_every_address_answers_to_every_address() {
        let config = Config { bind: IpAddr::from([0, 0, 0, 0]), ..Config::default() };
        assert!(is_ours(b"192.168.1.7:3001", &config));
        assert!(!is_ours(b"evil.example", &config));
    }
}
