//! What is held ready ahead of launches, and what of the host's memory stays free.

use std::time::Duration;

use super::parse::{duration_s, in_range, word};
use super::reader::Reader;
use crate::orchestrator::{MemoryConfig, MemoryReading, ParkedConfig, WarmConfig};

pub(super) fn parked(r: &mut Reader) -> Option<ParkedConfig> {
    let max = r.take("PREVIEW_PREWARM_MAX", "10", "0 (none) to 1000", in_range(0..=1000));
    let per_user = r.take("PREVIEW_PREWARM_MAX_PER_USER", "2", "1 to 1000", in_range(1..=1000));
    let expected = "*, active, or names of projects with commas";
    let projects = r.take("PREVIEW_PREWARM_PROJECTS", "", expected, word);
    let ttl = r.take("PREVIEW_PREWARM_TTL", "900", "10 to 86400 seconds", duration_s(10..=86_400));
    let memory = r.take("PREVIEW_PREWARM_MEMORY_MB", "2048", "16 to 1048576 MiB", in_range(16..=1_048_576));
    Some(ParkedConfig {
        max: u32::try_from(max?).ok()?,
        max_per_user: u32::try_from(per_user?).ok()?,
        projects: projects?,
        ttl: ttl?,
        memory_mb: memory?,
    })
}

pub(super) fn warm(r: &mut Reader) -> Option<WarmConfig> {
    let max = r.take("PREVIEW_WARM_MAX", "4", "0 (none) to 1000", in_range(0..=1000));
    let ttl = r.take("PREVIEW_WARM_TTL", "900", "10 to 86400 seconds", duration_s(10..=86_400));
    Some(WarmConfig { max: usize::try_from(max?).ok()?, ttl: ttl? })
}

pub(super) fn memory(r: &mut Reader) -> Option<MemoryConfig> {
    let expected = "0 (memory is not looked at) to 1048576 MiB";
    let reserve_mb = r.take("PREVIEW_MEMORY_RESERVE_MB", "256", expected, in_range(0..=1_048_576));
    let reading = MemoryReading::of_the_host();
    Some(MemoryConfig { reserve_mb: reserve_mb?, every: Duration::from_secs(1), reading })
}
