//! What is kept encrypted: XChaCha20-Poly1305 under keys that are derived, for each purpose one,
//! from those of the installation.
//!
//! The newest key closes; every key opens. So a key is rotated by adding one in front, closing
//! everything again, and taking the old one away.

mod ring;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub use ring::{NamedKeys, Ring, RingError, parse_keys};

/// What something is sealed for. Sealed for one purpose, it opens for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Where a preview's database is, its password in it.
    DatabaseAddress,
    /// A value of a generation's or preview's environment.
    Environment,
    /// An answer that is kept to be given again.
    Answer,
    /// What the signatures of a webhook are made with. Its owner is the sixteen bytes of its id.
    WebhookSecret,
}

/// The cipher took no text, which it does only for ones of 256 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it could not be encrypted")]
pub struct NotSealed;

/// Seals texts. Cheap to clone; `Debug` does not show the keys.
#[derive(Clone)]
pub struct Seal {
    /// The newest first; never empty.
    keys: Arc<[[u8; 32]]>,
}

const VERSION: &str = "v1.";
const NONCE: usize = 24;

impl Seal {
    /// Under `newest`; what was sealed under one of `former` still opens.
    pub fn new(newest: [u8; 32], former: &[[u8; 32]]) -> Self {
        Self { keys: std::iter::once(newest).chain(former.iter().copied()).collect() }
    }

    /// `owner` names what the text belongs to, and has to be named again to open it: a sealed
    /// text that is moved elsewhere is worth nothing there.
    pub fn close(&self, purpose: Purpose, owner: impl AsRef<[u8]>, text: &str) -> Result<String, NotSealed> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: text.as_bytes(), aad: owner.as_ref() };
        let sealed = cipher(&self.keys[0], purpose).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| NotSealed)?;
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// `None` for what was not closed under one of these keys, for this purpose and owner.
    pub fn open(&self, purpose: Purpose, owner: impl AsRef<[u8]>, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce = XNonce::from(<[u8; NONCE]>::try_from(nonce).ok()?);
        let payload = || Payload { msg: sealed, aad: owner.as_ref() };
        let opened = self.keys.iter().find_map(|key| cipher(key, purpose).decrypt(&nonce, payload()).ok())?;
        String::from_utf8(opened).ok()
    }
}

fn cipher(key: &[u8; 32], purpose: Purpose) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&derived(key, purpose.label()).into())
}

/// A key of its own for each purpose, of which the installation's cannot be found out.
pub fn derived(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::DatabaseAddress => b"previewd database addresses",
            Self::Environment => b"previewd environment values",
            Self::Answer => b"previewd kept answers",
            Self::WebhookSecret => b"previewd webhook secrets",
        }
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "postgresql://a:secret@b/c";

    #[test]
    fn a_text_opens_for_its_owner_and_purpose_under_its_key_alone() {
        let seal = Seal::new([7; 32], &[]);
        let sealed = seal.close(Purpose::DatabaseAddress, "ours", TEXT).expect("sealed");
        assert!(!sealed.contains("secret"));
        let opened = |seal: &Seal, purpose, owner: &str| seal.open(purpose, owner, &sealed);
        assert_eq!(opened(&seal, Purpose::DatabaseAddress, "ours").as_deref(), Some(TEXT));
        assert_eq!(opened(&seal, Purpose::DatabaseAddress, "theirs"), None);
        assert_eq!(opened(&seal, Purpose::Environment, "ours"), None);
        assert_eq!(opened(&Seal::new([8; 32], &[]), Purpose::DatabaseAddress, "ours"), None);
        let mut broken = sealed.into_bytes();
        let last = broken.len() - 2;
        broken[last] = if broken[last] == b'A' { b'B' } else { b'A' };
        let broken = String::from_utf8(broken).expect("ASCII");
        assert_eq!(seal.open(Purpose::DatabaseAddress, "ours", &broken), None);
        assert_eq!(seal.open(Purpose::DatabaseAddress, "ours", "v1.AAAA"), None);
    }

    #[test]
    fn a_former_key_opens_and_only_the_newest_closes() {
        let before = Seal::new([7; 32], &[]);
        let sealed = before.close(Purpose::Environment, "ours", TEXT).expect("sealed");
        let rotated = Seal::new([8; 32], &[[7; 32]]);
        assert_eq!(rotated.open(Purpose::Environment, "ours", &sealed).as_deref(), Some(TEXT));
        let again = rotated.close(Purpose::Environment, "ours", TEXT).expect("sealed");
        assert_eq!(before.open(Purpose::Environment, "ours", &again), None);
        assert_eq!(Seal::new([8; 32], &[]).open(Purpose::Environment, "ours", &again).as_deref(), Some(TEXT));
    }
}
