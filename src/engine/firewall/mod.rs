//! What previews may reach, as rules of the host's own packet filter.
//!
//! An engine's network keeps containers of different networks apart, and nothing else: the host,
//! its neighbours and a cloud's metadata service are all a connection away. So the daemon keeps
//! chains of its own beside the engine's, named after its instance, and rewrites them as a whole,
//! in one step, whenever something changes. They outlive the daemon as previews do.
//!
//! Needs the right to change the packet filter of the engine's host; where it is missing every
//! call says so.

mod host;
mod rules;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::domain::InstanceId;

pub use host::FirewallError;
pub use rules::{Policy, Rules};

/// A handle on the chains of one daemon. Holds no state: what there is, the host says.
#[derive(Debug, Clone)]
pub struct Firewall {
    prefix: String,
    instance: InstanceId,
}

/// How our chains, and the jumps into them, stood after they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing(Vec<String>);

/// What became of our rules since they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    AsWritten,
    /// They are all there. The engine has put rules of networks that it made before those of ours that
    /// stand where it forwards.
    Behind,
    /// Some are gone, or others' are before them.
    Changed,
}

/// Where the engine leaves room for others' rules, before its own.
///
/// It takes the jump to it away and puts it back at the top whenever it makes a network (libnetwork's
/// `EnsureJumpRule`, seen with Engine 20.10), which is long enough to let a connection through. So our
/// jumps are in [`FORWARD`] as well, before all that it had put there when they were written.
const ENGINES_HOOK: &str = "DOCKER-USER";
const FORWARD: &str = "FORWARD";
/// What the engine brings to the top and lets nothing through.
const ENGINES_TOP: [&str; 2] = ["FORWARD -j DOCKER-USER", "FORWARD -j DOCKER-ISOLATION-STAGE-1"];

impl Firewall {
    pub fn new(instance: &InstanceId) -> Self {
        Self { prefix: rules::prefix(instance), instance: instance.clone() }
    }

    /// Whether this process may read and change the filter, and the kernel knows what our rules
    /// speak of: makes a chain that nothing leads to, and takes it away.
    pub async fn probe(&self) -> Result<(), FirewallError> {
        host::save().await?;
        let chain = format!("{}T", self.prefix);
        let comment = self.comment();
        host::restore(&format!(
            "*filter\n:{chain} - [0:0]\n-A {chain} {}{comment}\n-A {chain} {}\nCOMMIT\n\
             *filter\n:{chain} - [0:0]\n-X {chain}\nCOMMIT\n",
            rules::KNOWN,
            rules::REFUSE,
        ))
        .await
    }

    /// Makes the host's rules these, whatever of ours was there.
    pub async fn apply(&self, rules: &Rules) -> Result<Standing, FirewallError> {
        let found = self.read(&host::save().await?);
        let hooks: &[&str] = if found.has_hook { &[FORWARD, ENGINES_HOOK] } else { &[FORWARD] };
        let wanted = rules.render(&self.prefix, hooks);
        let mut text = String::from("*filter\n");
        // Naming a chain makes it, or empties it.
        for chain in found.chains.union(&wanted.chains) {
            let _ = writeln!(text, ":{chain} - [0:0]");
        }
        for jump in &found.jumps {
            let _ = writeln!(text, "-D {jump}");
        }
        text.push_str(&wanted.text);
        for (chain, jump) in wanted.jumps.iter().rev() {
            let _ = writeln!(text, "-I {chain} 1 {jump}{}", self.comment());
        }
        for chain in found.chains.difference(&wanted.chains) {
            let _ = writeln!(text, "-X {chain}");
        }
        text.push_str("COMMIT\n");
        host::restore(&text).await?;
        Ok(self.read(&host::save().await?).standing)
    }

    /// Whether all is still as [`Firewall::apply`] left it, with nothing of others before it.
    pub async fn holds(&self, standing: &Standing) -> Result<Held, FirewallError> {
        let found = self.read(&host::save().await?);
        Ok(match found.standing == *standing {
            true if found.overtaken.is_empty() => Held::AsWritten,
            true if found.has_hook && found.overtaken.iter().all(|chain| chain == FORWARD) => Held::Behind,
            _ => Held::Changed,
        })
    }

