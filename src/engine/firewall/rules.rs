//! The rules as text for `iptables-restore`. Pure.
//!
//! ```text
//! INPUT        -s pool ──► PVD-…-IN ──┐ by the network it comes from   ┌──► PVD-…-H0  to the host
//! DOCKER-USER  -s pool ──► PVD-…-FW ──┴────────────────────────────────┴──► PVD-…-F0  through it
//! and FORWARD  -d pool ──► PVD-…-TO   nothing new comes in but from the host
//! ```
//!
//! What is not refused goes back to where it came from, for the host's other rules to judge.
//! Networks of others in the same pool pass through untouched.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::domain::{Block, CLOSED, InstanceId};

/// All rules of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What all networks are cut from.
    pub pool: String,
    /// Each network, and which of the policies holds for it.
    pub networks: Vec<(Block, usize)>,
    pub policies: Vec<Policy>,
    /// Where names are resolved.
    pub resolvers: Vec<Ipv4Addr>,
    /// Database servers outside of previews' own networks.
    pub servers: Vec<SocketAddrV4>,
}

/// Beside what stays closed for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    Open,
    None,
    Only(Vec<Block>),
}

/// Every chain of ours begins with it, whichever daemon's.
pub(super) const FAMILY: &str = "PVD-";

/// The longest name the kernel takes is 28; the longest of ours ends with `-F` and a number.
const LONGEST_NAME: usize = 12;

/// What chains of one daemon begin with.
pub(super) fn prefix(instance: &InstanceId) -> String {
    let name = instance.as_str();
    if name.len() <= LONGEST_NAME {
        return format!("{FAMILY}{name}-");
    }
    // FNV-1a: names of tests are long, and end differently.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{FAMILY}{:012x}-", hash & 0xffff_ffff_ffff)
}

impl Rules {
    /// Chains with their content, and the jumps into them: each the chain to jump from, and the rest.
    /// `hooks` are those of forwarded packets.
    pub(super) fn render(&self, prefix: &str, hooks: &[&str]) -> Rendered {
        let mut out = Lines { prefix, text: String::new(), chains: BTreeSet::new() };
        for (number, policy) in self.policies.iter().enumerate() {
            self.policy(&mut out, number, policy);
        }
        for name in ["IN", "FW", "TO"] {
            out.rule(name, KNOWN);
        }
        out.rule("IN", BEGUN);
        for (network, policy) in &self.networks {
            out.rule("IN", &format!("-s {network} -g {prefix}H{policy}"));
            // Seen only where the kernel shows bridged packets to iptables.
            out.rule("FW", &format!("-s {network} -d {network} -j RETURN"));
            out.rule("FW", &format!("-s {network} -g {prefix}F{policy}"));
            out.rule("TO", &format!("-s {network} -d {network} -j RETURN"));
            out.rule("TO", &format!("-d {network} {REFUSE}"));
        }
        let pool = &self.pool;
        let mut jumps = vec![("INPUT".to_owned(), format!("-s {pool} -j {prefix}IN"))];
        for hook in hooks {
            jumps.push(((*hook).to_owned(), format!("-s {pool} -j {prefix}FW")));
            jumps.push(((*hook).to_owned(), format!("-d {pool} -j {prefix}TO")));
        }
        Rendered { text: out.text, chains: out.chains, jumps }
    }

    /// To the host, and through it.
    fn policy(&self, out: &mut Lines<'_>, number: usize, policy: &Policy) {
        let (to_host, through) = (format!("H{number}"), format!("F{number}"));
        for chain in [&to_host, &through] {
            for server in &self.servers {
                out.rule(chain, &format!("-d {} -p tcp --dport {} -j RETURN", server.ip(), server.port()));
            }
            let resolvers = self.resolvers.iter().filter(|_| *policy != Policy::None);
            for resolver in resolvers {
                for protocol in ["udp", "tcp"] {
                    out.rule(chain, &format!("-d {resolver} -p {protocol} --dport 53 -j RETURN"));
                }
            }
        }
        out.rule(&to_host, REFUSE);
        let closed = CLOSED.iter().filter(|_| *policy != Policy::None);
        for closed in closed {
            out.rule(&through, &format!("-d {closed} {REFUSE}"));
        }
        match policy {
            Policy::Open => return,
            Policy::None => {}
            Policy::Only(blocks) => {
                for block in blocks {
                    out.rule(&through, &format!("-d {block} -j RETURN"));
                }
            }
        }
        out.rule(&through, REFUSE);
    }
}

