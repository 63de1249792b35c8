//! Files put straight into a running container, where the kernel shows its file system to this
//! daemon: the engine starts a process of its own for every upload, some 45 ms of 50.
//!
//! The rules of an upload hold here too. Every folder is opened from the one above it, through no
//! link, and never by a path that the app could change meanwhile; what is not writable for the
//! container is not for us, as we write by its own mounts.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_NOW, Uid, chownat, fchmod, fchown,
    futimens, mkdirat, openat, openat2, symlinkat, unlinkat,
};
use rustix::io::Errno;
use tar::{Entry, EntryType};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{Archive, ContainerProcess};

/// By which a folder is opened: below another, and through no link.
const PLAINLY: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

impl ContainerProcess {
    /// Unpacks an archive of folders, files and links in a folder of the container, with the owners,
    /// modes and times it names; files that are there already are replaced, others stay. It must list
    /// the folders it has entries in.
    ///
    /// Fails, with some of it done, where this daemon may not write there, on kernels before 5.6,
    /// where a folder would become a file, and for whatever an archive can hold besides.
    pub async fn unpack(&self, archive: impl Into<Archive>, folder: &str) -> io::Result<()> {
        let bytes = SyncIoBridge::new(StreamReader::new(archive.into().open()));
        let (process, folder) = (self.clone(), folder.trim_start_matches('/').to_owned());
        let unpacked = tokio::task::spawn_blocking(move || process.unpack_there(bytes, &folder));
        unpacked.await.map_err(io::Error::other)?
    }

    fn unpack_there(&self, bytes: impl Read, folder: &str) -> io::Result<()> {
        let root = rustix::fs::open(self.folder().join("root"), FOLDER, Mode::empty())?;
        // Looked at after it is opened: that of a process which has taken the number does not pass.
        if !self.has_plain_root() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let top = openat2(&root, folder, FOLDER, Mode::empty(), PLAINLY)?;
        for entry in tar::Archive::new(bytes).entries()? {
            put(top.as_fd(), &mut entry?)?;
        }
        Ok(())
    }
}

