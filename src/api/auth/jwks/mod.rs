//! Tokens that somebody else signs: RS256 and ES256 under the keys of a JWKS, a file or an address.
//!
//! What a token says of itself chooses among the keys that are trusted for its algorithm, and
//! nothing else: an RSA key checks RS256 and a P-256 key ES256, whatever the header claims, and
//! a secret is never looked for here. A key id that is not known has the set fetched again, not
//! more often than is set, by one request for all that wait for it.

mod source;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;

use super::Caller;
use super::keys::{KeyError, Role};
use crate::domain::{UserId, UserTier};
pub use source::{Source, SourceError};

/// Whose tokens are taken besides our own.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_JWT_JWKS`: where the keys are.
    pub source: Source,
    /// `PREVIEW_JWT_ISSUER`: what `iss` must say.
    pub issuer: String,
    /// `PREVIEW_JWT_AUDIENCE`, default previewd: what `aud` must name.
    pub audience: String,
    /// `PREVIEW_JWT_REFRESH_PAUSE`, seconds, default 10: the keys are fetched no more often.
    pub pause: Duration,
}

/// After so long it is fetched again: a key that was taken out of the set ends then.
const FRESH_FOR: Duration = Duration::from_secs(600);

/// What a token of somebody else's says: `sub`, `exp`, `iss` and `aud` must be there.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    /// Who does not say is a user.
    #[serde(default)]
    role: Role,
    #[serde(default)]
    tier: UserTier,
}

/// The trusted keys. Cheap to clone.
#[derive(Clone)]
pub struct Jwks {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    known: RwLock<Known>,
    /// Held by whoever fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Vec<TrustedKey>,
    /// When they were last read.
    read: Option<Instant>,
    /// When it was last tried.
    tried: Option<Instant>,
}

#[derive(Clone)]
struct TrustedKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Whether this is an algorithm of tokens that somebody else signs.
pub const fn takes(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::RS256 | Algorithm::ES256)
}

impl Jwks {
    pub fn new(config: Config) -> Self {
        let (known, turn) = (RwLock::default(), tokio::sync::Mutex::default());
        Self { inner: Arc::new(Inner { config, known, turn }) }
    }

    /// The caller a token stands for, when it is signed by whom we trust, in time and whole.
    pub async fn verify(&self, token: &str, header: &Header) -> Result<Caller, KeyError> {
        if self.inner.is_stale() || self.inner.find(header).is_none() {
            self.inner.refresh(header).await;
        }
        self.inner.check(token, header)
    }

    pub fn issuer(&self) -> &str {
        &self.inner.config.issuer
    }

    pub fn audience(&self) -> &str {
        &self.inner.config.audience
    }
}

impl Inner {
    fn check(&self, token: &str, header: &Header) -> Result<Caller, KeyError> {
        let key = self.find(header).ok_or(KeyError::UnknownKey)?;
        let mut rules = Validation::new(key.algorithm);
        rules.set_audience(&[&self.config.audience]);
        rules.set_issuer(&[&self.config.issuer]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = 5;
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key.key, &rules).map_err(KeyError::Invalid)?.claims;
        let user = UserId::parse(&claims.sub).map_err(KeyError::Subject)?;
        Ok(Caller::person(user, claims.role, claims.tier))
    }

    /// By id, or the only one for its algorithm when the token names none.
    fn find(&self, header: &Header) -> Option<TrustedKey> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut fitting = known.keys.iter().filter(|key| key.algorithm == header.alg);
        match &header.kid {
            Some(id) => fitting.find(|key| key.id.as_ref() == Some(id)).cloned(),
            None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
        }
    }

    fn is_stale(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.read.is_none_or(|when| when.elapsed() > FRESH_FOR)
    }

    async fn refresh(&self, header: &Header) {
        let _turn = self.turn.lock().await;
        // Whoever waited for the turn finds what the one before has brought.
        if (!self.is_stale() && self.find(header).is_some()) || !self.may_try() {
            return;
        }
        match self.config.source.read().await.and_then(|text| trusted(&text)) {
            Ok(keys) => {
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                known.keys = keys;
                known.read = Some(Instant::now());
            }
            // What was known stays trusted: the issuer may be down, and its users are not to blame.
            Err(error) => tracing::warn!(%error, "the keys of PREVIEW_JWT_JWKS were not read"),
        }
    }

    /// Notes that it is tried, unless it was just now.
    fn may_try(&self) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let may = known.tried.is_none_or(|when| when.elapsed() >= self.config.pause);
        if may {
            known.tried = Some(Instant::now());
        }
        may
    }
}

/// The keys of a set that are for signatures we take; what else is in it is none of ours.
fn trusted(text: &[u8]) -> Result<Vec<TrustedKey>, SourceError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(text).map_err(|error| SourceError::NoSet(error.to_string()))?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    Ok(keys.filter_map(|jwk| trusted_key(&jwk)).collect())
}

fn trusted_key(jwk: &Jwk) -> Option<TrustedKey> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    let named = jwk.common.key_algorithm.map(|named| format!("{named:?}"));
    let other_algorithm = named.is_some_and(|named| named != format!("{algorithm:?}"));
    let other_use = jwk.common.public_key_use.as_ref().is_some_and(|of| *of != PublicKeyUse::Signature);
    if other_algorithm || other_use {
        return None;
    }
    Some(TrustedKey { id: jwk.common.key_id.clone(), algorithm, key: DecodingKey::from_jwk(jwk).ok()? })
}
