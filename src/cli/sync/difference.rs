//! What a directory has that a preview has not, and the other way round. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cli::upload::FileBody;
use crate::domain::{FileSet, SourceFile};

/// The files of a preview, by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Known {
    files: BTreeMap<String, Hash>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Hash {
    sha256: String,
    executable: bool,
}

/// Files by path; none where one is to be taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(BTreeMap<String, Option<SourceFile>>);

impl Known {
    pub fn of(files: &FileSet) -> Self {
        Self { files: files.iter().map(|(path, file)| (path.to_string(), Hash::of(file))).collect() }
    }
}

impl Hash {
    fn of(file: &SourceFile) -> Self {
        let sha256 = Sha256::digest(&file.content).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { sha256, executable: file.executable }
    }
}

impl Difference {
    /// What leads from what is known to these files.
    pub fn between(known: &Known, files: &FileSet) -> Self {
        let put = files
            .iter()
            .filter(|(path, file)| known.files.get(path.as_str()) != Some(&Hash::of(file)))
            .map(|(path, file)| (path.to_string(), Some(file.clone())));
        let gone = known.files.keys().filter(|path| !files.contains(path)).map(|path| (path.clone(), None));
        Self(put.chain(gone).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn paths(&self) -> Vec<&String> {
        self.0.keys().collect()
    }

    /// The body of a PATCH.
    pub fn body(&self) -> serde_json::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Body<'a> {
            files: BTreeMap<&'a str, Option<FileBody<'a>>>,
        }
        let files = self.0.iter().map(|(path, file)| (path.as_str(), file.as_ref().map(FileBody::of)));
        serde_json::to_vec(&Body { files: files.collect() })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::FilePath;

    fn files(all: &[(&str, &[u8], bool)]) -> FileSet {
        let files = all.iter().map(|(path, content, executable)| {
            let file = SourceFile { content: Bytes::copy_from_slice(content), executable: *executable };
            (FilePath::parse(path).expect("a path"), file)
        });
        FileSet::new(files, 1000).expect("files")
    }

    #[test]
    fn what_differs_is_sent_and_nothing_else() {
        let known = Known::of(&files(&[("a", b"1", false), ("b", b"1", false), ("c", b"1", false)]));
        let now = files(&[("a", b"1", false), ("b", b"1", true), ("d", b"\xff", false)]);
        let difference = Difference::between(&known, &now);
        let body: Value = serde_json::from_slice(&difference.body().expect("JSON")).expect("JSON");
        let expected = json!({"files": {
            "b": {"content": "1", "encoding": "utf-8", "mode": "0755"},
            "c": null,
            "d": {"content": "/w==", "encoding": "base64"},
        }});
        assert_eq!(body, expected);
        assert!(Difference::between(&Known::of(&now), &now).is_empty());
    }
}
