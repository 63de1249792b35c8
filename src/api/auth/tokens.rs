//! Bearer tokens, whoever signed them.

use jsonwebtoken::{Algorithm, Header};

use super::jwks::{self, Jwks};
use super::keys::{KeyError, Keys};
use super::{Caller, api_keys};

/// Our own, and those of an issuer that is trusted. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    own: Keys,
    others: Option<Jwks>,
}

/// Which key a token has to be checked with: by what it says of its algorithm, which says nothing
/// of whether it is valid.
enum Signer<'a> {
    Own,
    Other(&'a Jwks, Box<Header>),
}

impl Tokens {
    pub fn new(own: Keys, others: Option<jwks::Config>) -> Self {
        Self { own, others: others.map(Jwks::new) }
    }

    pub async fn verify(&self, token: &str) -> Result<Caller, KeyError> {
        match self.signer(token)? {
            Signer::Own => self.own.verify(token),
            Signer::Other(jwks, header) => jwks.verify(token, &header).await,
        }
    }

    /// Whether an app must not see it, because it opens something here.
    pub fn is_ours(&self, token: &str) -> bool {
        const OURS: [&str; 2] = ["pvt_", "pvs_"];
        if api_keys::is_key(token) || OURS.iter().any(|prefix| token.starts_with(prefix)) {
            return true;
        }
        match self.signer(token) {
            Ok(Signer::Own) => self.own.verify(token).is_ok(),
            Ok(Signer::Other(jwks, header)) => jwks.verify_known(token, &header).is_ok(),
            Err(_) => false,
        }
    }

    fn signer(&self, token: &str) -> Result<Signer<'_>, KeyError> {
        let header = jsonwebtoken::decode_header(token).map_err(KeyError::Invalid)?;
        match &self.others {
            _ if header.alg == Algorithm::HS256 => Ok(Signer::Own),
            Some(jwks) if jwks::takes(header.alg) => Ok(Signer::Other(jwks, Box::new(header))),
            _ => Err(KeyError::Algorithm),
        }
    }
}
