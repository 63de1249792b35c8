//! Files put on top of a generation: what a live preview runs that its generation does not hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FilePath, FileSet, Invalid, SourceFile};

/// Files by path: the new content, or none where the file is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch(BTreeMap<FilePath, Option<SourceFile>>);

/// How a running preview comes to its new files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReloadWay {
    /// The files are put in place; what serves them takes notice by itself.
    Hot,
    /// The files are put in place, and the app is started anew in its container.
    Restart,
    /// An image is built of them, and the preview is brought up on it.
    Rebuild,
}

impl Patch {
    /// At most as many files as a generation may have, each named once.
    pub fn new(changes: impl IntoIterator<Item = (FilePath, Option<SourceFile>)>) -> Result<Self, Invalid> {
        let mut patch = BTreeMap::new();
        for (path, change) in changes {
            if patch.len() == FileSet::MAX_FILES {
                return Err(Invalid::new("files", format!("expected at most {} files", FileSet::MAX_FILES)));
            }
            if let Some(_twice) = patch.insert(path.clone(), change) {
                return Err(Invalid::new(
                    format!("files[{:?}]", path.as_str()),
                    "two entries name this file",
                ));
            }
        }
        Ok(Self(patch))
    }

    /// This one, and then another on top of it.
    pub fn then(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }

    /// The files with the patch on top, within the rules of a [`FileSet`].
    pub fn applied_to(&self, files: &FileSet, max_bytes: u64) -> Result<FileSet, Invalid> {
        let kept = files.iter().filter(|(path, _)| !self.0.contains_key(*path));
        let kept = kept.map(|(path, file)| (path.clone(), file.clone()));
        let put = self.0.iter().filter_map(|(path, file)| Some((path.clone(), file.clone()?)));
        FileSet::new(kept.chain(put), max_bytes)
    }

    /// What of it makes a difference to these files.
    pub fn on(self, files: &FileSet) -> Self {
        let differs =
            |path: &FilePath, change: &Option<SourceFile>| files.get(path.as_str()) != change.as_ref();
        Self(self.0.into_iter().filter(|(path, change)| differs(path, change)).collect())
    }

    /// In order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&FilePath, Option<&SourceFile>)> {
        self.0.iter().map(|(path, change)| (path, change.as_ref()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ReloadWay {
    /// The word that is sent and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Restart => "restart",
            Self::Rebuild => "rebuild",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> FilePath {
        FilePath::parse(text).expect("a path")
    }

    fn patch(changes: &[(&str, Option<&str>)]) -> Patch {
        let changes = changes.iter().map(|(name, text)| (path(name), text.map(SourceFile::text)));
        Patch::new(changes).expect("a patch")
    }

    fn files(all: &[(&str, &str)]) -> FileSet {
        FileSet::new(all.iter().map(|(name, text)| (path(name), SourceFile::text(*text))), 1000)
            .expect("files")
    }

    #[test]
    fn a_patch_puts_replaces_and_takes_away() {
        let before = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let patch = patch(&[("a", Some("2")), ("b", None), ("d", Some("1")), ("e", None)]);
        let after = patch.applied_to(&before, 1000).expect("applied");
        assert_eq!(after, files(&[("a", "2"), ("c", "1"), ("d", "1")]));
        assert_eq!(patch.on(&before).len(), 3, "what was not there need not be taken away");
    }

    #[test]
    fn the_later_word_counts() {
        let both = patch(&[("a", Some("1")), ("b", None)]).then(patch(&[("a", None), ("b", Some("2"))]));
        assert_eq!(both, patch(&[("a", None), ("b", Some("2"))]));
    }

    #[test]
    fn the_rules_of_a_tree_hold() {
        let before = files(&[("a", "1")]);
        assert!(patch(&[("a/b", Some("1"))]).applied_to(&before, 1000).is_err(), "a file and a folder");
        assert!(patch(&[("a", None), ("a/b", Some("1"))]).applied_to(&before, 1000).is_ok());
        assert!(patch(&[("a", None)]).applied_to(&before, 1000).is_err(), "nothing is left");
        assert!(patch(&[("b", Some("12345"))]).applied_to(&before, 5).is_err(), "too many bytes");
        let twice = [(path("a"), None), (path("./a"), Some(SourceFile::text("")))];
        assert!(Patch::new(twice).is_err());
    }
}
