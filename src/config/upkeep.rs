//! What is kept on the host, and how long.

use std::path::Path;
use std::time::Duration;

use super::parse::{duration_s, in_range};
use super::reader::Reader;
use crate::orchestrator::UpkeepConfig;

pub(super) fn read(r: &mut Reader, data_dir: &Path) -> Option<UpkeepConfig> {
    let year = "60 to 31536000 seconds";
    let ttl = r.take("PREVIEW_DOCKER_IMAGE_CACHE_TTL", "86400", year, duration_s(60..=31_536_000));
    let cache_ttl = r.take(
        "PREVIEW_BUILD_CACHE_TTL",
        "604800",
        "0 (left alone) to 31536000 seconds",
        duration_s(0..=31_536_000),
    );
    let mib = "64 to 10485760 MiB";
    let cache_most = r.take("PREVIEW_BUILD_CACHE_MAX_MB", "20480", mib, in_range(64..=10_485_760));
    let floor = r.take("PREVIEW_DISK_FLOOR_MB", "1024", "0 (none) to 10485760 MiB", in_range(0..=10_485_760));
    let days = r.take("PREVIEW_HISTORY_DAYS", "90", "1 to 3650 days", in_range(1..=3650));
    Some(UpkeepConfig {
        image_ttl: ttl?,
        cache_ttl: cache_ttl.map(|ttl| Some(ttl).filter(|ttl| !ttl.is_zero()))?,
        cache_most: cache_most? * 1024 * 1024,
        cache_every: Duration::from_secs(3600),
        disk_floor: floor? * 1024 * 1024,
        history: Duration::from_secs(days? * 86_400),
        data_dir: data_dir.to_owned(),
        every: Duration::from_secs(60),
    })
}
