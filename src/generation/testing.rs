//! What the tests of this module share.

use proptest::collection::vec;
use proptest::prelude::*;

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

/// A source with pieces cut out, doubled, or replaced by bytes that hurt.
pub fn mutated(source: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"".to_vec()),
        Just(b"(((((".to_vec()),
        Just(b"\"\"\"".to_vec()),
        Just(b"`${".to_vec()),
        Just(b"{{[(*,=:".to_vec()),
        Just(b"\xff\x00\xc3".to_vec()),
        Just(b"\n    \n\tclass ".to_vec()),
        Just(b"\\\n\\".to_vec()),
        Just(b"app".to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec((0..source.len(), 0_usize..40, piece), 0..6).prop_map(move |changes| {
        let mut bytes = source.as_bytes().to_vec();
        for (at, length, piece) in changes {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        bytes
    })
}
