//! Previews made ahead of their launch: how many may wait, who makes room, and how a launch finds
//! its own.
//!
//! Each is a row and a driver like any preview; it counts as nobody's and is seen by nobody until
//! a launch claims it, and it is the first to go when memory is short.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::sync::oneshot;

use super::driver::{Begin, CLAIM_TAKES, Claim, Claimed, Message};
use super::foresight::Projects;
use super::images::Recipe;
use super::launch::{Launch, LaunchError, Launched, Promised};
use super::queue::Ask;
use super::registry::Entry;
use super::{Orchestrator, Parts};
use crate::domain::{
    DatabaseRecord, Generation, GenerationId, Preview, PreviewId, ResourceTier, Status, UserId, UserTier,
};

/// How many previews wait for their launch, and for how long.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PREVIEW_PREWARM_MAX`, default 10: on this host. 0: none.
    pub max: u32,
    /// `PREVIEW_PREWARM_MAX_PER_USER`, default 2: the user's oldest makes room for a newer one.
    pub max_per_user: u32,
    /// `PREVIEW_PREWARM_TTL`, seconds, default 900: how long one waits.
    pub ttl: Duration,
    /// Of which projects every generation is made ready.
    pub projects: Projects,
    /// `PREVIEW_PREWARM_MEMORY_MB`, MiB, default 2048: what all of them may use together.
    pub memory_mb: u64,
}

/// One that waits, or is being made.
#[derive(Debug, Clone)]
struct Waiting {
    id: PreviewId,
    user: UserId,
    since: DateTime<Utc>,
    memory_mb: u64,
}

/// Whether there is room for one more.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    Free,
    /// Once these are gone.
    After(Vec<PreviewId>),
    None(&'static str),
}

/// The user's own oldest make room; nobody makes room for somebody else.
fn room(waiting: &[Waiting], user: &UserId, memory_mb: u64, limits: &Config) -> Room {
    let most = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    let mut own: Vec<&Waiting> = waiting.iter().filter(|one| one.user == *user).collect();
    own.sort_by_key(|one| std::cmp::Reverse(one.since));
    let (mut all, mut mine) = (waiting.len(), own.len());
    let mut used: u64 = waiting.iter().map(|one| one.memory_mb).sum();
    let mut leave = Vec::new();
    loop {
        let full = if all >= most(limits.max) {
            "as many wait already as may on this host"
        } else if mine >= most(limits.max_per_user) {
            "the user has as many waiting as allowed"
        } else if used + memory_mb > limits.memory_mb {
            "those that wait use the memory they may"
        } else {
            return if leave.is_empty() { Room::Free } else { Room::After(leave) };
        };
        let Some(oldest) = own.pop() else { return Room::None(full) };
        (all, mine, used) = (all - 1, mine - 1, used - oldest.memory_mb);
        leave.push(oldest.id);
    }
}

impl Orchestrator {
    /// Makes a generation ready for its owner's launch, in the background.
    pub fn prewarm(&self, generation: Generation, user_tier: UserTier) {
        let parts = Arc::clone(&self.parts);
        if parts.config.parked.max == 0 || parts.shutdown.is_cancelled() {
            return;
        }
        self.parts.tasks.spawn(async move {
            let id = generation.id.clone();
            if let Err(error) = parts.make_ahead(generation, user_tier).await {
                tracing::info!(%error, generation = %id, "a generation is not made ready ahead of its launch");
            }
        });
    }

    /// The preview that waits, or is being made, for its owner's launch.
    pub fn parked(&self, generation: &GenerationId, user: &UserId) -> Option<Preview> {
        self.parts.parked_one(generation, user).map(|entry| entry.view.borrow().clone())
    }

    /// The generation is gone: nobody can launch what waits of it.
    pub async fn forget_parked(&self, generation: &GenerationId) {
        // Whoever is making one has it in the registry when the turn is ours, or finds no generation.
        let _turn = self.parts.launch_turn.lock().await;
        for preview in self.parts.registry.previews() {
            if preview.generation_id == *generation && preview.parked_until.is_some() {
                self.parts.let_go(preview.id);
            }
        }
    }
}

