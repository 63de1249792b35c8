//! Archives of strangers: tar, tar.gz and zip, read into memory within limits, never to disk.
//!
//! Only plain files are taken. Links and devices are refused, because what they point at is not
//! the sender's to say; so is every path that leaves the tree.

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use memchr::memmem;

use crate::api::problem::ApiError;
use crate::domain::{FilePath, FileSet, Invalid, SourceFile};

/// Entries of any kind, folders too; a million empty ones end here.
const MAX_ENTRIES: usize = 40_000;

/// What may lie between the contents of two entries of a tar: padding, and headers, which the
/// library reads into memory whole.
const MAX_HEADERS: u64 = 1024 * 1024;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZIP: &[u8] = b"PK";
/// Begins the record of one entry in the directory of a zip.
const ZIP_RECORD: &[u8] = b"PK\x01\x02";

/// By the first bytes, whatever the content type says.
pub fn is_archive(body: &[u8]) -> bool {
    body.starts_with(GZIP) || body.starts_with(ZIP) || body.get(257..262) == Some(b"ustar")
}

pub fn unpack(body: &[u8], max_bytes: u64) -> Result<FileSet, ApiError> {
    let mut budget = Budget { bytes: max_bytes, entries: MAX_ENTRIES, limit: max_bytes };
    let files = if body.starts_with(ZIP) {
        from_zip(body, &mut budget)?
    } else if body.starts_with(GZIP) {
        from_tar(MultiGzDecoder::new(body), &mut budget)?
    } else {
        from_tar(body, &mut budget)?
    };
    Ok(FileSet::new(files, max_bytes)?)
}

/// What may still be read. Counted as it is read, not as headers claim.
struct Budget {
    bytes: u64,
    entries: usize,
    limit: u64,
}

impl Budget {
    fn entry(&mut self) -> Result<(), ApiError> {
        self.entries = self
            .entries
            .checked_sub(1)
            .ok_or_else(|| Invalid::new("archive", format!("expected at most {MAX_ENTRIES} entries")))?;
        Ok(())
    }

    fn read(&mut self, from: &mut impl Read) -> Result<Bytes, ApiError> {
        let mut content = Vec::new();
        from.take(self.bytes + 1).read_to_end(&mut content).map_err(broken)?;
        self.bytes =
            self.bytes.checked_sub(content.len() as u64).ok_or(ApiError::TooLarge { limit: self.limit })?;
        Ok(content.into())
    }
}

fn broken(error: impl std::fmt::Display) -> ApiError {
    Invalid::new("archive", format!("cannot be read: {error}")).into()
}

type Files = Vec<(FilePath, SourceFile)>;

fn from_tar(reader: impl Read, budget: &mut Budget) -> Result<Files, ApiError> {
    let bounded = reader.take(budget.limit.saturating_mul(2).saturating_add(64 * 1024 * 1024));
    let ration = Rc::new(Cell::new(MAX_HEADERS));
    let mut archive = tar::Archive::new(Rationed { reader: bounded, left: Rc::clone(&ration) });
    let mut entries = archive.entries().map_err(broken)?;
    let mut files = Vec::new();
    loop {
        ration.set(MAX_HEADERS);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(broken)?;
        budget.entry()?;
        ration.set(budget.bytes.saturating_add(MAX_HEADERS));
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| Invalid::new("archive", "expected names in UTF-8"))?;
        let kind = entry.header().entry_type();
        // Version control writes a global header with the commit's name; it is no file.
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let path = FilePath::parse(&name)?;
        if !kind.is_file() {
            return Err(Invalid::new(
                format!("files[{name:?}]"),
                "expected plain files; links and devices are refused",
            )
            .into());
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        files.push((path, SourceFile { content: budget.read(&mut entry)?, executable }));
    }
    // To the very end: a compressed archive that was cut short says so only there.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(files)
}

