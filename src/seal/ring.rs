//! The keys that things are sealed with: named by the operator, or in a file of the data directory,
//! or, until there is one, derived from the installation's own.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Seal;

const FILE: &str = "seal.key";

/// Keys that the operator names, the newest first. `Debug` does not show them.
#[derive(Clone)]
pub struct NamedKeys(Vec<[u8; 32]>);

impl std::fmt::Debug for NamedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NamedKeys(redacted)")
    }
}

/// All keys, the newest first.
pub struct Ring {
    keys: Vec<[u8; 32]>,
    file: PathBuf,
    /// They are the operator's to change.
    named: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RingError {
    #[error("the key file {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("the key file {path}: expected a key a line, each of 64 hex digits")]
    Malformed { path: String },
    #[error(
        "PREVIEW_SEAL_KEYS names the keys: put a new one first there, rotate, and take the old ones away"
    )]
    Named,
}

impl Ring {
    /// Those `named`, else those of the data directory, else one made of `installation`.
    pub fn open(
        data_dir: &Path,
        installation: [u8; 32],
        named: Option<NamedKeys>,
    ) -> Result<Self, RingError> {
        let file = data_dir.join(FILE);
        if let Some(NamedKeys(keys)) = named {
            return Ok(Self { keys, file, named: true });
        }
        let keys = match std::fs::read_to_string(&file) {
            Ok(text) => parse_keys(&text).ok_or_else(|| RingError::Malformed { path: shown(&file) })?.0,
            Err(error) if error.kind() == ErrorKind::NotFound => vec![installation],
            Err(source) => return Err(RingError::File { path: shown(&file), source }),
        };
        Ok(Self { keys, file, named: false })
    }

    pub fn seal(&self) -> Seal {
        let (newest, former) = self.keys.split_first().unwrap_or((&[0; 32], &[]));
        Seal::new(*newest, former)
    }

    pub const fn is_named(&self) -> bool {
        self.named
    }

    /// Puts a new key in front and writes it down, before anything is sealed with it.
    pub fn add(&mut self) -> Result<(), RingError> {
        if self.named {
            return Err(RingError::Named);
        }
        self.keys.insert(0, rand::random());
        self.write()
    }

    /// Takes all but the newest away: nothing is sealed with the others any more.
    pub fn drop_former(&mut self) -> Result<(), RingError> {
        if self.named {
            return Err(RingError::Named);
        }
        self.keys.truncate(1);
        self.write()
    }

    /// Beside and moved over, so that there is a whole file at any moment.
    fn write(&self) -> Result<(), RingError> {
        let fresh = self.file.with_extension("new");
        let text: String = self.keys.iter().map(|key| format!("{}\n", hex(key))).collect();
        let write = || {
            match std::fs::remove_file(&fresh) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, &self.file)
        };
        write().map_err(|source| RingError::File { path: shown(&self.file), source })
    }
}

/// Keys of 64 hex digits, between commas or on lines.
pub fn parse_keys(text: &str) -> Option<NamedKeys> {
    let words = text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty());
    let keys = words.map(from_hex).collect::<Option<Vec<_>>>()?;
    (!keys.is_empty()).then_some(NamedKeys(keys))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;

    #[test]
    fn a_rotation_opens_what_was_and_leaves_one_key_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = || Ring::open(dir.path(), [7; 32], None).expect("keys");
        let sealed = open().seal().close(Purpose::Environment, "a", "text").expect("sealed");
        let mut ring = open();
        ring.add().expect("written");
        let reopened = open();
        assert_eq!(reopened.keys.len(), 2);
        assert_eq!(reopened.seal().open(Purpose::Environment, "a", &sealed).as_deref(), Some("text"));
        ring.drop_former().expect("written");
        assert_eq!(open().seal().open(Purpose::Environment, "a", &sealed), None);
        std::fs::write(dir.path().join(FILE), "no key").expect("written");
        assert!(matches!(Ring::open(dir.path(), [7; 32], None), Err(RingError::Malformed { .. })));
        let named = Ring::open(dir.path(), [7; 32], parse_keys(&"ab".repeat(32))).expect("keys");
        assert!(named.is_named());
    }
}
