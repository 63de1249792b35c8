//! The passwords of database servers, and names that are nobody else's.

use sha2::{Digest, Sha256};

use crate::domain::PreviewId;
use crate::seal::derived;

/// The superusers' passwords on our servers. `Debug` does not show the key.
#[derive(Clone)]
pub struct Passwords {
    key: [u8; 32],
}

impl Passwords {
    /// A key of its own is derived from the installation's, so that none of its other signatures
    /// can be made of it.
    pub fn new(installation: [u8; 32]) -> Self {
        Self { key: derived(&installation, b"previewd database servers") }
    }

    /// Twenty hex digits for a preview that do not tell its id.
    pub(super) fn database_name(&self, preview: PreviewId) -> String {
        hex(&derived(&self.key, format!("database of {preview}").as_bytes())[..10])
    }

    /// Of a preview's cache: the same each time, as the next is.
    pub(super) fn cache(&self, preview: PreviewId) -> String {
        self.admin(&format!("cache of {preview}"))
    }

    /// The same each time it is asked for, so that it need not be kept anywhere.
    pub(super) fn admin(&self, server: &str) -> String {
        hex(&derived(&self.key, server.as_bytes())[..24])
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

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_password_is_the_same_each_time_and_each_servers_own() {
        let passwords = Passwords::new([7; 32]);
        assert_eq!(passwords.admin("a"), passwords.admin("a"));
        assert_ne!(passwords.admin("a"), passwords.admin("b"));
        assert_ne!(random_password(), random_password());
    }
}
