//! The secrets that signatures are made with, encrypted at rest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Seals secrets, each for its webhook. `Debug` does not show the key.
#[derive(Clone)]
pub struct Secrets([u8; 32]);

const NONCE: usize = 24;
const VERSION: &str = "v1.";

impl Secrets {
    /// Under a key of its own, derived from the installation's.
    pub fn new(installation: [u8; 32]) -> Self {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&installation)
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        mac.update(b"previewd webhook secrets");
        Self(mac.finalize().into_bytes().into())
    }

    pub(super) fn close(&self, webhook: Uuid, secret: &str) -> Option<String> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret.as_bytes(), aad: webhook.as_bytes() };
        let sealed = XChaCha20Poly1305::new(&self.0.into()).encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// None for what was not closed under this key and for this webhook.
    pub(super) fn open(&self, webhook: Uuid, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let payload = Payload { msg: sealed, aad: webhook.as_bytes() };
        let opened = XChaCha20Poly1305::new(&self.0.into()).decrypt(&XNonce::from(nonce), payload).ok()?;
        String::from_utf8(opened).ok()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_webhook_under_its_key_alone() {
        let (secrets, webhook) = (Secrets::new([7; 32]), Uuid::now_v7());
        let sealed = secrets.close(webhook, "correct horse").expect("sealed");
        assert!(!sealed.contains("horse"));
        assert_eq!(secrets.open(webhook, &sealed).as_deref(), Some("correct horse"));
        assert_eq!(secrets.open(Uuid::now_v7(), &sealed), None);
        assert_eq!(Secrets::new([8; 32]).open(webhook, &sealed), None);
        assert_eq!(secrets.open(webhook, "v1.AAAA"), None);
    }
}
