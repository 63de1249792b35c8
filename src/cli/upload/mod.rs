//! A directory as a generation: which files go in, what they are called there, and the body
//! that carries them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use bytes::Bytes;
use ignore::{DirEntry, WalkBuilder};
use serde::Serialize;

use super::dockerignore::{self, DockerIgnore};
use super::output::{bytes, count};
use crate::domain::{ContentHash, FilePath, FileSet, GenerationId, Metadata, SourceFile};

/// The metadata of a directory that brings its own; it describes the code and is not part of it.
pub const METADATA_FILE: &str = "preview.json";

/// Never code: histories and what package managers and interpreters leave behind.
const SKIPPED_DIRS: [&str; 4] = [".git", "node_modules", "__pycache__", ".venv"];

/// What no daemon would take, so that a slip such as `launch /` ends early. The daemon's own
/// limit is a setting, and it is the daemon that applies it.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
const MOST_FILES: usize = 20_000;

#[derive(Debug)]
pub struct Upload {
    pub metadata: Metadata,
    pub files: FileSet,
    /// Files left out for a reason the user may not expect, one sentence each.
    pub notes: Vec<String>,
    /// Those below the directory that are not left out, relative to it.
    pub folders: Vec<PathBuf>,
    dir: PathBuf,
}

impl Upload {
    /// Reads `dir`, and the metadata in `metadata` or in the directory's own `preview.json`.
    pub fn read(dir: &Path, metadata: Option<&Path>) -> anyhow::Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("cannot read {}", dir.display()))?;
        let own = dir.join(METADATA_FILE);
        let metadata = match metadata {
            Some(file) => read_metadata(file)?,
            None if own.is_file() => read_metadata(&own)?,
            None => Metadata::default(),
        };
        let mut walk = Walk::new(&dir)?;
        walk.run()?;
        let Walk { files, notes, folders, .. } = walk;
        if files.is_empty() {
            anyhow::bail!("{} holds no file to upload", dir.display());
        }
        let files = FileSet::new(files, MOST_BYTES)?;
        Ok(Self { metadata, files, notes, folders, dir })
    }

    /// The directory's name made valid, and the start of the content's hash: generations never
    /// change, so an edited directory is another one.
    pub fn default_id(&self) -> anyhow::Result<GenerationId> {
        let name = self.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let hash = ContentHash::of(&self.metadata, &self.files);
        let hash = hash.as_str().get(..10).unwrap_or_default();
        Ok(GenerationId::parse(&format!("{}-{hash}", id_part(name)))?)
    }

    /// The JSON body of a PUT.
    pub fn body(&self) -> serde_json::Result<Vec<u8>> {
        let files = self.files.iter().map(|(path, file)| (path.as_str(), FileBody::of(file))).collect();
        serde_json::to_vec(&Body { metadata: &self.metadata, files })
    }

    /// `12 files, 34.5 kB`.
    pub fn summary(&self) -> String {
        format!("{}, {}", count(self.files.len(), "file"), bytes(self.files.total_bytes()))
    }

    /// Where the bytes are, for someone who has too many: the largest entries of the directory.
    pub fn largest(&self) -> String {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for (path, file) in self.files.iter() {
            let entry = path.as_str().split('/').next().unwrap_or_default();
            *sizes.entry(entry).or_default() += file.content.len() as u64;
        }
        let mut sizes: Vec<_> = sizes.into_iter().collect();
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let named = sizes.iter().take(3).map(|(name, size)| format!("{name} ({})", bytes(*size)));
        named.collect::<Vec<_>>().join(", ")
    }
}

/// Metadata as a JSON file, with the field named when it is not.
pub fn read_metadata(file: &Path) -> anyhow::Result<Metadata> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut reader = serde_json::Deserializer::from_slice(&text);
    let metadata: Metadata = serde_path_to_error::deserialize(&mut reader)
        .with_context(|| format!("{} is not the metadata of a generation", file.display()))?;
    metadata.validate().with_context(|| file.display().to_string())?;
    Ok(metadata)
}

