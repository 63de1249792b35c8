//! One immutable version of generated code: metadata and a tree of files.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{GenerationId, Invalid, Metadata, UserId};

/// A file's place in its tree: relative, `/` between parts, no part empty, `.` or `..`, no
/// control characters or backslashes, at most 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub content: Bytes,
    pub executable: bool,
}

/// The files of a generation: never empty, no two names that are the same file or need one
/// name to be both a file and a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSet(BTreeMap<FilePath, SourceFile>);

/// SHA-256 over metadata and files, in lower-case hex. Equal content, equal hash, whatever the
/// order or archive format it came in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(String);

#[derive(Debug, Clone)]
pub struct Generation {
    pub id: GenerationId,
    pub owner: UserId,
    pub metadata: Metadata,
    pub files: FileSet,
    pub content_hash: ContentHash,
    pub created_at: DateTime<Utc>,
}

impl FilePath {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.strip_prefix("./").unwrap_or(text);
        let part_ok = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
        let ok = text.len() <= 1024
            && !text.chars().any(|c| c.is_control() || c == '\\')
            && text.split('/').all(part_ok);
        match ok {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new(
                format!("files[{text:?}]"),
                "expected a relative path that stays inside the tree",
            )),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Folders above the file, nearest last: `a/b/c.py` gives `a`, `a/b`.
    fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl FileSet {
    pub const MAX_FILES: usize = 20_000;

    /// Keeps the rules of the type, and the limits `max_bytes` in all and 20,000 files.
    pub fn new(
        files: impl IntoIterator<Item = (FilePath, SourceFile)>,
        max_bytes: u64,
    ) -> Result<Self, Invalid> {
        let mut set = BTreeMap::new();
        let mut total = 0_u64;
        for (path, file) in files {
            total += file.content.len() as u64;
            if total > max_bytes {
                return Err(Invalid::new("files", format!("expected at most {max_bytes} bytes in all")));
            }
            if set.len() == Self::MAX_FILES {
                return Err(Invalid::new("files", format!("expected at most {} files", Self::MAX_FILES)));
            }
            if let Some(_twice) = set.insert(path.clone(), file) {
                return Err(Invalid::new(format!("files[{:?}]", path.0), "two entries name this file"));
            }
        }
        if set.is_empty() {
            return Err(Invalid::new("files", "expected at least one file"));
        }
        for path in set.keys() {
            if let Some(folder) =
                path.folders().find(|folder| set.contains_key(&FilePath((*folder).to_owned())))
            {
                return Err(Invalid::new(
                    format!("files[{:?}]", path.0),
                    format!("{folder:?} is a file, so nothing can lie under it"),
                ));
            }
        }
        Ok(Self(set))
    }

    pub fn get(&self, path: &str) -> Option<&SourceFile> {
        self.0.get(&FilePath(path.to_owned()))
    }

    /// The file as text; `None` when it is absent or not UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(&self.get(path)?.content).ok()
    }

    pub fn contains(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// In order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&FilePath, &SourceFile)> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn total_bytes(&self) -> u64 {
        self.0.values().map(|file| file.content.len() as u64).sum()
    }
}

impl Generation {
    pub fn new(id: GenerationId, owner: UserId, metadata: Metadata, files: FileSet) -> Self {
        let content_hash = ContentHash::of(&metadata, &files);
        Self { id, owner, metadata, files, content_hash, created_at: Utc::now() }
    }
}

impl ContentHash {
    pub fn of(metadata: &Metadata, files: &FileSet) -> Self {
        let mut hash = Sha256::new();
        // Field order is fixed by the type and map order by BTreeMap, so equal metadata is
        // equal text. It cannot fail: no map key is anything but a string.
        hash.update(serde_json::to_vec(metadata).unwrap_or_default());
        for (path, file) in files.iter() {
            hash.update((path.0.len() as u64).to_le_bytes());
            hash.update(&path.0);
            hash.update([u8::from(file.executable)]);
            hash.update((file.content.len() as u64).to_le_bytes());
            hash.update(&file.content);
        }
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// A hash read back from where it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FilePath {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> String {
        path.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SourceFile {
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: Bytes::from(content.into()), executable: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str]) -> Result<FileSet, Invalid> {
        let files: Result<Vec<_>, _> =
            paths.iter().map(|path| Ok((FilePath::parse(path)?, SourceFile::text("x")))).collect();
        FileSet::new(files?, 1000)
    }

    #[test]
    fn paths_that_leave_the_tree_or_collide_are_refused() {
        for bad in ["../a", "/a", "a/../b", "a//b", "a/", "", "a\\b", "a\0", "a/./b"] {
            assert!(FilePath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(set(&["a", "a/b"]).is_err(), "file and folder");
        assert!(set(&["a", "./a"]).is_err(), "the same file");
        assert!(set(&[]).is_err(), "nothing");
        assert!(set(&["a", "b/c"]).is_ok());
    }

    #[test]
    fn the_hash_depends_on_content_alone() {
        let hash = |paths: &[&str]| ContentHash::of(&Metadata::default(), &set(paths).expect("valid"));
        assert_eq!(hash(&["a", "b"]), hash(&["b", "a"]));
        assert_ne!(hash(&["a", "b"]), hash(&["a", "c"]));
    }
}
