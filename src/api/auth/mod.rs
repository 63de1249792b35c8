//! Who is calling, and who may call what.
//!
//! Every request passes the [`gate`], which looks up its operation in the table of [`rules`],
//! finds out who is calling, and puts a [`Caller`] into the request. A handler takes the `Caller`.

mod api_keys;
pub mod gate;
pub mod jwks;
mod keys;
pub mod rules;
mod tokens;

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

pub use api_keys::{ApiKeys, fresh as fresh_key};
pub use keys::{Keys, Role, TokenRequest, write_private};
pub use tokens::Tokens;

use super::problem::ApiError;
use crate::domain::{ApiKey, Scope, UserId, UserTier};

/// Who is calling, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose things are meant.
    pub user: UserId,
    pub role: Role,
    pub tier: UserTier,
    /// Whose token or key it is: another than the user, where one acts for the other.
    pub by: UserId,
    /// The API key that was brought; none for a token.
    pub key: Option<KeyInUse>,
}

/// What a request is bound by that brings a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInUse {
    pub id: String,
    pub scopes: BTreeSet<Scope>,
}

impl Caller {
    /// The bearer of a token of its own.
    pub fn person(user: UserId, role: Role, tier: UserTier) -> Self {
        Self { by: user.clone(), user, role, tier, key: None }
    }

    /// The owner of a key.
    pub fn key(key: ApiKey) -> Self {
        let role = if key.scopes.contains(&Scope::Admin) { Role::Admin } else { Role::User };
        let in_use = KeyInUse { id: key.id, scopes: key.scopes };
        Self { key: Some(in_use), ..Self::person(key.owner, role, key.tier) }
    }

    /// Whether it may be used for this. Tokens are for whatever their role may.
    pub fn has(&self, scope: Scope) -> bool {
        self.key.as_ref().is_none_or(|key| key.scopes.contains(&scope))
    }

    /// The same for another user: admins may, and keys that are made for it. What it does then,
    /// it does as any user.
    pub fn acting_for(self, user: UserId) -> Result<Self, ApiError> {
        let may = match &self.key {
            Some(key) => key.scopes.contains(&Scope::Act),
            None => self.role == Role::Admin,
        };
        match may {
            true => Ok(Self { user, role: Role::User, ..self }),
            false => Err(ApiError::MayNotAct),
        }
    }

    /// Owners may, and admins may all.
    pub fn may_use(&self, owner: &UserId) -> bool {
        self.role == Role::Admin || self.user == *owner
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::NoToken)
    }
}
