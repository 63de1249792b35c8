//! What the tests of this module share.

use super::bases::BaseImages;
use super::plan::Notes;
use super::project::Project;
use crate::domain::{FilePath, FileSet, Metadata, SourceFile};

pub fn tree(files: &[(&str, &str)]) -> FileSet {
    let files =
        files.iter().map(|(path, text)| (FilePath::parse(path).expect("a path"), SourceFile::text(*text)));
    FileSet::new(files, 64 << 20).expect("a tree")
}

pub fn project_of<T>(files: &FileSet, see: impl FnOnce(&Project<'_>) -> T) -> T {
    let (metadata, bases) = (Metadata::default(), BaseImages::default());
    see(&Project::new(&metadata, files, &bases, None, &mut Notes::default()))
}
