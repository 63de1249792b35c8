//! The cache of a preview: promised with the launch, made before the app, emptied by a reset,
//! gone with the preview. What is done to one is in [`super::redis`].

use std::collections::BTreeMap;

use super::redis::{CacheInventory, KnownCache};
use super::{DatabaseError, Databases, Part};
use crate::domain::{CacheType, Invalid, Metadata, PreviewId};
use crate::store::StoreError;

impl Databases {
    /// Whether a preview shall have a cache, by what the metadata says, else by whether its code
    /// takes one from the environment. Refuses what this daemon does not give.
    pub fn choose_cache(&self, metadata: &Metadata, detected: bool) -> Result<bool, Invalid> {
        match metadata.cache {
            Some(CacheType::None) => Ok(false),
            Some(CacheType::Redis) if !self.inner.config.redis => {
                let why = "this daemon gives no redis: PREVIEW_SUPPORT_REDIS is false";
                Err(Invalid::new("cache", why))
            }
            Some(CacheType::Redis) => Ok(true),
            None => Ok(detected && self.inner.config.redis),
        }
    }

    /// Writes down that a stored preview shall have a cache.
    pub async fn intend_cache(&self, preview: PreviewId) -> Result<(), StoreError> {
        self.inner.store.put_cache(preview).await?;
        self.inner.caches().insert(preview, KnownCache::default());
        Ok(())
    }

    /// What is known of a live preview's cache; `None` where it has none.
    pub fn cache(&self, preview: PreviewId) -> Option<KnownCache> {
        self.inner.caches().get(&preview).cloned()
    }

    /// The variables that lead an app to its cache: none where it has none.
    pub fn cache_environment<'a>(
        &self,
        preview: PreviewId,
        asked_for: impl IntoIterator<Item = &'a str>,
        told: &[(&str, Part)],
    ) -> BTreeMap<String, String> {
        match self.inner.caches().contains_key(&preview) {
            true => self.inner.cache_access(preview).environment(asked_for, told),
            false => BTreeMap::new(),
        }
    }

    /// A cache that answers, for a preview that shall have one; done at once for any other.
    pub async fn provide_cache(&self, preview: PreviewId, network: &str) -> Result<(), DatabaseError> {
        match self.cache(preview) {
            Some(_) => self.inner.provide_cache(preview, network).await,
            None => Ok(()),
        }
    }

    /// Nothing of what is in it stays; the next [`Databases::provide_cache`] begins anew.
    pub async fn empty_cache(&self, preview: PreviewId) -> Result<(), DatabaseError> {
        let known = self.inner.caches().get_mut(&preview).map(|known| known.ready = false);
        match known {
            Some(()) => self.inner.remove_cache(preview).await,
            None => Ok(()),
        }
    }

    /// Keys and bytes of a preview's cache; `None` where it has none.
    pub async fn look_into_cache(
        &self,
        preview: PreviewId,
        network: &str,
    ) -> Result<Option<CacheInventory>, DatabaseError> {
        match self.cache(preview) {
            Some(known) if known.ready => self.inner.look_into_cache(preview, network).await.map(Some),
            Some(_) => Err(DatabaseError::NotReady),
            None => Ok(None),
        }
    }
}