    /// Takes everything of ours away. Nothing there is fine.
    pub async fn remove(&self) -> Result<(), FirewallError> {
        let found = self.read(&host::save().await?);
        if found.chains.is_empty() && found.jumps.is_empty() {
            return Ok(());
        }
        let mut text = String::from("*filter\n");
        // All are emptied before any goes: they jump to each other.
        for chain in &found.chains {
            let _ = writeln!(text, ":{chain} - [0:0]");
        }
        for jump in &found.jumps {
            let _ = writeln!(text, "-D {jump}");
        }
        for chain in &found.chains {
            let _ = writeln!(text, "-X {chain}");
        }
        text.push_str("COMMIT\n");
        host::restore(&text).await
    }

    /// For whoever reads the host's rules.
    fn comment(&self) -> String {
        format!(" -m comment --comment \"previewd {}\"", self.instance)
    }

    fn read(&self, saved: &str) -> Found {
        let mut found = Found::default();
        let mut strangers = BTreeSet::new();
        for line in saved.lines() {
            if let Some(chain) = line.strip_prefix(':').and_then(|line| line.split(' ').next()) {
                found.has_hook |= chain == ENGINES_HOOK;
                if chain.starts_with(&self.prefix) {
                    found.chains.insert(chain.to_owned());
                }
                continue;
            }
            let Some(rule) = line.strip_prefix("-A ") else { continue };
            let (chain, rest) = rule.split_once(' ').unwrap_or((rule, ""));
            let of_ours = chain.starts_with(&self.prefix);
            let target = |family: &str| {
                rest.contains(&format!("-j {family}")) || rest.contains(&format!("-g {family}"))
            };
            let is_jump = !of_ours && target(&self.prefix);
            if is_jump {
                found.jumps.push(rule.to_owned());
                if strangers.contains(chain) {
                    found.overtaken.insert(chain.to_owned());
                }
            } else if !target(rules::FAMILY) && !ENGINES_TOP.contains(&rule) {
                strangers.insert(chain);
            }
            if of_ours || is_jump {
                found.standing.0.push(rule.to_owned());
            }
        }
        found
    }
}

/// What of ours the host has.
#[derive(Default)]
struct Found {
    has_hook: bool,
    chains: BTreeSet<String>,
    /// As they would be taken away: chain and rule.
    jumps: Vec<String>,
    standing: Standing,
    /// Chains in which somebody's rule is before a jump of ours. Other daemons' jumps do not count.
    overtaken: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "*filter\n:INPUT ACCEPT [0:0]\n:DOCKER-USER - [0:0]\n:PVD-abcd-IN - [0:0]\n\
        :PVD-efgh-IN - [0:0]\n-A INPUT -s 10.9.0.0/16 -j PVD-efgh-IN\n\
        -A INPUT -s 10.213.0.0/16 -m comment --comment \"previewd abcd\" -j PVD-abcd-IN\n\
        -A DOCKER-USER -j RETURN\n-A PVD-abcd-IN -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n\
        -A PVD-efgh-IN -j RETURN\nCOMMIT\n";

    fn firewall() -> Firewall {
        Firewall::new(&InstanceId::parse("abcd").expect("a name"))
    }

    #[test]
    fn ours_is_told_from_others() {
        let found = firewall().read(SAVED);
        assert!(found.has_hook && found.overtaken.is_empty());
        assert_eq!(found.chains.iter().collect::<Vec<_>>(), ["PVD-abcd-IN"]);
        assert_eq!(found.jumps.len(), 1);
        assert_eq!(found.standing.0.len(), 2, "{:?}", found.standing);
    }

    #[test]
    fn a_rule_of_somebody_before_ours_is_noticed() {
        let pushed = SAVED.replace("-A INPUT -s 10.9", "-A INPUT -j ACCEPT\n-A INPUT -s 10.9");
        assert!(firewall().read(&pushed).overtaken.contains("INPUT"));
    }

    #[test]
    fn what_the_engine_brings_to_the_top_is_told_from_what_it_lets_through() {
        let ours = "-A FORWARD -s 10.213.0.0/16 -j PVD-abcd-FW\n";
        let after = |before: &str| firewall().read(&format!("{SAVED}{before}{ours}")).overtaken;
        assert!(after("-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n").is_empty());
        assert!(after("-A FORWARD -i br-1 ! -o br-1 -j ACCEPT\n").contains("FORWARD"));
    }
}
