//! Bearer tokens, whoever signed them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use serde::Deserialize;

use super::jwks::{self, Jwks};
use super::keys::{AUDIENCE, KeyError, Keys};
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

    /// Whether an app must not see it, because it opens something here, or may: one that comes into
    /// force later, or whose key nobody has asked for yet. So its signature is not looked at, only
    /// whom it says that it is meant for.
    pub fn is_ours(&self, token: &str) -> bool {
        const OURS: [&str; 2] = ["pvt_", "pvs_"];
        if api_keys::is_key(token) || OURS.iter().any(|prefix| token.starts_with(prefix)) {
            return true;
        }
        let Some(meant) = Meant::of(token) else { return false };
        let names = |audience: &str| meant.aud.names(audience);
        match self.signer(token) {
            Ok(Signer::Own) => names(AUDIENCE),
            Ok(Signer::Other(jwks, _)) => {
                names(jwks.audience()) && meant.iss.as_deref() == Some(jwks.issuer())
            }
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

/// What a token says of whom it comes from and is meant for, true or not.
#[derive(Debug, Deserialize)]
struct Meant {
    iss: Option<String>,
    aud: Audience,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Meant {
    fn of(token: &str) -> Option<Self> {
        let claims = token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

impl Audience {
    fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn token(algorithm: &str, claims: &str) -> String {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"never-fetched"}}"#);
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn what_may_open_something_here_is_no_apps_affair_before_its_key_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = jwks::Config {
            source: "https://issuer.example/keys".parse().expect("an address"),
            issuer: "https://issuer.example".to_owned(),
            audience: "previews".to_owned(),
            pause: Duration::from_secs(10),
        };
        let tokens = Tokens::new(Keys::open(folder.path()).expect("a key"), Some(config));
        for (algorithm, claims, ours) in [
            ("RS256", r#"{"iss":"https://issuer.example","aud":"previews"}"#, true),
            ("ES256", r#"{"iss":"https://issuer.example","aud":["x","previews"],"nbf":99999999999}"#, true),
            ("RS256", r#"{"iss":"https://issuer.example","aud":"other"}"#, false),
            ("RS256", r#"{"iss":"https://other.example","aud":"previews"}"#, false),
            ("RS256", r#"{"iss":"https://issuer.example"}"#, false),
            ("HS256", r#"{"sub":"ann","aud":"previewd","nbf":99999999999}"#, true),
            ("HS256", r#"{"sub":"ann","aud":"an app's own"}"#, false),
            ("PS512", r#"{"aud":"previewd"}"#, false),
        ] {
            assert_eq!(tokens.is_ours(&token(algorithm, claims)), ours, "{algorithm} {claims}");
        }
        assert!(!tokens.is_ours("a.b.c") && !tokens.is_ours("") && tokens.is_ours("pvt_x"));
    }
}
