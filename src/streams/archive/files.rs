//! Lines in files of JSON lines, a folder for each preview: the journals themselves, kept.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;

use super::{Archive, ArchiveError, Done, Knows};
use crate::domain::{LogLine, PreviewId};
use crate::streams::{StreamLine, journal};

/// `PREVIEW_LOG_BACKEND=file`.
#[derive(Debug, Clone)]
pub struct FileArchive {
    folder: PathBuf,
}

impl FileArchive {
    /// The folder of all journals.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn of(&self, preview: PreviewId) -> PathBuf {
        self.folder.join(preview.to_string())
    }

    /// Reads on a thread where that may take its time.
    fn read<T: Send + 'static>(
        &self,
        preview: PreviewId,
        read: impl FnOnce(&[PathBuf]) -> io::Result<T> + Send + 'static,
    ) -> Done<'_, T> {
        let folder = self.of(preview);
        blocking(move || read(&journal::segments(&folder)?))
    }
}

impl Archive for FileArchive {
    /// Below the data directory, which may move.
    fn place_of(&self, preview: PreviewId) -> String {
        format!("file:logs/{preview}")
    }

    fn append<'a>(&'a self, _: PreviewId, _: &'a [Arc<StreamLine>]) -> Done<'a, ()> {
        // The journal has them already.
        async { Ok(()) }.boxed()
    }

    fn after(&self, preview: PreviewId, seq: u64, limit: usize) -> Done<'_, Vec<LogLine>> {
        self.read(preview, move |files| {
            let begin = files.iter().rposition(|path| journal::first_of(path) <= seq + 1).unwrap_or(0);
            let mut found = Vec::new();
            for path in &files[begin..] {
                found.extend(journal::read(path)?.into_iter().filter(|line| line.seq > seq));
                if found.len() >= limit {
                    break;
                }
            }
            found.truncate(limit);
            Ok(found)
        })
    }

    fn before(&self, preview: PreviewId, seq: u64, limit: usize) -> Done<'_, Vec<LogLine>> {
        self.read(preview, move |files| {
            let mut found = Vec::new();
            for path in files.iter().rev().filter(|path| journal::first_of(path) < seq) {
                let older = journal::read(path)?.into_iter().filter(|line| line.seq < seq);
                found = older.chain(found).collect();
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found.split_off(found.len().saturating_sub(limit)))
        })
    }

    fn last(&self, preview: PreviewId) -> Done<'_, u64> {
        self.read(preview, |files| {
            for path in files.iter().rev() {
                if let Some(line) = journal::read(path)?.last() {
                    return Ok(line.seq);
                }
            }
            Ok(0)
        })
    }

    fn trim(&self, preview: PreviewId, seq: u64) -> Done<'_, ()> {
        self.read(preview, move |files| {
            for pair in files.windows(2).take_while(|pair| journal::first_of(&pair[1]) <= seq + 1) {
                fs::remove_file(&pair[0])?;
            }
            Ok(())
        })
    }

    fn expire<'a>(&'a self, before: DateTime<Utc>, most: u64, live: &'a HashSet<PreviewId>) -> Done<'a, u64> {
        let (folder, live) = (self.folder.clone(), live.clone());
        blocking(move || {
            let mut files = list(&folder, &live)?;
            files.sort_by_key(|file| file.written);
            let mut kept: u64 = files.iter().map(|file| file.lines).sum();
            let mut gone = 0;
            for file in files {
                if file.is_current || (file.written >= SystemTime::from(before) && kept <= most) {
                    continue;
                }
                fs::remove_file(&file.path)?;
                kept -= file.lines;
                gone += file.lines;
                // Succeeds with the last of them.
                let _ = file.path.parent().map(fs::remove_dir);
            }
            Ok(gone)
        })
    }

    fn is_the_journal(&self) -> bool {
        true
    }

    fn knows(&self, _: PreviewId) -> Done<'_, Knows> {
        // A journal that nobody writes to is where it belongs.
        async { Ok(Knows::Live) }.boxed()
    }
}

struct Kept {
    path: PathBuf,
    written: SystemTime,
    lines: u64,
    /// A live preview writes to it, or will.
    is_current: bool,
}

fn list(folder: &Path, live: &HashSet<PreviewId>) -> io::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for preview in fs::read_dir(folder)? {
        let preview = preview?;
        let id = preview.file_name().to_str().and_then(|name| PreviewId::parse(name).ok());
        let Some(id) = id else { continue };
        let mut files = journal::segments(&preview.path())?;
        let newest = files.pop();
        for (path, is_newest) in
            files.into_iter().map(|path| (path, false)).chain(newest.map(|path| (path, true)))
        {
            let metadata = fs::metadata(&path)?;
            all.push(Kept {
                written: metadata.modified()?,
                lines: count_lines(&path)?,
                is_current: is_newest && live.contains(&id),
                path,
            });
        }
    }
    Ok(all)
}

fn count_lines(path: &Path) -> io::Result<u64> {
    Ok(memchr::memchr_iter(b'\n', &fs::read(path)?).count() as u64)
}

fn blocking<'a, T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Done<'a, T> {
    async move {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| ArchiveError::File(io::Error::other(error)))?.map_err(ArchiveError::File)
    }
    .boxed()
}