/// One pass over the directory.
struct Walk<'a> {
    root: &'a Path,
    docker: DockerIgnore,
    files: Vec<(FilePath, SourceFile)>,
    total: u64,
    notes: Vec<String>,
    folders: Vec<PathBuf>,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path) -> anyhow::Result<Self> {
        let file = root.join(dockerignore::FILE);
        let docker = match fs::read_to_string(&file) {
            Ok(text) => DockerIgnore::parse(&text)
                .with_context(|| format!("{} has a pattern that is none", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => DockerIgnore::default(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        Ok(Self { root, docker, files: Vec::new(), total: 0, notes: Vec::new(), folders: Vec::new() })
    }

    fn run(&mut self) -> anyhow::Result<()> {
        // Only what lies in the directory itself counts, so that the same directory is the same
        // generation wherever it lies and whoever uploads it.
        let walker = WalkBuilder::new(self.root)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .sort_by_file_name(Ord::cmp)
            .filter_entry(|entry| !is_skipped(entry))
            .build();
        let mut closed: Option<PathBuf> = None;
        for entry in walker {
            let entry = entry?;
            let Ok(path) = entry.path().strip_prefix(self.root) else { continue };
            if path.as_os_str().is_empty() || closed.as_ref().is_some_and(|dir| path.starts_with(dir)) {
                continue;
            }
            let kind = entry.file_type();
            if kind.is_some_and(|kind| kind.is_dir()) {
                match self.docker.excludes_all_under(path) {
                    true => closed = Some(path.to_owned()),
                    false => self.folders.push(path.to_owned()),
                }
                continue;
            }
            if !is_read_by_docker(path) && self.docker.excludes(path, false)
                || path == Path::new(METADATA_FILE)
            {
                continue;
            }
            let Some(real) = self.regular(&entry, path)? else { continue };
            self.take(path, &real)?;
        }
        Ok(())
    }

    /// The file to read for an entry: itself, or what a link inside the directory points to.
    fn regular(&mut self, entry: &DirEntry, path: &Path) -> anyhow::Result<Option<PathBuf>> {
        let Some(kind) = entry.file_type() else { return Ok(None) };
        if kind.is_file() {
            return Ok(Some(entry.path().to_owned()));
        }
        if !kind.is_symlink() {
            self.notes.push(format!("left out {}: neither file nor folder", path.display()));
            return Ok(None);
        }
        match entry.path().canonicalize() {
            Ok(real) if real.starts_with(self.root) && real.is_file() => Ok(Some(real)),
            Ok(_) => {
                self.notes.push(format!("left out {}: a link to a folder or out of it", path.display()));
                Ok(None)
            }
            Err(_) => {
                self.notes.push(format!("left out {}: a link to nothing", path.display()));
                Ok(None)
            }
        }
    }

    fn take(&mut self, path: &Path, real: &Path) -> anyhow::Result<()> {
        let name = path.to_str().with_context(|| format!("{}: the name is not UTF-8", path.display()))?;
        let unreadable = || format!("cannot read {name}");
        let size = fs::metadata(real).with_context(unreadable)?.len();
        self.total += size;
        if self.total > MOST_BYTES || self.files.len() == MOST_FILES {
            anyhow::bail!(
                "{} holds more than a generation may: over {MOST_FILES} files or {}; \
                 leave out what is not code with a .dockerignore",
                self.root.display(),
                bytes(MOST_BYTES)
            );
        }
        let content = Bytes::from(fs::read(real).with_context(unreadable)?);
        let executable = is_executable(real).with_context(unreadable)?;
        self.files.push((FilePath::parse(name)?, SourceFile { content, executable }));
        Ok(())
    }
}

fn is_skipped(entry: &DirEntry) -> bool {
    entry.depth() > 0 && SKIPPED_DIRS.iter().any(|name| entry.file_name() == *name)
}

/// As with `docker build`, these two go in even when they are left out: the builder reads them.
fn is_read_by_docker(path: &Path) -> bool {
    path == Path::new("Dockerfile") || path == Path::new(dockerignore::FILE)
}

#[cfg(unix)]
fn is_executable(file: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(file)?.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> std::io::Result<bool> {
    Ok(false)
}

/// At most 80 characters an id may have, the first a letter or digit.
fn id_part(name: &str) -> String {
    let mut part = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' => part.push(c),
            '.' | '-' if part.ends_with(['.', '-']) => {}
            '.' | '-' => part.push(c),
            _ if part.ends_with(['.', '-']) => {}
            _ => part.push('-'),
        }
    }
    let part: String = part.trim_start_matches(['.', '-', '_']).chars().take(80).collect();
    match part.trim_end_matches(['.', '-']) {
        "" => "app".to_owned(),
        part => part.to_owned(),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    metadata: &'a Metadata,
    files: BTreeMap<&'a str, FileBody<'a>>,
}

/// A file as JSON bodies carry it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum FileBody<'a> {
    Text(&'a str),
    Full {
        content: std::borrow::Cow<'a, str>,
        encoding: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<&'static str>,
    },
}

impl<'a> FileBody<'a> {
    pub fn of(file: &'a SourceFile) -> Self {
        let mode = file.executable.then_some("0755");
        match (std::str::from_utf8(&file.content), mode) {
            (Ok(text), None) => Self::Text(text),
            (Ok(text), Some(_)) => Self::Full { content: text.into(), encoding: "utf-8", mode },
            (Err(_), _) => {
                let content = base64::engine::general_purpose::STANDARD.encode(&file.content);
                Self::Full { content: content.into(), encoding: "base64", mode }
            }
        }
    }
}

#[cfg(test)]
mod tests;
