//! Keeps the rules of the host true to what previews may reach.
//!
//! A network is covered from the moment it is made, by what the installation allows; a preview
//! that asked for less has its network's rules changed before its container is made. So a launch
//! on a spare network costs nothing here. Where the host does not let us, nothing is pretended:
//! [`Egress::trouble`] says why, and what asks for less than `open` is refused.

mod names;

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::subnets::AddressPool;
use crate::domain::{Block, Egress as Allowed, InstanceId, Target};
use crate::engine::{Firewall, FirewallError, FirewallHeld, FirewallPolicy, FirewallRules, FirewallStanding};
use names::{look_up, resolvers};

#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_EGRESS`, default `open`: where previews may connect to; a generation or a launch
    /// may ask for less. `none`, or a list of public addresses, blocks and host names.
    pub allowed: Allowed,
    pub pool: AddressPool,
    /// Database servers that are not in previews' networks: hosts and ports.
    pub databases: Vec<(String, u16)>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum EgressError {
    #[error("its egress cannot be restricted on this host: {0}")]
    Unable(String),
    #[error("its egress could not be restricted: {0}")]
    Failed(#[from] FirewallError),
}

/// A cheap handle.
#[derive(Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

struct Inner {
    firewall: Firewall,
    config: Config,
    state: Mutex<State>,
    /// One writer at a time; what holds since the last write.
    written: tokio::sync::Mutex<Written>,
}

/// Never locked across an await.
#[derive(Default)]
struct State {
    networks: BTreeMap<String, Covered>,
    /// What networks of an earlier run are for, until they are found again.
    expected: HashMap<String, Allowed>,
    /// What host names were seen to stand for.
    addresses: HashMap<String, Vec<Ipv4Addr>>,
    resolved: Option<Instant>,
    reason: Option<Reason>,
    /// Counts changes, so that a write knows what it holds.
    version: u64,
    /// The latest change that was written.
    written: u64,
}

/// What holds in a network.
struct Covered {
    block: Block,
    allowed: Allowed,
    /// The change that it came with: it holds once that is written.
    since: u64,
}

/// Whether rules are kept, and if not, why.
enum Reason {
    Kept,
    /// The engine's networks are not of this host.
    Elsewhere,
    /// This host did not let us.
    Unable {
        said: String,
        at: Instant,
    },
}

impl Reason {
    fn trouble(&self) -> Option<&str> {
        match self {
            Self::Kept => None,
            Self::Elsewhere => Some("the engine's networks are not on this host"),
            Self::Unable { said, .. } => Some(said),
        }
    }
}

#[derive(Default)]
struct Written {
    version: u64,
    standing: Option<FirewallStanding>,
    /// When the filter last hung, and how that was said.
    hung: Option<(Instant, FirewallError)>,
}

/// A filter that hangs is left alone for so long: those who wait behind one write do not wait each in
/// turn.
const BREATHER: Duration = Duration::from_secs(10);
/// A host that did not let us is asked again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Names may stand for other addresses after a while.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// Addresses kept of one name: the latest, of names that change with every question.
const MOST_ADDRESSES: usize = 64;

impl Egress {
    pub fn new(instance: &InstanceId, config: Config) -> Self {
        let inner = Inner {
            firewall: Firewall::new(instance),
            config,
            state: Mutex::default(),
            written: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What holds for every preview that does not ask for less.
    pub fn allowed(&self) -> &Allowed {
        &self.inner.config.allowed
    }

    /// Finds out whether this host lets us; and what networks of live previews are for.
    /// `elsewhere`: the engine's networks are not of this host.
    pub async fn begin(&self, expected: HashMap<String, Allowed>, elsewhere: bool) {
        if self.inner.state().reason.is_some() {
            self.inner.state().expected = expected;
            return;
        }
        let reason = match elsewhere {
            true => Reason::Elsewhere,
            false => self.find_out().await,
        };
        if let Some(reason) = reason.trouble() {
            tracing::warn!(reason, "previews reach whatever this host reaches: egress is not restricted");
        }
        let mut state = self.inner.state();
        state.expected = expected;
        state.reason = Some(reason);
    }

    async fn find_out(&self) -> Reason {
        match self.unable().await {
            Some(said) => Reason::Unable { said, at: Instant::now() },
            None => Reason::Kept,
        }
    }

    /// What was refused may be let now: a look at the filter collides with other programs', too.
    async fn look_again(&self) {
        let is_due = match &self.inner.state().reason {
            Some(Reason::Unable { at, .. }) => at.elapsed() >= LOOK_AGAIN,
            _ => false,
        };
        if !is_due {
            return;
        }
        let reason = self.find_out().await;
        if matches!(reason, Reason::Kept) {
            tracing::info!("this host lets us restrict egress now");
        }
        let mut state = self.inner.state();
        state.reason = Some(reason);
        state.version += 1;
    }

    async fn unable(&self) -> Option<String> {
        match self.inner.firewall.probe().await {
            Ok(()) => None,
            // That it is slow says nothing of what it would let us do: the next write tells, and what
            // needs it waits for that.
            Err(error @ FirewallError::Timeout { .. }) => {
                tracing::warn!(%error, "this host's packet filter cannot be looked at yet");
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Why nothing is restricted, when nothing is. Known once the engine was found.
    pub fn trouble(&self) -> Option<String> {
        let state = self.inner.state();
        let reason = state.reason.as_ref()?.trouble()?;
        Some(format!("not restricted: {reason}"))
    }

    /// Rules for networks that exist, before anything runs in them.
    pub async fn cover(&self, networks: &[(String, Block)]) -> Result<(), EgressError> {
        if networks.is_empty() {
            return Ok(());
        }
        {
            let mut state = self.inner.state();
            for (name, block) in networks {
                let allowed = state.expected.remove(name).unwrap_or_else(|| self.allowed().clone());
                let since = state.version + 1;
                state.networks.insert(name.clone(), Covered { block: *block, allowed, since });
            }
            state.version += 1;
        }
        self.write().await
    }

    /// Makes sure that what is to hold in a network does. Costs nothing where it does already.
    pub async fn settle(&self, network: &str, block: Block) -> Result<(), EgressError> {
        let is_written = {
            let state = self.inner.state();
            state.networks.get(network).map(|covered| covered.since <= state.written)
        };
        match is_written {
            Some(true) => Ok(()),
            Some(false) => self.write().await,
            None => self.cover(&[(network.to_owned(), block)]).await,
        }
    }

    /// What holds in a network from now on.
    pub async fn assign(&self, network: &str, allowed: &Allowed) -> Result<(), EgressError> {
        {
            let mut state = self.inner.state();
            if let Some(reason) = state.reason.as_ref().and_then(Reason::trouble)
                && *allowed != Allowed::Open
            {
                return Err(EgressError::Unable(reason.to_owned()));
            }
            let (next, written) = (state.version + 1, state.written);
            let is_kept = matches!(state.reason, Some(Reason::Kept));
            match state.networks.get_mut(network) {
                // On a spare network this costs nothing.
                Some(held) if held.allowed == *allowed && held.since <= written => return Ok(()),
                Some(held) => (held.allowed, held.since) = (allowed.clone(), next),
                None if *allowed == Allowed::Open && !is_kept => return Ok(()),
                None => {
                    return Err(EgressError::Unable(format!("nothing is known of the network {network}")));
                }
            }
            state.version += 1;
        }
        self.resolve().await;
        self.write().await
    }

    /// The network is about to go.
    pub async fn uncover(&self, network: &str) {
        {
            let mut state = self.inner.state();
            if state.networks.remove(network).is_none() {
                return;
            }
            state.version += 1;
        }
        if let Err(error) = self.write().await {
            tracing::debug!(%error, network, "rules of a network that is gone stay until the next round");
        }
    }

    /// One round: names anew, and the rules as they should be, whoever changed them.
    pub async fn keep(&self) {
        self.look_again().await;
        if !self.inner.is_kept() {
            return;
        }
        self.resolve().await;
        let held = {
            let written = self.inner.written.lock().await;
            match &written.standing {
                Some(standing) => self.inner.firewall.holds(standing).await,
                None => Ok(FirewallHeld::AsWritten),
            }
        };
        match held {
            Ok(FirewallHeld::AsWritten) => {}
            // The engine does so for every network that is none of ours.
            Ok(FirewallHeld::Behind) => self.inner.state().version += 1,
            Ok(FirewallHeld::Changed) => {
                tracing::warn!("somebody changed the rules that keep previews apart: they are written anew");
                self.inner.state().version += 1;
            }
            Err(error) => {
                tracing::error!(%error, "the rules that keep previews apart cannot be looked at");
                return;
            }
        }
        if let Err(error) = self.write().await {
            tracing::error!(%error, "the rules that keep previews apart cannot be written");
        }
    }

    /// Rules stay for previews that stay; without any network they go.
    pub async fn close(&self) {
        if !self.inner.is_kept() || !self.inner.state().networks.is_empty() {
            return;
        }
        let mut written = self.inner.written.lock().await;
        written.standing = None;
        if let Err(error) = self.inner.firewall.remove().await {
            tracing::warn!(%error, "rules of the packet filter stay behind");
        }
    }

    /// Writes all rules, unless somebody else's write held this change already.
    async fn write(&self) -> Result<(), EgressError> {
        if !self.inner.is_kept() {
            return Ok(());
        }
        let mut written = self.inner.written.lock().await;
        let (version, rules) = self.inner.rules();
        if version == written.version && written.standing.is_some() {
            return Ok(());
        }
        if let Some((at, error)) = &written.hung
            && at.elapsed() < BREATHER
        {
            return Err(error.clone().into());
        }
        let applied = self.inner.firewall.apply(&rules).await;
        written.hung = match &applied {
            Err(error @ FirewallError::Timeout { .. }) => Some((Instant::now(), error.clone())),
            _ => None,
        };
        written.standing = Some(applied?);
        written.version = version;
        self.inner.state().written = version;
        Ok(())
    }

    /// Looks up the names that count, where that was long ago or never.
    async fn resolve(&self) {
        let names: Vec<String> = {
            let state = self.inner.state();
            let is_fresh = state.resolved.is_some_and(|at| at.elapsed() < RESOLVE_EVERY);
            let names = state.hosts(&self.inner.config.databases);
            names.into_iter().filter(|name| !is_fresh || !state.addresses.contains_key(name)).collect()
        };
        if names.is_empty() {
            return;
        }
        let found = futures_util::future::join_all(names.into_iter().map(look_up)).await;
        let mut state = self.inner.state();
        state.resolved = Some(Instant::now());
        for (name, addresses) in found {
            if state.learn(name, addresses) {
                state.version += 1;
            }
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_kept(&self) -> bool {
        matches!(self.state().reason, Some(Reason::Kept))
    }

    fn rules(&self) -> (u64, FirewallRules) {
        let state = self.state();
        let mut policies: Vec<FirewallPolicy> = Vec::new();
        let mut networks = Vec::new();
        for Covered { block, allowed, .. } in state.networks.values() {
            let policy = state.policy(allowed);
            let number = policies.iter().position(|known| *known == policy).unwrap_or(policies.len());
            if number == policies.len() {
                policies.push(policy);
            }
            networks.push((*block, number));
        }
        let servers = self.config.databases.iter().flat_map(|(host, port)| {
            state.addresses_of(host).into_iter().map(|address| SocketAddrV4::new(address, *port))
        });
        let rules = FirewallRules {
            pool: self.config.pool.to_string(),
            networks,
            policies,
            resolvers: resolvers(),
            servers: servers.collect(),
        };
        (state.version, rules)
    }
}

impl State {
    fn policy(&self, allowed: &Allowed) -> FirewallPolicy {
        match allowed {
            Allowed::Open => FirewallPolicy::Open,
            Allowed::None => FirewallPolicy::None,
            Allowed::Only(targets) => {
                let blocks = targets.iter().flat_map(|target| match target {
                    Target::Block(block) => vec![*block],
                    Target::Host(name) => self.addresses_of(name).into_iter().map(Block::of).collect(),
                });
                FirewallPolicy::Only(blocks.collect())
            }
        }
    }

    fn addresses_of(&self, host: &str) -> Vec<Ipv4Addr> {
        match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.addresses.get(host).cloned().unwrap_or_default(),
        }
    }

    fn hosts(&self, databases: &[(String, u16)]) -> Vec<String> {
        let allowed = self.networks.values().map(|covered| &covered.allowed);
        let targets = allowed.flat_map(|allowed| match allowed {
            Allowed::Only(targets) => targets.as_slice(),
            _ => &[],
        });
        let named = targets.filter_map(|target| match target {
            Target::Host(name) => Some(name.clone()),
            Target::Block(_) => None,
        });
        let databases = databases.iter().map(|(host, _)| host.clone());
        let mut names: Vec<_> =
            named.chain(databases).filter(|name| name.parse::<Ipv4Addr>().is_err()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Keeps what was seen before: a visitor may still be told the earlier address. True when
    /// something is new.
    fn learn(&mut self, name: String, found: Vec<Ipv4Addr>) -> bool {
        let known = self.addresses.entry(name).or_default();
        let fresh: Vec<Ipv4Addr> = found.into_iter().filter(|address| !known.contains(address)).collect();
        let is_new = !fresh.is_empty();
        known.extend(fresh);
        let surplus = known.len().saturating_sub(MOST_ADDRESSES);
        known.drain(..surplus);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_names_are_kept_and_bounded() {
        let mut state = State::default();
        let address = |n: u8| Ipv4Addr::new(198, 51, 100, n);
        assert!(state.learn("a.b".into(), vec![address(1)]));
        assert!(!state.learn("a.b".into(), vec![address(1)]));
        assert!(state.learn("a.b".into(), (2..100).map(address).collect()));
        assert_eq!(state.addresses_of("a.b").len(), MOST_ADDRESSES);
        assert_eq!(state.addresses_of("198.51.100.9"), [address(9)]);
    }
}
