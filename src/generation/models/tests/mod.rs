//! Whole projects in, models out.

mod hostile;
mod python;
mod typescript;

use crate::domain::{FilePath, FileSet, SourceFile};

use super::{Model, models};

pub fn project(files: &[(&str, &str)]) -> FileSet {
    let files =
        files.iter().map(|(path, text)| (FilePath::parse(path).expect("a path"), SourceFile::text(*text)));
    FileSet::new(files, u64::MAX).expect("files")
}

pub fn found(files: &[(&str, &str)]) -> Vec<Model> {
    models(&project(files))
}

/// `name kind` of every model.
pub fn names(files: &[(&str, &str)]) -> Vec<String> {
    found(files).iter().map(|model| format!("{} {:?}", model.name, model.kind)).collect()
}
