//! How much room the disks have that images, containers and our own data lie on.

use std::path::{Path, PathBuf};

/// The worst of the disks that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// Images that nothing uses are collected whatever their age.
    Tight(String),
    /// Launches are refused.
    Out(String),
}

/// Free bytes for who is not root, on the disk where `place` lies; `None` where that cannot be told, as of
/// the disk of a remote engine.
pub fn free_at(place: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(place).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How much room there is at these places; with less than `floor` bytes free at one of them there is
/// none, with less than twice as much it is tight. No floor, no end.
pub fn room(places: &[PathBuf], floor: u64) -> Room {
    let free = places.iter().filter_map(|place| Some((free_at(place)?, place)));
    let Some((free, place)) = free.min_by_key(|(free, _)| *free) else { return Room::Enough };
    judge(free, floor, place)
}

fn judge(free: u64, floor: u64, place: &Path) -> Room {
    const MIB: u64 = 1024 * 1024;
    let said = || {
        let (free, floor, place) = (free / MIB, floor / MIB, place.display());
        format!("{free} MiB are free at {place}; PREVIEW_DISK_FLOOR_MB is {floor}")
    };
    match free {
        _ if free < floor => Room::Out(said()),
        _ if free < floor.saturating_mul(2) => Room::Tight(said()),
        _ => Room::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tight_before_it_is_out() {
        let judged = |free, floor| judge(free, floor, Path::new("/data"));
        assert_eq!(judged(200 << 20, 100 << 20), Room::Enough);
        assert!(matches!(judged((200 << 20) - 1, 100 << 20), Room::Tight(said) if said.contains("/data")));
        assert!(matches!(judged(100 << 20, 100 << 20), Room::Tight(_)));
        assert!(matches!(judged((100 << 20) - 1, 100 << 20), Room::Out(said) if said.contains("99 MiB")));
        assert_eq!(judged(0, 0), Room::Enough, "no floor");
        assert_eq!(room(&["/nowhere/at/all".into()], u64::MAX), Room::Enough);
        assert!(matches!(room(&["/".into()], u64::MAX), Room::Out(_)));
    }
}
