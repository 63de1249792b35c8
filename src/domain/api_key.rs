//! What is known of an API key, which is not the key.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Invalid, UserId, UserTier};

/// What a key may be used for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at what its user has.
    Read,
    /// Change it: store, build, launch, stop.
    Launch,
    /// What admins may, and keys.
    Admin,
    /// Do what else it may for any user, named in each request.
    Act,
}

/// One key, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    pub owner: UserId,
    pub tier: UserTier,
    pub scopes: BTreeSet<Scope>,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Why it is worth nothing at `now`.
    pub fn over(&self, now: DateTime<Utc>) -> Option<&'static str> {
        if self.revoked_at.is_some() {
            return Some("the key was revoked");
        }
        self.expires_at.filter(|at| *at <= now).map(|_| "the key has expired")
    }
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Launch => "launch",
            Self::Admin => "admin",
            Self::Act => "act",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Read, Self::Launch, Self::Admin, Self::Act]
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| Invalid::new("scopes", "expected read, launch, admin or act"))
    }
}
