//! Preview tokens: what a platform shows to use one preview's request and log calls.
//!
//! A token is an HMAC of the preview's id and its version under the daemon's key, so the daemon
//! can say it again to the owner who launches a live preview twice, while the store holds only
//! its hash. A restart raises the version, and with it ends the earlier token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::domain::PreviewId;

/// Signs preview tokens. `Debug` does not show the key.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// `pvt_` and 43 characters of URL-safe base64.
    pub fn token(&self, preview: PreviewId, version: u32) -> String {
        format!("pvt_{}", self.mac(&format!("preview token\n{preview}\n{version}")))
    }
}

impl TokenKey {
    /// What opens one preview for who has the link of this id: `pvs_{id}_` and 43 characters of
    /// URL-safe base64.
    pub fn share(&self, preview: PreviewId, id: &str) -> String {
        let mac = self.mac(&format!("preview share\n{preview}\n{id}"));
        format!("{SHARE}{id}_{mac}")
    }

    fn mac(&self, text: &str) -> String {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        mac.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

const SHARE: &str = "pvs_";

/// The id of the link that a presented token says it is of.
pub fn share_id(presented: &str) -> Option<&str> {
    presented.strip_prefix(SHARE)?.split_once('_').map(|(id, _)| id)
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(redacted)")
    }
}

/// What the store keeps of a token: SHA-256, lower-case hex.
pub fn hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same of two tokens in the open.
pub fn same(presented: &str, expected: &str) -> bool {
    matches(presented, &hash(expected))
}

/// Compares hashes, so that the time taken says nothing about the token.
pub fn matches(presented: &str, stored_hash: &str) -> bool {
    let presented = hash(presented);
    presented.len() == stored_hash.len()
        && presented.bytes().zip(stored_hash.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_can_be_said_again_and_ends_with_its_version() {
        let (key, id) = (TokenKey::new([7; 32]), PreviewId::new());
        let first = key.token(id, 1);
        assert_eq!(first, key.token(id, 1));
        assert_ne!(first, key.token(id, 2));
        assert_ne!(first, key.token(PreviewId::new(), 1));
        assert!(matches(&first, &hash(&first)));
        assert!(!matches(&key.token(id, 2), &hash(&first)));
    }
}
