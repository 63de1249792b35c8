//! The file map of JSON bodies.

use std::marker::PhantomData;

use crate::api::problem::ApiError;
use crate::domain::{FilePath, FileSet, Invalid, Patch, SourceFile, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Debug)]
pub enum FileEntry {
    Text(String),
    Encoded(EncodedFile),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodedFile {
    content: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    mode: Option<Mode>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

#[derive(Debug)]
enum Mode {
    Number(u32),
    Octal(String),
}

/// A [`FileEntry`] read without keeping what does not fit: derived code would hold any JSON in
/// memory first, at many times its size, to try one shape after the other.
struct Entry(FileEntry);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor).map(Self)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = FileEntry;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text, or an object of content, encoding (utf-8 or base64) and mode")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FileEntry, E> {
        Ok(FileEntry::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<FileEntry, E> {
        Ok(FileEntry::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FileEntry, A::Error> {
        EncodedFile::deserialize(MapAccessDeserializer::new(map)).map(FileEntry::Encoded)
    }
}

/// As for [`Entry`].
impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ModeVisitor;
        impl Visitor<'_> for ModeVisitor {
            type Value = Mode;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("octal digits such as \"755\", or a number")
            }

            fn visit_u64<E: Error>(self, bits: u64) -> Result<Mode, E> {
                u32::try_from(bits)
                    .map(Mode::Number)
                    .map_err(|_| E::custom("expected a mode of at most 32 bits"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Mode, E> {
                Ok(Mode::Octal(text.to_owned()))
            }
        }
        deserializer.deserialize_any(ModeVisitor)
    }
}

/// A file, or null where it is taken away.
struct ChangeEntry(Option<FileEntry>);

impl<'de> Deserialize<'de> for ChangeEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChangeVisitor;
        impl<'de> Visitor<'de> for ChangeVisitor {
            type Value = Option<FileEntry>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("null, text, or an object of content, encoding (utf-8 or base64) and mode")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                EntryVisitor.visit_str(text).map(Some)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                EntryVisitor.visit_map(map).map(Some)
            }
        }
        deserializer.deserialize_any(ChangeVisitor).map(Self)
    }
}

/// The entries of the map as they came. JSON may name a file twice; a map of ours would keep one
/// of the two and nobody would hear of the other.
pub fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, FileEntry)>, D::Error> {
    let listed = deserializer.deserialize_map(Entries::<Entry>(PhantomData))?;
    Ok(listed.into_iter().map(|(path, Entry(entry))| (path, entry)).collect())
}

/// The same, where null takes a file away.
pub fn changes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Option<FileEntry>)>, D::Error> {
    let listed = deserializer.deserialize_map(Entries::<ChangeEntry>(PhantomData))?;
    Ok(listed.into_iter().map(|(path, ChangeEntry(entry))| (path, entry)).collect())
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Vec<(String, T)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of files by path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(path) = map.next_key()? {
            // While reading: the rest may be millions.
            if entries.len() == FileSet::MAX_FILES {
                let message = format_args!("expected at most {} files", FileSet::MAX_FILES);
                return Err(A::Error::custom(message));
            }
            entries.push((path, map.next_value()?));
        }
        Ok(entries)
    }
}

/// Changes, as a checked patch.
pub fn decode_changes(changes: Vec<(String, Option<FileEntry>)>, max_bytes: u64) -> Result<Patch, ApiError> {
    let mut decoded = Vec::with_capacity(changes.len());
    let mut total = 0;
    for (path, entry) in changes {
        let file = entry.map(|entry| file(&path, entry)).transpose()?;
        total += file.as_ref().map_or(0, |file| file.content.len() as u64);
        if total > max_bytes {
            return Err(ApiError::TooLarge { limit: max_bytes });
        }
        decoded.push((FilePath::parse(&path)?, file));
    }
    Ok(Patch::new(decoded)?)
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
            text::FileMode::rule().check(&format!("files[{path:?}].mode"), &text)?;
            u32::from_str_radix(&text, 8).map_err(|_| invalid("mode", "expected octal digits such as 755"))?
        }
    };
    Ok(SourceFile { content, executable: bits & 0o111 != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::json;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default, deserialize_with = "json::object")]
        metadata: crate::domain::Metadata,
        #[serde(default, deserialize_with = "entries")]
        files: Vec<(String, FileEntry)>,
    }

    fn refused(body: &str) -> Invalid {
        match json::parse::<Body>(body.as_bytes()) {
            Err(ApiError::Invalid(invalid)) => invalid,
            other => panic!("{other:?}"),
        }
    }

    fn listed(count: usize, entry: impl Fn(usize) -> String) -> String {
        (0..count).map(entry).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn every_shape_of_an_entry_is_read() {
        let body = r#"{"files": {"a": "x", "b": {"content": "eA==", "encoding": "base64", "mode": "755"},
            "c": {"content": "x", "mode": 493}, "d": {"content": "\u0041", "mode": null}}}"#;
        let body: Body = json::parse(body.as_bytes()).expect("read");
        assert_eq!(body.metadata, crate::domain::Metadata::default());
        let files = decode(body.files, 100).expect("decoded");
        let of = |path| files.get(path).map(|file| (file.content.to_vec(), file.executable));
        assert_eq!(of("a"), Some((b"x".to_vec(), false)));
        assert_eq!(of("b"), Some((b"x".to_vec(), true)));
        assert_eq!(of("c"), Some((b"x".to_vec(), true)));
        assert_eq!(of("d"), Some((b"A".to_vec(), false)));
    }

    #[test]
    fn reading_stops_at_the_limit() {
        // What follows the limit is no JSON at all, and nobody gets so far as to see it.
        let files = listed(FileSet::MAX_FILES + 1, |n| format!("\"{n}\":\"\""));
        let invalid = refused(&format!("{{\"files\": {{{files},,,"));
        assert_eq!(invalid.field, "files");
        assert!(invalid.to_string().contains("at most 20000 files"), "{invalid}");
        let text = listed(1001, |_| "\"a\"".to_owned());
        for field in ["secrets", "systemPackages"] {
            let invalid = refused(&format!("{{\"metadata\": {{\"{field}\": [{text},,,"));
            assert_eq!(invalid.field, format!("metadata.{field}"));
        }
        let pairs = listed(1001, |n| format!("\"A{n}\":\"\""));
        let invalid = refused(&format!("{{\"metadata\": {{\"environment\": {{{pairs},,,"));
        assert_eq!(invalid.field, "metadata.environment");
    }

    #[test]
    fn what_does_not_fit_is_refused_where_it_begins() {
        for body in [
            r#"{"files": {"a.py": [0,,,"#,
            r#"{"files": {"a.py": {"content": "", "mode": [0,,,"#,
            r#"{"files": {"a.py": {"colour": [0,,,"#,
        ] {
            assert!(refused(body).field.starts_with("files[\"a.py\"]"), "{body}");
        }
    }
}
