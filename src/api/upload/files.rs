//! The file map of JSON bodies.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use crate::domain::{FilePath, FileSet, Invalid, SourceFile};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum FileEntry {
    Text(String),
    Encoded(EncodedFile),
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodedFile {
    content: String,
    #[serde(default)]
    encoding: Encoding,
    /// Octal text `"755"`, or the number 493; only the executable bit is kept.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    mode: Option<Mode>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
pub enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Mode {
    Number(u32),
    Octal(String),
}

/// The map as a checked set of files.
pub fn decode(files: BTreeMap<String, FileEntry>, max_bytes: u64) -> Result<FileSet, Invalid> {
    let decoded: Result<Vec<_>, Invalid> =
        files.into_iter().map(|(path, entry)| Ok((FilePath::parse(&path)?, file(&path, entry)?))).collect();
    FileSet::new(decoded?, max_bytes)
}

fn file(path: &str, entry: FileEntry) -> Result<SourceFile, Invalid> {
    let EncodedFile { content, encoding, mode } = match entry {
        FileEntry::Text(text) => return Ok(SourceFile::text(text)),
        FileEntry::Encoded(file) => file,
    };
    let invalid = |what: &str, expected: &str| Invalid::new(format!("files[{path:?}].{what}"), expected);
    let content = match encoding {
        Encoding::Utf8 => Bytes::from(content),
        Encoding::Base64 => {
            Bytes::from(STANDARD.decode(&content).map_err(|_| invalid("content", "expected base64"))?)
        }
    };
    let bits = match mode {
        None => 0,
        Some(Mode::Number(bits)) => bits,
        Some(Mode::Octal(text)) => {
            u32::from_str_radix(&text, 8).map_err(|_| invalid("mode", "expected octal digits such as 755"))?
        }
    };
    Ok(SourceFile { content, executable: bits & 0o111 != 0 })
}
