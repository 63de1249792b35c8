//! Who is calling, and who may call what.
//!
//! Every request passes the [`gate`], which looks up its operation in the table of [`rules`],
//! finds out who is calling, and puts a [`Caller`] into the request. A handler takes the `Caller`.

pub mod gate;
mod keys;
pub mod rules;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

pub use keys::{Keys, Role, TokenRequest, write_private};

use super::problem::ApiError;
use crate::domain::{UserId, UserTier};

/// The bearer of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user: UserId,
    pub role: Role,
    pub tier: UserTier,
}

impl Caller {
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
