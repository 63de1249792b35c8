//! API keys as they are presented: `pvk_{id}_{secret}`. The id finds the row, whose hash tells
//! whether it is the key. Looked up anew for each request, so that a revoked one ends at once.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use sha2::{Digest, Sha256};

use crate::api::problem::ApiError;
use crate::domain::ApiKey;
use crate::store::Store;

/// What tells a key from other bearer tokens.
const PREFIX: &str = "pvk_";

/// A key that was just made: its only copy.
pub struct FreshKey {
    pub id: String,
    pub text: String,
    pub hash: String,
}

/// Checks keys, and remembers which were noted as used lately.
#[derive(Clone)]
pub struct ApiKeys {
    store: Store,
    noted: Arc<Mutex<HashMap<String, Instant>>>,
}

/// How often it is written down that a key is used.
const NOTED_FOR: Duration = Duration::from_secs(60);

/// 48 random bits name it, 256 make it a secret.
pub fn fresh() -> FreshKey {
    let id: [u8; 6] = rand::random();
    let secret: [u8; 32] = rand::random();
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = hash(&text);
    FreshKey { id, text, hash }
}

pub fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// A key has as much chance in it as its hash: nothing is gained by making the hash slow.
fn hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ApiKeys {
    pub fn new(store: Store) -> Self {
        Self { store, noted: Arc::default() }
    }

    /// What is known of a presented key that is of use now.
    pub async fn verify(&self, presented: &str) -> Result<ApiKey, ApiError> {
        let unknown = || ApiError::BadToken("there is no such API key".to_owned());
        let (id, _) =
            presented.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or_else(unknown)?;
        let stored = self.store.api_key(id).await?.ok_or_else(unknown)?;
        // Hashes are compared, so that the time taken says nothing about the key.
        if stored.hash != hash(presented) {
            return Err(unknown());
        }
        if let Some(why) = stored.key.over(Utc::now()) {
            return Err(ApiError::BadToken(why.to_owned()));
        }
        self.note(&stored.key.id);
        Ok(stored.key)
    }

    /// Off the way of the request.
    fn note(&self, id: &str) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(id).is_some_and(|when| when.elapsed() < NOTED_FOR) {
            return;
        }
        noted.retain(|_, when| when.elapsed() < NOTED_FOR);
        noted.insert(id.to_owned(), Instant::now());
        drop(noted);
        let (store, id) = (self.store.clone(), id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = store.touch_api_key(&id, Utc::now()).await {
                tracing::warn!(%error, "the use of an API key was not noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_their_id_and_are_never_the_same() {
        let (one, other) = (fresh(), fresh());
        assert!(is_key(&one.text) && one.text.starts_with(&format!("pvk_{}_", one.id)));
        assert_ne!((&one.text, &one.id), (&other.text, &other.id));
        assert_eq!(one.hash, hash(&one.text));
        assert!(one.text.len() > 50 && !one.hash.contains(&one.text));
    }
}