/// Gives no more than its ration until somebody renews it.
struct Rationed<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("the headers of an entry are longer than 1 MiB"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.reader.read(&mut buffer[..most])?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// The library reads the whole directory into memory, and of two entries with one name it keeps
/// the later: both are seen here, from the number of records.
fn from_zip(body: &[u8], budget: &mut Budget) -> Result<Files, ApiError> {
    if memmem::find_iter(body, ZIP_RECORD).nth(MAX_ENTRIES).is_some() {
        return Err(Invalid::new("archive", format!("expected at most {MAX_ENTRIES} entries")).into());
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(body)).map_err(broken)?;
    let directory = usize::try_from(archive.central_directory_start()).unwrap_or(usize::MAX);
    let records = body.get(directory..).map_or(0, |rest| memmem::find_iter(rest, ZIP_RECORD).count());
    if records > archive.len() {
        return Err(Invalid::new("archive", "two entries name the same file").into());
    }
    let mut files = Vec::new();
    for index in 0..archive.len() {
        budget.entry()?;
        let mut entry = archive.by_index(index).map_err(broken)?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(broken)?.into_owned();
        let path = FilePath::parse(&name)?;
        let mode = entry.unix_mode().unwrap_or(0o644);
        // The file type bits of a Unix mode: anything but none or "regular" is a link or device.
        if !matches!(mode & 0o170_000, 0 | 0o100_000) {
            return Err(Invalid::new(
                format!("files[{name:?}]"),
                "expected plain files; links and devices are refused",
            )
            .into());
        }
        files.push((path, SourceFile { content: budget.read(&mut entry)?, executable: mode & 0o111 != 0 }));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            // Written by hand: the builder itself refuses names that leave the tree.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).expect("appended");
        }
        builder.into_inner().expect("finished")
    }

    #[test]
    fn plain_files_come_through_tar_gzip_and_zip() {
        let tar = tar_of(&[("a/b.txt", tar::EntryType::Regular, b"hello")]);
        assert_eq!(unpack(&tar, 100).expect("read").text("a/b.txt"), Some("hello"));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).expect("written");
        assert_eq!(unpack(&gzip.finish().expect("gzip"), 100).expect("read").len(), 1);
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("x.sh", zip::write::SimpleFileOptions::default().unix_permissions(0o755))
            .expect("started");
        zip.write_all(b"echo").expect("written");
        let zip = zip.finish().expect("finished").into_inner();
        let files = unpack(&zip, 100).expect("read");
        assert!(files.get("x.sh").expect("there").executable);
    }

    #[test]
    fn links_devices_and_paths_that_leave_are_refused() {
        use tar::EntryType::{Char, Link, Regular, Symlink};
        for (name, kind) in [("../x", Regular), ("/x", Regular), ("x", Symlink), ("x", Link), ("x", Char)] {
            assert!(unpack(&tar_of(&[(name, kind, b"")]), 100).is_err(), "{name} {kind:?}");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let zeros = vec![0_u8; 4_000_000];
        let tar = tar_of(&[("big", tar::EntryType::Regular, &zeros)]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&tar).expect("written");
        let bomb = gzip.finish().expect("gzip");
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert!(matches!(unpack(&bomb, 1_000_000), Err(ApiError::TooLarge { limit: 1_000_000 })));
    }

    /// A tar, a tar.gz and a zip of one good file.
    fn good() -> Vec<Vec<u8>> {
        let tar =
            tar_of(&[("a/b.txt", tar::EntryType::Regular, b"hello"), ("c", tar::EntryType::Directory, b"")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).expect("written");
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("x.sh", zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(b"echo").expect("written");
        vec![tar, gzip.finish().expect("gzip"), zip.finish().expect("finished").into_inner()]
    }

    proptest::proptest! {
        /// Whatever becomes of an archive on its way, it is files within the limit or a refusal.
        #[test]
        fn no_archive_breaks_it(
            which in 0..3_usize,
            changes in proptest::collection::vec((proptest::prelude::any::<u16>(), proptest::prelude::any::<u8>()), 0..12),
            cut in proptest::option::of(proptest::prelude::any::<u16>()),
            more in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600),
        ) {
            let mut bytes = good().swap_remove(which);
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(usize::from(cut) % (bytes.len() + 1));
            }
            bytes.extend(more);
            if let Ok(files) = unpack(&bytes, 1000) {
                let total: usize = files.iter().map(|(_, file)| file.content.len()).sum();
                proptest::prop_assert!(total <= 1000);
                for (path, _) in files.iter() {
                    proptest::prop_assert!(FilePath::parse(path.as_str()).is_ok(), "{path:?}");
                }
            }
        }
    }
}
