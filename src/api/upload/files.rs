//! The file map of JSON bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::api::json;
use crate::api::problem::ApiError;
use crate::domain::{FilePath, FileSet, Invalid, SourceFile};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "expected text, or an object of content, encoding (utf-8 or base64) and mode")]
pub enum FileEntry {
    Text(String),
    Encoded(#[serde(deserialize_with = "json::object")] EncodedFile),
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

/// The entries of the map as they came. JSON may name a file twice; a map of ours would keep one
/// of the two and nobody would hear of the other.
pub fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, FileEntry)>, D::Error> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, FileEntry)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of files by path")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Entries)
}

/// The map as a checked set of files.
pub fn decode(files: Vec<(String, FileEntry)>, max_bytes: u64) -> Result<FileSet, ApiError> {
    let mut decoded = Vec::with_capacity(files.len());
    let mut total = 0;
    for (path, entry) in files {
        let file = file(&path, entry)?;
        total += file.content.len() as u64;
        if total > max_bytes {
            return Err(ApiError::TooLarge { limit: max_bytes });
        }
        decoded.push((FilePath::parse(&path)?, file));
    }
    Ok(FileSet::new(decoded, max_bytes)?)
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