impl Parts {
    async fn make_ahead(
        self: Arc<Self>,
        generation: Generation,
        user_tier: UserTier,
    ) -> Result<(), LaunchError> {
        let launch = Launch {
            user: generation.owner.clone(),
            user_tier,
            resource_tier: ResourceTier::default(),
            project_id: None,
            environment: Default::default(),
            database: None,
            egress: None,
            migrate: true,
            log_level: None,
            max_log_lines: None,
            startup_timeout: None,
            // Whoever claims it says so.
            private: None,
            session: self.config.parked.ttl,
            idle: None,
        };
        let recipe = self.recipe_for(&generation).await?;
        let mut preview = self.new_preview(&generation, &recipe, &launch)?;
        let data = self.data_for(&mut preview, &generation, &recipe, &launch)?;
        preview.parked_until = Some(preview.expires_at.trunc_subsecs(3));
        let _turn = self.launch_turn.lock().await;
        let head = self.store.generation_head(&generation.id).await?;
        let is_there = head.is_some_and(|head| head.content_hash == generation.content_hash);
        let is_had = self.store.live_preview(&generation.id, &launch.user).await?.is_some()
            || self.parked_one(&generation.id, &launch.user).is_some();
        let is_short =
            self.missing_for(&preview.limits).is_some() || self.disks.room() != super::Room::Enough;
        if !is_there || is_had || is_short || !self.make_room(&preview) {
            return Ok(());
        }
        if self.store.insert_parked(&preview).await? {
            self.write_parked(preview, data, recipe).await?;
        }
        Ok(())
    }

    async fn write_parked(
        self: &Arc<Self>,
        mut preview: Preview,
        data: Promised,
        recipe: Arc<Recipe>,
    ) -> Result<(), LaunchError> {
        if let Err(error) = self.intend_data(&preview, data).await {
            self.databases.forget(preview.id);
            preview.status = Status::Stopped;
            preview.stopped_at = Some(Utc::now());
            self.store.update_preview(&preview).await?;
            return Err(error.into());
        }
        self.drive(preview, Begin::Launch, Some(recipe));
        Ok(())
    }

    /// Whether there is room for this one; those that make room begin to go.
    fn make_room(&self, preview: &Preview) -> bool {
        let all = self.registry.previews().into_iter();
        let waiting: Vec<Waiting> = all
            .filter(|one| one.parked_until.is_some() && one.status != Status::Stopping)
            .map(|one| self.waiting(&one))
            .collect();
        match room(&waiting, &preview.user_id, preview.limits.memory_mb, &self.config.parked) {
            Room::Free => true,
            Room::After(leave) => {
                leave.into_iter().for_each(|id| self.let_go(id));
                true
            }
            Room::None(why) => {
                tracing::info!(generation = %preview.generation_id, why, "no room for a preview ahead of its launch");
                false
            }
        }
    }

    /// One that is frozen uses what it uses; one that is being made may use all it is allowed.
    fn waiting(&self, preview: &Preview) -> Waiting {
        let sample = (preview.status == Status::Parked).then(|| self.samples.take(preview.id)).flatten();
        let used = sample.map(|sample| sample.counters.memory_bytes.div_ceil(1024 * 1024));
        Waiting {
            id: preview.id,
            user: preview.user_id.clone(),
            since: preview.created_at,
            memory_mb: used.unwrap_or(preview.limits.memory_mb).min(preview.limits.memory_mb),
        }
    }

    fn parked_one(&self, generation: &GenerationId, user: &UserId) -> Option<Entry> {
        self.registry.find(|preview| {
            preview.parked_until.is_some()
                && preview.status != Status::Stopping
                && preview.generation_id == *generation
                && preview.user_id == *user
        })
    }

    /// Has a parked preview go, in its own time. A full inbox is of one that is busy: it is asked
    /// again by whoever needs it gone.
    pub(super) fn let_go(&self, id: PreviewId) {
        if let Some(entry) = self.registry.get(id) {
            let (reply, _unheard) = oneshot::channel();
            let _ = entry.inbox.try_send(Message::Ask(Ask::Stop, reply));
        }
    }

