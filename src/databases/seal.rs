//! Keys derived from the installation's, and what is kept under them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::DatabaseError;
use crate::domain::PreviewId;

/// Encrypts addresses at rest, each bound to its preview. `Debug` does not show the key.
#[derive(Clone)]
pub struct Seal {
    cipher: [u8; 32],
    passwords: [u8; 32],
}

const NONCE: usize = 24;

impl Seal {
    /// Keys of its own are derived, so that none of the installation's other signatures can be
    /// made of them.
    pub fn new(installation: [u8; 32]) -> Self {
        Self {
            cipher: derived(&installation, b"previewd database addresses"),
            passwords: derived(&installation, b"previewd database servers"),
        }
    }

    pub(super) fn close(&self, preview: PreviewId, text: &str) -> Result<String, DatabaseError> {
        let nonce: [u8; NONCE] = rand::random();
        let owner = preview.to_string();
        let payload = Payload { msg: text.as_bytes(), aad: owner.as_bytes() };
        let sealed = XChaCha20Poly1305::new(&self.cipher.into()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| DatabaseError::Seal)?;
        Ok(format!("v1.{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// `None` for what was not written by [`Seal::close`] under this key and for this preview.
    pub(super) fn open(&self, preview: PreviewId, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix("v1.")?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let owner = preview.to_string();
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        let opened =
            XChaCha20Poly1305::new(&self.cipher.into()).decrypt(&XNonce::from(nonce), payload).ok()?;
        String::from_utf8(opened).ok()
    }

    /// Twenty hex digits for a preview that do not tell its id.
    pub(super) fn database_name(&self, preview: PreviewId) -> String {
        hex(&derived(&self.passwords, format!("database of {preview}").as_bytes())[..10])
    }

    /// Of a preview's cache: the same each time, as the next is.
    pub(super) fn cache_password(&self, preview: PreviewId) -> String {
        self.admin_password(&format!("cache of {preview}"))
    }

    /// The superuser's password on a server of ours: the same each time it is asked for, so that
    /// it need not be kept anywhere.
    pub(super) fn admin_password(&self, server: &str) -> String {
        hex(&derived(&self.passwords, server.as_bytes())[..24])
    }
}

/// 192 random bits in letters and digits.
pub(super) fn random_password() -> String {
    let bytes: [u8; 24] = rand::random();
    hex(&bytes)
}

/// Eight hex digits that tell names apart.
pub(super) fn short_hash(text: &str) -> String {
    hex(&Sha256::digest(text)[..4])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn derived(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_opens_for_its_preview_under_its_key_alone() {
        let (seal, preview) = (Seal::new([7; 32]), PreviewId::new());
        let sealed = seal.close(preview, "postgresql://a:secret@b/c").expect("sealed");
        assert!(!sealed.contains("secret"));
        assert_eq!(seal.open(preview, &sealed).as_deref(), Some("postgresql://a:secret@b/c"));
        assert_eq!(seal.open(PreviewId::new(), &sealed), None);
        assert_eq!(Seal::new([8; 32]).open(preview, &sealed), None);
        let mut broken = sealed.into_bytes();
        let last = broken.len() - 2;
        broken[last] = if broken[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(seal.open(preview, &String::from_utf8(broken).expect("ASCII")), None);
        assert_eq!(seal.open(preview, "v1.AAAA"), None);
    }

    #[test]
    fn a_servers_password_is_the_same_each_time_and_each_servers_own() {
        let seal = Seal::new([7; 32]);
        assert_eq!(seal.admin_password("a"), seal.admin_password("a"));
        assert_ne!(seal.admin_password("a"), seal.admin_password("b"));
        assert_ne!(random_password(), random_password());
    }
}
