//! Signing and checking bearer tokens: HS256 under a key that the first start makes and keeps in
//! the data directory, readable by its owner alone.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::Caller;
use crate::domain::{UserId, UserTier};

/// The audience every token must name.
pub const AUDIENCE: &str = "previewd";
const KEY_FILE: &str = "key";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    #[default]
    User,
    Admin,
}

/// What a token says. `exp`, `sub`, `aud` and `role` must be there; times are Unix seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    pub sub: String,
    pub role: Role,
    #[serde(default)]
    pub tier: UserTier,
    pub aud: String,
    pub iat: u64,
    pub exp: u64,
}

/// What a new token shall say.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    pub user: UserId,
    pub role: Role,
    pub tier: UserTier,
    pub ttl: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read or make the key file {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("the key file {path} does not hold 64 hex digits")]
    Malformed { path: String },
    #[error("the token could not be signed: {0}")]
    Sign(jsonwebtoken::errors::Error),
    #[error("{}", in_words(.0))]
    Invalid(jsonwebtoken::errors::Error),
    #[error("it is signed in a way that is not taken here")]
    Algorithm,
    #[error("it is signed with a key that is not known here")]
    UnknownKey,
    #[error("the token's sub is not a user name: {0}")]
    Subject(crate::domain::Invalid),
}

/// The installation's key. Cheap enough to clone; `Debug` does not show it.
#[derive(Clone)]
pub struct Keys {
    secret: [u8; 32],
}

impl Keys {
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// Reads the key of a data directory, making one on first use.
    pub fn open(data_dir: &Path) -> Result<Self, KeyError> {
        let path = data_dir.join(KEY_FILE);
        let shown = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => from_hex(text.trim()).map(Self::new).ok_or(KeyError::Malformed { path: shown }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secret: [u8; 32] = rand::random();
                let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
                write_private(&path, &hex).map_err(|source| KeyError::File { path: shown, source })?;
                Ok(Self::new(secret))
            }
            Err(source) => Err(KeyError::File { path: shown, source }),
        }
    }

    /// The bytes other signatures of this installation are derived from.
    pub const fn secret(&self) -> [u8; 32] {
        self.secret
    }

    pub fn mint(&self, request: &TokenRequest) -> Result<String, KeyError> {
        let iat = jsonwebtoken::get_current_timestamp();
        let claims = Claims {
            sub: request.user.to_string(),
            role: request.role,
            tier: request.tier,
            aud: AUDIENCE.to_owned(),
            iat,
            exp: iat + request.ttl.as_secs(),
        };
        let key = EncodingKey::from_secret(&self.secret);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(KeyError::Sign)
    }

    /// The caller a token stands for, when it is ours, in time and whole.
    pub fn verify(&self, token: &str) -> Result<Caller, KeyError> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = 5;
        let key = DecodingKey::from_secret(&self.secret);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &rules).map_err(KeyError::Invalid)?.claims;
        let user = UserId::parse(&claims.sub).map_err(KeyError::Subject)?;
        Ok(Caller::person(user, claims.role, claims.tier))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

/// Why a token is refused, for whoever sent it.
fn in_words(error: &jsonwebtoken::errors::Error) -> String {
    let why = match error.kind() {
        ErrorKind::InvalidSignature => "it was signed with another key, or is cut short",
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "its time has not come yet",
        ErrorKind::InvalidAudience => "it is meant for another service",
        ErrorKind::InvalidIssuer => "it is from another issuer",
        ErrorKind::MissingRequiredClaim(claim) => return format!("it names no {claim}"),
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "it is signed in a way that is not taken here"
        }
        _ => "it is not a whole JSON Web Token",
    };
    why.to_owned()
}

/// Writes a new file that only its owner may read; never follows or overwrites what is there.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ttl: u64) -> TokenRequest {
        TokenRequest {
            user: UserId::parse("alice").expect("a user"),
            role: Role::User,
            tier: UserTier::Pro,
            ttl: Duration::from_secs(ttl),
        }
    }

    #[test]
    fn a_minted_token_names_its_caller_and_another_key_refuses_it() {
        let keys = Keys::new([1; 32]);
        let token = keys.mint(&request(60)).expect("signed");
        let caller = keys.verify(&token).expect("valid");
        assert_eq!((caller.user.as_str(), caller.tier), ("alice", UserTier::Pro));
        let said = |keys: Keys, token: &str| keys.verify(token).expect_err("refused").to_string();
        assert!(said(Keys::new([2; 32]), &token).contains("another key"));
        assert!(said(keys, "abc").contains("not a whole JSON Web Token"));
    }

    #[test]
    fn tokens_without_signature_audience_expiry_or_role_are_refused() {
        let keys = Keys::new([1; 32]);
        let sign = |claims: serde_json::Value| {
            let key = EncodingKey::from_secret(&[1; 32]);
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("signed")
        };
        let far = jsonwebtoken::get_current_timestamp() + 600;
        let whole = serde_json::json!({"sub": "a", "role": "user", "aud": "previewd", "iat": 0, "exp": far});
        assert!(keys.verify(&sign(whole.clone())).is_ok());
        for lacking in ["sub", "role", "aud", "exp"] {
            let mut claims = whole.clone();
            claims.as_object_mut().expect("an object").remove(lacking);
            assert!(keys.verify(&sign(claims)).is_err(), "without {lacking}");
        }
        for (claim, value) in [("aud", "other".into()), ("exp", 1.into()), ("nbf", far.into())] {
            let mut claims = whole.clone();
            claims.as_object_mut().expect("an object").insert(claim.to_owned(), value);
            assert!(keys.verify(&sign(claims)).is_err(), "wrong {claim}");
        }
        // "none" as the algorithm, and no signature.
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhIn0.";
        assert!(keys.verify(unsigned).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let first = Keys::open(dir.path()).expect("made");
        assert_eq!(first.secret(), Keys::open(dir.path()).expect("read").secret());
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