    /// The preview that was made ahead for this launch, now the launch's own; `None` when the
    /// launch has to go the long way. The caller holds the launch turn.
    pub(super) async fn claim(
        self: &Arc<Self>,
        wanted: &Preview,
        recipe: &Recipe,
        database: Option<&DatabaseRecord>,
        is_private: bool,
    ) -> Option<Result<Launched, LaunchError>> {
        let entry = self.parked_one(&wanted.generation_id, &wanted.user_id)?;
        if entry.view.borrow().status != Status::Parked {
            return None;
        }
        let image = recipe.tag.clone();
        let claim = Claim { wanted: wanted.clone(), database: database.cloned(), image, is_private };
        let (reply, answered) = oneshot::channel();
        entry.inbox.try_send(Message::Claim(Box::new(claim), reply)).ok()?;
        match tokio::time::timeout(CLAIM_TAKES, answered).await {
            Ok(Ok(Claimed::Taken(preview))) => {
                Some(Ok(Launched { token: self.token(&preview), preview: *preview, is_new: true }))
            }
            Ok(Ok(Claimed::Refused(error))) => Some(Err(error)),
            Ok(Ok(Claimed::Missed(why))) => {
                tracing::info!(generation = %wanted.generation_id, why, "a prewarmed preview was not claimed");
                None
            }
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// A launch overtook the preview that is still being made ahead of it. That one goes once the
    /// launch has its image, so that the build they share goes on.
    pub(super) fn overtake(self: &Arc<Self>, launched: &Preview) {
        let Some(entry) = self.parked_one(&launched.generation_id, &launched.user_id) else { return };
        let (parts, id, launched) = (Arc::clone(self), entry.view.borrow().id, launched.id);
        if entry.view.borrow().status == Status::Parked {
            return;
        }
        self.tasks.spawn(async move {
            let Some(mut launched) = parts.registry.get(launched) else { return };
            let has_image =
                |preview: &Preview| preview.network.is_some() || preview.status != Status::Launching;
            let _ = parts.shutdown.run_until_cancelled(launched.view.wait_for(has_image)).await;
            parts.let_go(id);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).expect("a name")
    }

    fn waiting(name: &str, age_s: i64) -> Waiting {
        let since = Utc::now() - chrono::TimeDelta::seconds(age_s);
        Waiting { id: PreviewId::new(), user: user(name), since, memory_mb: 100 }
    }

    const LIMITS: Config = Config {
        max: 3,
        max_per_user: 2,
        projects: Projects::None,
        ttl: Duration::from_secs(60),
        memory_mb: 400,
    };

    #[test]
    fn a_users_oldest_makes_room_and_nobody_elses() {
        let all = [waiting("ann", 10), waiting("ann", 20)];
        assert_eq!(room(&all[..1], &user("ann"), 100, &LIMITS), Room::Free);
        assert_eq!(room(&all, &user("ann"), 100, &LIMITS), Room::After(vec![all[1].id]));
        assert_eq!(room(&all, &user("bob"), 100, &LIMITS), Room::Free);
        let full = [all.to_vec(), vec![waiting("bob", 5)]].concat();
        assert!(matches!(room(&full, &user("eve"), 100, &LIMITS), Room::None(_)));
        assert_eq!(room(&full, &user("bob"), 100, &LIMITS), Room::After(vec![full[2].id]));
    }

    #[test]
    fn memory_is_a_limit_of_its_own() {
        let all = [waiting("ann", 10)];
        assert_eq!(room(&all, &user("bob"), 300, &LIMITS), Room::Free);
        assert!(matches!(room(&all, &user("bob"), 301, &LIMITS), Room::None(_)));
        assert_eq!(room(&all, &user("ann"), 400, &LIMITS), Room::After(vec![all[0].id]));
        assert!(matches!(room(&all, &user("ann"), 401, &LIMITS), Room::None(_)));
    }
}