/// What was let through once goes on, and so does the answer to it.
pub(super) const KNOWN: &str = "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN";

/// The engine has the kernel forget a container's connections when it brings the container into
/// another network, and the answer to what the host asked is then of no connection: a database
/// server, shared by many previews, is in that place often. What is no first packet opens nothing.
const BEGUN: &str = "-p tcp ! --syn -j RETURN";

/// An answer at once is kinder than a silence that ends in a timeout.
pub(super) const REFUSE: &str = "-j REJECT --reject-with icmp-admin-prohibited";

pub(super) struct Rendered {
    pub text: String,
    pub chains: BTreeSet<String>,
    pub jumps: Vec<(String, String)>,
}

struct Lines<'a> {
    prefix: &'a str,
    text: String,
    chains: BTreeSet<String>,
}

impl Lines<'_> {
    fn rule(&mut self, chain: &str, rule: &str) {
        let name = format!("{}{chain}", self.prefix);
        // Writing to memory does not fail.
        let _ = writeln!(self.text, "-A {name} {rule}");
        self.chains.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let block = |text| Block::parse(text).expect("a block");
        Rules {
            pool: "10.213.0.0/16".into(),
            networks: vec![(block("10.213.0.0/28"), 0), (block("10.213.0.16/28"), 1)],
            policies: vec![Policy::Open, Policy::Only(vec![block("198.51.100.0/24")]), Policy::None],
            resolvers: vec![Ipv4Addr::new(10, 0, 0, 2)],
            servers: vec![SocketAddrV4::new(Ipv4Addr::new(10, 9, 9, 9), 5432)],
        }
    }

    fn chain(text: &str, name: &str) -> Vec<String> {
        let start = format!("-A PVD-abcd-{name} ");
        text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    }

    #[test]
    fn exactly_these_rules() {
        let rendered = rules().render("PVD-abcd-", &["FORWARD", "DOCKER-USER"]);
        let text = &rendered.text;
        let refuse = "-j REJECT --reject-with icmp-admin-prohibited";
        let exceptions = [
            "-d 10.9.9.9 -p tcp --dport 5432 -j RETURN",
            "-d 10.0.0.2 -p udp --dport 53 -j RETURN",
            "-d 10.0.0.2 -p tcp --dport 53 -j RETURN",
        ];
        let host = chain(text, "H0");
        assert_eq!(host[..3], exceptions);
        assert_eq!(host[3..], [refuse]);
        let open = chain(text, "F0");
        assert_eq!(open[..3], exceptions);
        assert_eq!(open.len(), 3 + CLOSED.len(), "the rest of the internet is not spoken of");
        let only = chain(text, "F1");
        assert_eq!(only[only.len() - 2..], ["-d 198.51.100.0/24 -j RETURN", refuse]);
        assert_eq!(chain(text, "F2"), [exceptions[0], refuse], "no names are resolved either");
        assert_eq!(
            chain(text, "FW")[1..3],
            ["-s 10.213.0.0/28 -d 10.213.0.0/28 -j RETURN", "-s 10.213.0.0/28 -g PVD-abcd-F0"]
        );
        let to_host = chain(text, "IN");
        assert_eq!(to_host[..2], [KNOWN, BEGUN]);
        assert_eq!(to_host[3], "-s 10.213.0.16/28 -g PVD-abcd-H1");
        let jumps: Vec<_> = rendered.jumps.iter().map(|(chain, rule)| format!("{chain} {rule}")).collect();
        assert_eq!(jumps[2], "FORWARD -d 10.213.0.0/16 -j PVD-abcd-TO");
        assert_eq!(jumps[3], "DOCKER-USER -s 10.213.0.0/16 -j PVD-abcd-FW");
        assert_eq!(rendered.chains.len(), 9);
    }

    #[test]
    fn names_of_chains_are_short_and_differ() {
        let prefix = |name: &str| prefix(&InstanceId::parse(name).expect("a name"));
        assert_eq!(prefix("abcdef012345"), "PVD-abcdef012345-");
        let (one, other) = (prefix("testisolationabcdef012345"), prefix("testisolationabcdef012346"));
        assert_ne!(one, other);
        assert!(one.len() <= 17, "{one}");
    }
}
