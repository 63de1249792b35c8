//! Signatures, by which a receiver knows who speaks, and that it is no old letter.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// `sha256=` and the HMAC-SHA256 of `{timestamp}.{body}` in lower-case hex.
pub fn signature(secret: &str, timestamp: i64, body: &str) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anybody_else_comes_to_the_same_signature() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac 'it is a secret to us'
        let signed = signature("it is a secret to us", 1_700_000_000, "{}");
        assert_eq!(signed, "sha256=3520025fad3b08fce560bc11392c680edc22a527a3d94a1bac5fb7232bab99fb");
        assert_ne!(signature("it is a secret to us", 1_700_000_001, "{}"), signed);
    }
}
