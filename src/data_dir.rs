//! The data directory: made on first use, readable by its owner alone, held by one daemon.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// A directory this process holds. The lock ends with the value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("cannot make or open the data directory {path}: {source}")]
    Open { path: String, source: io::Error },
    #[error("another previewd uses the data directory {path}")]
    Held { path: String },
}

impl Drop for DataDir {
    /// By name: closing the file frees nothing while a child that was just forked has it open as well, until it runs its program.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "the lock on the data directory ends with the process");
        }
    }
}

impl DataDir {
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let shown = path.display().to_string();
        let failed = |source| DataDirError::Open { path: shown.clone(), source };
        make(path)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::Held { path: shown }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// The directory and those above it; an existing one keeps its mode.
pub fn make(path: &Path) -> Result<(), DataDirError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| DataDirError::Open { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_on_the_same_directory_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = DataDir::open(dir.path()).expect("the first");
        assert!(matches!(DataDir::open(dir.path()), Err(DataDirError::Held { .. })));
        drop(first);
        assert!(DataDir::open(dir.path()).is_ok());
    }
}