fn put(top: BorrowedFd<'_>, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
    let path = entry.path()?.into_owned();
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    let Some(name) = path.file_name() else { return Ok(()) };
    let above = match path.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => Some(openat2(top, above, FOLDER, Mode::empty(), PLAINLY)?),
        None => None,
    };
    let above = above.as_ref().map_or(top, OwnedFd::as_fd);
    let name = Path::new(name);
    match entry.header().entry_type() {
        EntryType::Directory => put_folder(above, name, entry),
        EntryType::Regular => put_file(above, name, entry),
        EntryType::Symlink => put_link(above, name, entry),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn put_folder(above: BorrowedFd<'_>, name: &Path, entry: &Entry<'_, impl Read>) -> io::Result<()> {
    let mode = mode_of(entry)?;
    let folder = match openat2(above, name, FOLDER, Mode::empty(), PLAINLY) {
        Ok(folder) => folder,
        Err(error) => {
            if error != Errno::NOENT {
                unlinkat(above, name, AtFlags::empty())?;
            }
            mkdirat(above, name, mode)?;
            openat2(above, name, FOLDER, Mode::empty(), PLAINLY)?
        }
    };
    let (uid, gid) = owner_of(entry)?;
    fchown(&folder, uid, gid)?;
    Ok(fchmod(&folder, mode)?)
}

fn put_file(above: BorrowedFd<'_>, name: &Path, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
    make_way(above, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = mode_of(entry)?;
    let (uid, gid) = owner_of(entry)?;
    let modified = Timespec { tv_sec: entry.header().mtime()?.cast_signed(), tv_nsec: 0 };
    let mut file = std::fs::File::from(openat(above, name, flags, mode)?);
    io::copy(entry, &mut file)?;
    fchown(&file, uid, gid)?;
    fchmod(&file, mode)?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(&file, &Timestamps { last_access: now, last_modification: modified })?)
}

fn put_link(above: BorrowedFd<'_>, name: &Path, entry: &Entry<'_, impl Read>) -> io::Result<()> {
    make_way(above, name)?;
    let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
    symlinkat(target.as_ref(), above, name)?;
    let (uid, gid) = owner_of(entry)?;
    Ok(chownat(above, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// What is there goes; not a folder, in which there may be anything.
fn make_way(above: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    match unlinkat(above, name, AtFlags::empty()) {
        Err(error) if error != Errno::NOENT => Err(error.into()),
        _ => Ok(()),
    }
}

fn mode_of(entry: &Entry<'_, impl Read>) -> io::Result<Mode> {
    Ok(Mode::from_raw_mode(entry.header().mode()? & 0o777))
}

fn owner_of(entry: &Entry<'_, impl Read>) -> io::Result<(Option<Uid>, Option<Gid>)> {
    let number = |id: u64| u32::try_from(id).map_err(io::Error::other);
    let (uid, gid) = (number(entry.header().uid()?)?, number(entry.header().gid()?)?);
    Ok((Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use bytes::Bytes;

    use super::*;
    use crate::engine::cgroup::testing::Recorded;

    /// A process whose root is a folder of this test.
    fn process(files: &[(&str, &str)]) -> Recorded {
        let mut all = vec![
            ("proc/7/cgroup", "0::/docker/4f1c\n"),
            ("proc/7/status", "Name:\tinit\nNSpid:\t7\t1\n"),
            ("proc/7/uid_map", "         0          0 4294967295\n"),
        ];
        all.extend_from_slice(files);
        Recorded::new(&all)
    }

    fn archive(entries: &[(&str, EntryType, &str)]) -> Bytes {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            header.set_uid(uid.into());
            header.set_gid(gid.into());
            header.set_mode(0o640);
            header.set_mtime(1_000_000_007);
            header.set_entry_type(*kind);
            header.set_size(0);
            match kind {
                EntryType::Symlink => tar.append_link(&mut header, path, content).expect("a link"),
                _ => {
                    header.set_size(content.len() as u64);
                    tar.append_data(&mut header, path, content.as_bytes()).expect("an entry");
                }
            }
        }
        tar.into_inner().expect("an archive").into()
    }

    const FILE: EntryType = EntryType::Regular;
    const LINK: EntryType = EntryType::Symlink;
    const FOLDER: EntryType = EntryType::Directory;

    #[tokio::test]
    async fn files_and_links_come_with_their_modes_and_times() {
        let there = process(&[("proc/7/root/app/old.py", "old"), ("proc/7/root/app/link", "a file")]);
        let entries = [
            ("src/", FOLDER, ""),
            ("src/main.py", FILE, "new"),
            ("old.py", FILE, "newer"),
            ("link", LINK, "src"),
        ];
        there.process.unpack(archive(&entries), "/app").await.expect("unpacked");
        let app = there.dir.path().join("proc/7/root/app");
        assert_eq!(std::fs::read_to_string(app.join("src/main.py")).expect("a file"), "new");
        assert_eq!(std::fs::read_to_string(app.join("old.py")).expect("a file"), "newer");
        assert_eq!(std::fs::read_link(app.join("link")).expect("a link"), Path::new("src"));
        let said = std::fs::metadata(app.join("old.py")).expect("a file");
        assert_eq!((said.permissions().mode() & 0o777, said.mtime()), (0o640, 1_000_000_007));
    }

    #[tokio::test]
    async fn nothing_is_written_through_a_link() {
        let there = process(&[("proc/7/root/app/a", ""), ("outside/secret", "kept")]);
        let (app, outside) = (there.dir.path().join("proc/7/root/app"), there.dir.path().join("outside"));
        symlink(&outside, app.join("out")).expect("a link");
        symlink(outside.join("secret"), app.join("file")).expect("a link");
        // A folder of that name takes the link's place, as does a file.
        let entries = [("out/", FOLDER, ""), ("out/secret", FILE, "bad"), ("file", FILE, "own")];
        there.process.unpack(archive(&entries), "/app").await.expect("unpacked");
        assert_eq!(std::fs::read_to_string(outside.join("secret")).expect("a file"), "kept");
        assert_eq!(std::fs::read_to_string(app.join("out/secret")).expect("a file"), "bad");
        // One that is only implied is not followed, and nor is the app's own folder.
        symlink(&outside, app.join("again")).expect("a link");
        let implied = archive(&[("again/secret", FILE, "bad")]);
        assert!(there.process.unpack(implied, "/app").await.is_err());
        symlink(&outside, there.dir.path().join("proc/7/root/moved")).expect("a link");
        assert!(there.process.unpack(archive(&[("secret", FILE, "bad")]), "/moved").await.is_err());
        assert!(there.process.unpack(archive(&[("f", EntryType::Fifo, "")]), "/app").await.is_err());
        assert_eq!(std::fs::read_to_string(outside.join("secret")).expect("a file"), "kept");
    }

    #[tokio::test]
    async fn a_process_whose_root_is_not_the_containers_own_is_left_alone() {
        let there = process(&[("proc/7/root/app/a", "old")]);
        for (file, wrong, right) in [
            ("proc/7/cgroup", "0::/docker/another\n", "0::/docker/4f1c\n"),
            // A process of this host, as one that runs a virtual machine is.
            ("proc/7/status", "NSpid:\t7\n", "NSpid:\t7\t1\n"),
            ("proc/7/status", "NSpid:\t7\t11\n", "NSpid:\t7\t1\n"),
            ("proc/7/uid_map", "0 100000 65536\n", "0 0 4294967295\n"),
        ] {
            there.write(file, wrong);
            assert!(there.process.unpack(archive(&[("a", FILE, "new")]), "/app").await.is_err(), "{wrong}");
            there.write(file, right);
        }
        assert_eq!(
            std::fs::read_to_string(there.dir.path().join("proc/7/root/app/a")).expect("a file"),
            "old"
        );
    }
}
