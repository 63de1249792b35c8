//! What a container has written: its writable layer and its volumes, added up from the folders
//! where the engine keeps them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bollard::models::{DriverData, MountPoint};

/// Where a container's own data lies on the engine's host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage {
    folders: Vec<PathBuf>,
}

/// Entries looked at for one container. One with more has filled its disk long before.
const MOST_ENTRIES: usize = 500_000;

impl Storage {
    pub(super) fn new(driver: Option<DriverData>, mounts: Option<Vec<MountPoint>>) -> Self {
        let layer = driver.and_then(|driver| driver.data.get("UpperDir").cloned());
        let volumes = mounts.unwrap_or_default().into_iter();
        let volumes = volumes.filter(|mount| mount.typ.as_deref() == Some("volume"));
        let folders = layer.into_iter().chain(volumes.filter_map(|mount| mount.source));
        Self { folders: folders.map(PathBuf::from).collect() }
    }

    /// Bytes that are left on its disks: the least of them.
    pub fn free(&self) -> Option<u64> {
        let free = |folder: &PathBuf| {
            let stat = rustix::fs::statvfs(folder).ok()?;
            Some(stat.f_bavail.saturating_mul(stat.f_frsize))
        };
        self.folders.iter().filter_map(free).min()
    }

    /// Bytes the host's disk holds for it. `None` where its folders cannot be read: the engine
    /// is on another host, or this process is not root. Blocks for as long as the disk takes.
    pub fn measure(&self) -> Option<u64> {
        if self.folders.is_empty() {
            return None;
        }
        let mut left = MOST_ENTRIES;
        self.folders.iter().map(|folder| size_of(folder, &mut left).ok()).sum()
    }
}

/// Blocks of everything below a folder. Links are not followed.
fn size_of(folder: &Path, left: &mut usize) -> io::Result<u64> {
    let mut bytes = 0;
    // The first folder must be there and readable; what vanishes meanwhile below it does not count.
    let mut open = vec![fs::read_dir(folder)?];
    while let Some(entries) = open.last_mut() {
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        if *left == 0 {
            break;
        }
        *left -= 1;
        let Ok(entry) = entry else { continue };
        let Ok(found) = entry.metadata() else { continue };
        bytes += found.blocks() * 512;
        if found.is_dir()
            && let Ok(below) = fs::read_dir(entry.path())
        {
            open.push(below);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(folders: &[&Path]) -> Storage {
        Storage { folders: folders.iter().map(|folder| folder.to_path_buf()).collect() }
    }

    #[test]
    fn folders_are_added_up_and_links_are_not_followed() {
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        fs::create_dir(one.path().join("sub")).expect("made");
        fs::write(one.path().join("sub/file"), vec![1; 1 << 20]).expect("written");
        fs::write(other.path().join("file"), vec![1; 1 << 20]).expect("written");
        std::os::unix::fs::symlink(other.path(), one.path().join("link")).expect("linked");
        let alone = storage(&[one.path()]).measure().expect("readable");
        assert!((1 << 20..3 << 19).contains(&alone), "{alone}");
        let both = storage(&[one.path(), other.path()]).measure().expect("readable");
        assert!((2 << 20..3 << 20).contains(&both), "{both}");
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(storage(&[folder.path()]).measure(), Some(0));
        assert_eq!(storage(&[folder.path(), &folder.path().join("none")]).measure(), None);
        assert_eq!(storage(&[]).measure(), None);
    }

    #[test]
    fn the_engine_says_where_it_lies() {
        let answer = serde_json::json!({"Name": "overlay2", "Data": {"UpperDir": "/data/upper"}});
        let mounts = serde_json::json!([
            {"Type": "volume", "Source": "/data/volume"}, {"Type": "tmpfs", "Source": "", "Destination": "/tmp"},
        ]);
        let found = Storage::new(
            serde_json::from_value(answer).expect("a driver"),
            serde_json::from_value(mounts).expect("mounts"),
        );
        assert_eq!(found, storage(&[Path::new("/data/upper"), Path::new("/data/volume")]));
    }
}
