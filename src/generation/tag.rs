//! What a built image is called: by its content, so that the same content is never built twice.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::context::{Entry, content};
use super::dockerfile::{Dialect, dockerfile};
use super::plan::Plan;
use crate::domain::FileSet;

/// `previewd/app:` and the first 32 hex digits of a SHA-256 over the Dockerfile, every file of
/// the context and the digests of the base images. How this host reaches package sources, and
/// which builder it has, are no part of it.
pub fn image_tag(plan: &Plan, files: &FileSet, base_digests: &[String]) -> String {
    name("previewd/app", &dockerfile(plan, Dialect::BuildKit), &content(plan, files), base_digests)
}

/// A repository and the hash of what an image of it is made of.
pub(super) fn name(
    repository: &str,
    dockerfile: &str,
    content: &BTreeMap<String, Entry>,
    base_digests: &[String],
) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(dockerfile.as_bytes());
    for (path, entry) in content {
        add(path.as_bytes());
        match entry {
            Entry::Folder => add(b"folder"),
            Entry::File { content, executable } => {
                add(if *executable { b"program" } else { b"file" });
                add(content);
            }
            Entry::Link(target) => {
                add(b"link");
                add(target.as_bytes());
            }
        }
    }
    let mut digests: Vec<&String> = base_digests.iter().collect();
    digests.sort();
    digests.into_iter().for_each(|digest| add(digest.as_bytes()));
    let hex: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{repository}:{hex}")
}
