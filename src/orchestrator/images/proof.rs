//! Whether an image is what a preview runs from already: its environment and the source.
//!
//! Running the app a second time to see would do twice what it does at its start. Comparing is
//! without side effects and says more: the layers below the source are the environment's, the
//! source is the same file by file with owner and mode, and the image starts the same program
//! with the same variables in the same folder.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use futures_util::TryStreamExt;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{ImageError, Images, Recipe};
use crate::domain::Generation;
use crate::engine::{ContainerSpec, Engine, EngineError, ImageFacts};
use crate::generation::{self, Entry, Start};

/// Why an image may not take the place of its environment.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    #[error("{0}")]
    Differs(String),
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl From<EngineError> for Unproven {
    fn from(error: EngineError) -> Self {
        Self::Image(error.into())
    }
}

impl Images {
    /// Compares. `spec` is of a container that is made to look into the image, and never started.
    pub async fn prove(
        &self,
        generation: &Arc<Generation>,
        recipe: &Arc<Recipe>,
        environment: &str,
        spec: &ContainerSpec,
    ) -> Result<(), Unproven> {
        let engine = &self.inner.engine;
        let gone = || Unproven::Differs("one of the two images is gone".to_owned());
        let above = engine.image_facts(&recipe.tag).await?.ok_or_else(gone)?;
        let below = engine.image_facts(environment).await?.ok_or_else(gone)?;
        compare_facts(&above, &below, generation::start(&recipe.plan)).map_err(Unproven::Differs)?;
        let container = engine.create_container(spec).await?;
        let (theirs, ours) = (Arc::clone(generation), Arc::clone(recipe));
        let compared =
            compare_files(engine, &container, move || generation::source(&ours.plan, &theirs.files)).await;
        engine.remove(&container).await?;
        compared
    }
}

fn compare_facts(above: &ImageFacts, below: &ImageFacts, start: Start) -> Result<(), String> {
    if !above.layers.starts_with(&below.layers) || below.layers.is_empty() {
        return Err("its layers are not those of the environment".to_owned());
    }
    let mut variables = below.variables.clone();
    variables.extend(start.variables);
    let same = [
        ("entry point", above.entry_point == below.entry_point),
        ("command", above.command == start.arguments.unwrap_or_else(|| below.command.clone())),
        ("variables", above.variables == variables),
        ("working directory", above.working_dir == start.working_dir),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(format!("its {what} is another")),
        None => Ok(()),
    }
}

async fn compare_files(
    engine: &Engine,
    container: &str,
    expected: impl FnOnce() -> BTreeMap<String, Entry> + Send + 'static,
) -> Result<(), Unproven> {
    let read = StreamReader::new(Box::pin(engine.download(container, "/app").map_err(io::Error::other)));
    let read = SyncIoBridge::new(read);
    let compared = tokio::task::spawn_blocking(move || compare_archive(read, expected())).await;
    match compared {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(difference))) => Err(Unproven::Differs(difference)),
        Ok(Err(error)) => Err(Unproven::Differs(format!("its files cannot be read: {error}"))),
        Err(_) => Err(Unproven::Image(ImageError::Cancelled)),
    }
}

/// The first difference. Folders that are only implied by the entries are taken as listed.
fn compare_archive(archive: impl Read, expected: BTreeMap<String, Entry>) -> io::Result<Option<String>> {
    let mut missing = generation::with_folders(expected);
    missing.insert(String::new(), Entry::Folder);
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = path.trim_end_matches('/');
        let path = path.strip_prefix("app/").or((path == "app").then_some("")).unwrap_or(path);
        let Some(wanted) = missing.remove(path) else {
            return Ok(Some(format!("it holds /app/{path}, which the source does not")));
        };
        if !is_same(&mut entry, &wanted)? {
            return Ok(Some(format!("/app/{path} is another in it")));
        }
    }
    Ok(missing.into_keys().next().map(|path| format!("it does not hold /app/{path}")))
}

fn is_same(entry: &mut tar::Entry<'_, impl Read>, wanted: &Entry) -> io::Result<bool> {
    let header = entry.header();
    let owner = u64::from(ContainerSpec::UID);
    if header.uid()? != owner || header.gid()? != owner {
        return Ok(false);
    }
    let (kind, mode) = (header.entry_type(), header.mode()? & 0o7777);
    Ok(match wanted {
        Entry::Folder => kind.is_dir() && mode == 0o755,
        Entry::Link(target) => {
            kind.is_symlink()
                && entry.link_name()?.is_some_and(|link| link.as_os_str() == std::ffi::OsStr::new(target))
        }
        Entry::File { content, executable } => {
            let mut found = Vec::new();
            let is_file = kind.is_file() && mode == if *executable { 0o755 } else { 0o644 };
            let as_long = entry.size() == content.len() as u64;
            is_file && as_long && entry.read_to_end(&mut found).is_ok() && found == content.as_ref()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> BTreeMap<String, Entry> {
        let file = |text: &str| Entry::File { content: text.to_owned().into(), executable: false };
        files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect()
    }

    fn archive(files: &[(&str, &str)], owner: u32) -> Vec<u8> {
        let mut entries = tree(files);
        entries = entries.into_iter().map(|(path, entry)| (format!("app/{path}"), entry)).collect();
        let mut out = Vec::new();
        generation::pack(entries, owner, &mut out).expect("packed");
        out
    }

    fn difference(found: &[(&str, &str)], owner: u32) -> Option<String> {
        let wanted = tree(&[("main.py", "1"), ("pkg/a.py", "2")]);
        compare_archive(archive(found, owner).as_slice(), wanted).expect("readable")
    }

    #[test]
    fn every_difference_of_the_files_is_one() {
        let same = [("main.py", "1"), ("pkg/a.py", "2")];
        assert_eq!(difference(&same, ContainerSpec::UID), None);
        let said = |found: &[(&str, &str)], owner| difference(found, owner).expect("a difference");
        assert!(said(&same, 0).contains("/app/ is another"));
        let other = [("main.py", "1"), ("pkg/a.py", "3")];
        assert!(said(&other, ContainerSpec::UID).contains("/app/pkg/a.py is another"));
        let more = [("main.py", "1"), ("pkg/a.py", "2"), ("x", "")];
        assert!(said(&more, ContainerSpec::UID).contains("it holds /app/x"));
        assert!(said(&same[..1], ContainerSpec::UID).contains("does not hold /app/pkg"));
    }

    fn facts(layers: &[&str], command: &str) -> ImageFacts {
        ImageFacts {
            id: String::new(),
            layers: layers.iter().map(|layer| (*layer).to_owned()).collect(),
            entry_point: Vec::new(),
            command: vec![command.to_owned()],
            variables: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            working_dir: "/app".to_owned(),
        }
    }

    #[test]
    fn every_difference_of_the_start_is_one() {
        let start = |command: &str| Start {
            arguments: Some(vec![command.to_owned()]),
            variables: BTreeMap::new(),
            working_dir: "/app".to_owned(),
        };
        let (above, below) = (facts(&["1", "2"], "run"), facts(&["1"], "other"));
        assert_eq!(compare_facts(&above, &below, start("run")), Ok(()));
        assert!(compare_facts(&above, &below, start("walk")).expect_err("differs").contains("command"));
        let rebuilt = facts(&["7", "2"], "run");
        assert!(compare_facts(&rebuilt, &below, start("run")).expect_err("differs").contains("layers"));
        let more = Start { variables: BTreeMap::from([("B".to_owned(), String::new())]), ..start("run") };
        assert!(compare_facts(&above, &below, more).expect_err("differs").contains("variables"));
    }
}
