//! Which previews are private, and the links that open them: in memory, for every request to a
//! preview asks; written down before it counts.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

use super::{Orchestrator, Parts, token};
use crate::domain::{Preview, PreviewId, Share, UserId};
use crate::store::StoreError;

/// Links one preview may ever have.
const MOST_SHARES: u32 = 200;

#[derive(Default)]
pub(super) struct Doors {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    private: HashSet<PreviewId>,
    /// Those in force, by id.
    shares: HashMap<String, (PreviewId, DateTime<Utc>)>,
}

/// A link that was just made.
#[derive(Debug, Clone)]
pub struct FreshShare {
    pub share: Share,
    /// Its only copy.
    pub token: String,
}

impl Doors {
    pub(super) fn is_private(&self, preview: PreviewId) -> bool {
        self.read().private.contains(&preview)
    }

    pub(super) fn close(&self, preview: PreviewId) {
        self.write().private.insert(preview);
    }

    /// The preview has ended, and nobody gets in any more.
    pub(super) fn forget(&self, preview: PreviewId) {
        let mut known = self.write();
        known.private.remove(&preview);
        known.shares.retain(|_, (of, _)| *of != preview);
    }

    fn add(&self, share: &Share) {
        let mut known = self.write();
        let now = Utc::now();
        known.shares.retain(|_, (_, until)| *until > now);
        known.shares.insert(share.id.clone(), (share.preview, share.expires_at));
    }

    fn revoke(&self, id: &str) {
        self.write().shares.remove(id);
    }

    fn is_in_force(&self, id: &str, preview: PreviewId) -> bool {
        self.read().shares.get(id).is_some_and(|(of, until)| *of == preview && *until > Utc::now())
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    /// Before any port opens.
    pub(super) async fn load_doors(&self) -> Result<(), StoreError> {
        for preview in self.store.private_previews().await? {
            self.doors.close(preview);
        }
        for share in self.store.shares_in_force(Utc::now()).await? {
            self.doors.add(&share);
        }
        Ok(())
    }

    /// Whether a token opens a preview: its own, or one of a link to it.
    pub(super) fn opens(&self, preview: PreviewId, presented: &str) -> bool {
        match token::share_id(presented) {
            Some(id) => {
                token::same(presented, &self.tokens.share(preview, id)) && self.doors.is_in_force(id, preview)
            }
            None => self.registry.get(preview).is_some_and(|entry| {
                let live = entry.view.borrow();
                live.status.is_live() && token::matches(presented, &live.token_hash)
            }),
        }
    }
}

impl Orchestrator {
    pub fn is_private(&self, preview: &Preview) -> bool {
        self.parts.doors.is_private(preview.id)
    }

    /// Makes a link that opens the live preview for so long.
    pub async fn share(
        &self,
        preview: &Preview,
        by: &UserId,
        lasts: Duration,
    ) -> Result<Option<FreshShare>, StoreError> {
        let random: [u8; 8] = rand::random();
        let now = Utc::now().trunc_subsecs(3);
        let share = Share {
            id: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            preview: preview.id,
            created_by: by.clone(),
            created_at: now,
            expires_at: now + lasts,
            revoked_at: None,
        };
        if !self.parts.store.insert_share(&share, MOST_SHARES).await? {
            return Ok(None);
        }
        self.parts.doors.add(&share);
        let token = self.parts.tokens.share(preview.id, &share.id);
        Ok(Some(FreshShare { share, token }))
    }

    /// From now on the link opens nothing. `false` when the preview has no such link.
    pub async fn revoke_share(&self, preview: &Preview, id: &str) -> Result<bool, StoreError> {
        let found = self.parts.store.revoke_share(preview.id, id, Utc::now()).await?;
        if found {
            self.parts.doors.revoke(id);
        }
        Ok(found)
    }
}
