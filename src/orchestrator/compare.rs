//! Gathers what two generations are made of and how their previews did, and compares them.

use super::Orchestrator;
use crate::domain::{Generation, GenerationId, UserId};
use crate::generation::compare::{Comparison, Performance, Version, compare};
use crate::generation::plan;
use crate::store::StoreError;

impl Orchestrator {
    /// What became of `before` in `after`. Response times and error rates are those of the latest
    /// preview of each, the user's or, without a user, anybody's.
    pub async fn compare(
        &self,
        before: Generation,
        after: Generation,
        user: Option<&UserId>,
    ) -> Result<Comparison, StoreError> {
        let outlines = (self.outline(&before.id).await?, self.outline(&after.id).await?);
        let ran = (self.performance(&before.id, user).await?, self.performance(&after.id, user).await?);
        let bases = self.images().bases().clone();
        // Planning reads all files again: off the threads that serve sockets.
        let compared = tokio::task::spawn_blocking(move || {
            let planned = |one: &Generation| plan(&one.metadata, &one.files, &bases).ok();
            let plans = (planned(&before), planned(&after));
            let earlier = Version {
                metadata: &before.metadata,
                files: &before.files,
                outline: &outlines.0,
                plan: plans.0.as_ref(),
                performance: ran.0,
            };
            let later = Version {
                metadata: &after.metadata,
                files: &after.files,
                outline: &outlines.1,
                plan: plans.1.as_ref(),
                performance: ran.1,
            };
            compare(earlier, later)
        });
        Ok(compared.await.unwrap_or_default())
    }

    async fn performance(
        &self,
        generation: &GenerationId,
        user: Option<&UserId>,
    ) -> Result<Option<Performance>, StoreError> {
        let Some(preview) = self.preview_of(generation, user).await? else { return Ok(None) };
        let (request_count, error_count, avg_response_time) = match self.parts.ingress.traffic(preview.id) {
            Some(traffic) => (traffic.requests, traffic.errors, traffic.avg_ms),
            None => (preview.request_count, preview.error_count, preview.avg_response_time),
        };
        Ok((request_count > 0).then_some(Performance { request_count, error_count, avg_response_time }))
    }
}
