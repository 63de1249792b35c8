//! How much of the host one preview may use, by the user's tier and the tier asked for.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// What the user pays for; the `tier` claim of the token.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum UserTier {
    #[default]
    Free,
    Pro,
    Enterprise,
}

/// What one launch asks for, within what the user's tier allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResourceTier {
    Minimal,
    #[default]
    Standard,
    Pro,
}

/// Limits of one container.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceLimits {
    /// MiB of memory; swap is not added to it.
    pub memory_mb: u64,
    /// Cores, 0.5 for half a core.
    pub cpu: f64,
    /// MiB the container may write.
    pub storage_mb: u64,
    /// Processes and threads.
    pub pids: u32,
}

/// The ceiling of each user tier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TierTable {
    pub free: ResourceLimits,
    pub pro: ResourceLimits,
    pub enterprise: ResourceLimits,
}

impl ResourceTier {
    /// minimal is half of standard; pro is twice as much.
    const fn wanted(self) -> ResourceLimits {
        match self {
            Self::Minimal => ResourceLimits::new(256, 0.5, 512),
            Self::Standard => ResourceLimits::new(512, 1.0, 1024),
            Self::Pro => ResourceLimits::new(1024, 2.0, 2048),
        }
    }
}

impl ResourceLimits {
    /// 256 processes are enough for any app server, and stop a fork bomb early.
    const PIDS: u32 = 256;

    pub const fn new(memory_mb: u64, cpu: f64, storage_mb: u64) -> Self {
        Self { memory_mb, cpu, storage_mb, pids: Self::PIDS }
    }

    pub const fn memory_bytes(&self) -> i64 {
        (self.memory_mb * 1024 * 1024) as i64
    }

    /// Billionths of a core, the engine's `NanoCpus`.
    pub fn nano_cpus(&self) -> i64 {
        (self.cpu * 1e9).round() as i64
    }

    fn at_most(self, ceiling: Self) -> Self {
        Self {
            memory_mb: self.memory_mb.min(ceiling.memory_mb),
            cpu: self.cpu.min(ceiling.cpu),
            storage_mb: self.storage_mb.min(ceiling.storage_mb),
            pids: self.pids.min(ceiling.pids),
        }
    }
}

impl Default for TierTable {
    fn default() -> Self {
        Self {
            free: ResourceLimits::new(256, 0.5, 1024),
            pro: ResourceLimits::new(1024, 2.0, 2048),
            enterprise: ResourceLimits::new(2048, 4.0, 4096),
        }
    }
}

impl TierTable {
    pub const fn ceiling(&self, tier: UserTier) -> ResourceLimits {
        match tier {
            UserTier::Free => self.free,
            UserTier::Pro => self.pro,
            UserTier::Enterprise => self.enterprise,
        }
    }

    /// What a launch gets: the asked-for tier, cut to the user's ceiling.
    pub fn grant(&self, user: UserTier, asked: ResourceTier) -> ResourceLimits {
        asked.wanted().at_most(self.ceiling(user))
    }
}

impl std::str::FromStr for UserTier {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "free" => Ok(Self::Free),
            "pro" => Ok(Self::Pro),
            "enterprise" => Ok(Self::Enterprise),
            _ => Err(Invalid::new("tier", "expected free, pro or enterprise")),
        }
    }
}

impl UserTier {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_asked_for_is_cut_to_the_users_ceiling() {
        let table = TierTable::default();
        let free = table.grant(UserTier::Free, ResourceTier::Pro);
        assert_eq!((free.memory_mb, free.cpu), (256, 0.5));
        let pro = table.grant(UserTier::Pro, ResourceTier::Standard);
        assert_eq!((pro.memory_mb, pro.cpu, pro.storage_mb), (512, 1.0, 1024));
    }
}
