//! What a preview runs: its generation, with the files that were changed since on top.

use super::Parts;
use crate::domain::{Generation, Preview};
use crate::store::StoreError;

impl Parts {
    /// None when the generation was deleted.
    pub(super) async fn source(&self, preview: &Preview) -> Result<Option<Generation>, StoreError> {
        let Some(generation) = self.store.generation(&preview.generation_id).await? else { return Ok(None) };
        let Some(overlay) = self.store.overlay(preview.id).await? else { return Ok(Some(generation)) };
        // Its size was settled when it came in.
        let files = overlay.patch.applied_to(&generation.files, u64::MAX);
        let files = files.unwrap_or_else(|_| generation.files.clone());
        Ok(Some(Generation { files, content_hash: overlay.head.content_hash, ..generation }))
    }
}
