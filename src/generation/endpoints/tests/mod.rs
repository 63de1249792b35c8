//! Whole projects in, endpoints out.

mod aiohttp;
mod django;
mod express;
mod fastapi;
mod flask;
mod go;
mod hostile;
mod nest;
mod node_kin;
mod speed;
mod starlette;
mod warnings;

use crate::domain::{FilePath, FileSet, SourceFile};

use super::Endpoint;

/// A project of text files.
pub fn project(files: &[(&str, &str)]) -> FileSet {
    let files =
        files.iter().map(|(path, text)| (FilePath::parse(path).expect("a path"), SourceFile::text(*text)));
    FileSet::new(files, u64::MAX).expect("files")
}

pub fn found(files: &[(&str, &str)]) -> Vec<Endpoint> {
    super::endpoints(&project(files))
}

/// `GET /items` for every endpoint.
pub fn lines(files: &[(&str, &str)]) -> Vec<String> {
    found(files).iter().map(|endpoint| format!("{} {}", endpoint.method, endpoint.path)).collect()
}

/// `POST /items NewItem` for every endpoint whose body has a type.
pub fn bodies(files: &[(&str, &str)]) -> Vec<String> {
    let all = found(files).into_iter();
    let typed = all.filter_map(|one| Some(format!("{} {} {}", one.method, one.path, one.body?)));
    typed.collect()
}
