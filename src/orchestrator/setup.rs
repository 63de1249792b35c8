//! What has to be done with an empty database before the app starts on it. Pure.

use bytes::Bytes;
use std::fmt;

use crate::domain::{DatabaseType, FileSet, Metadata};
use crate::generation::{Plan, split_words};

/// Where a container finds the files of SQL it is to run.
pub const SCRIPTS: &str = "/scripts";

/// One job, in a container of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `migrations` or `seeds`.
    pub what: &'static str,
    pub action: Action,
    /// Where in the container; the app's own folder otherwise.
    pub working_dir: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A program and its arguments, in the app's image.
    Command(Vec<String>),
    /// A file of the tree, by the server's own client.
    Sql { path: String, content: Bytes },
}

/// Where seeds lie when nothing says where.
const SEED_FILES: [&str; 5] = ["seed.sql", "seeds.sql", "db/seed.sql", "db/seeds.sql", "database/seed.sql"];

/// Migrations first, then seeds; of each what the metadata names, else what the files hold. An
/// error is a text for the owner.
pub fn steps(metadata: &Metadata, plan: Option<&Plan>, files: &FileSet) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    if metadata.requires_migrations != Some(false) {
        steps.extend(migrations(metadata, plan, files)?);
    }
    steps.extend(seeds(metadata, plan, files)?);
    Ok(steps)
}

/// The kind of database the code expects.
pub fn detected(_plan: &Plan) -> Option<DatabaseType> {
    None
}

/// How the URL begins for the library that the code uses.
pub fn url_prefix(_plan: &Plan) -> Option<&str> {
    None
}

fn migrations(metadata: &Metadata, _plan: Option<&Plan>, files: &FileSet) -> Result<Vec<Step>, String> {
    const WHAT: &str = "migrations";
    if let Some(command) = &metadata.migration_command {
        return Ok(vec![given(WHAT, "migrationCommand", command)?]);
    }
    let is_plain = |path: &str| {
        path.rsplit_once('/').is_some_and(|(folder, name)| {
            (folder == "migrations" || folder.ends_with("/migrations"))
                && name.ends_with(".sql")
                && !name.ends_with(".down.sql")
        })
    };
    Ok(files
        .iter()
        .filter(|(path, _)| is_plain(path.as_str()))
        .map(|(path, file)| sql(WHAT, path.as_str(), &file.content))
        .collect())
}

fn seeds(metadata: &Metadata, _plan: Option<&Plan>, files: &FileSet) -> Result<Vec<Step>, String> {
    const WHAT: &str = "seeds";
    if let Some(command) = &metadata.seed_command {
        return Ok(vec![given(WHAT, "seedCommand", command)?]);
    }
    if !metadata.seed_data_included {
        return Ok(Vec::new());
    }
    let found = SEED_FILES.iter().find_map(|path| Some((*path, files.get(path)?)));
    Ok(found.map(|(path, file)| sql(WHAT, path, &file.content)).into_iter().collect())
}

fn given(what: &'static str, field: &str, command: &str) -> Result<Step, String> {
    let words = split_words(command).ok_or_else(|| format!("{field}: a quote is not closed in {command:?}"))?;
    Ok(Step { what, action: Action::Command(words), working_dir: None })
}

fn sql(what: &'static str, path: &str, content: &Bytes) -> Step {
    let action = Action::Sql { path: path.to_owned(), content: content.clone() };
    Step { what, action, working_dir: None }
}

impl Step {
    /// What is run.
    pub fn argv(&self) -> Vec<String> {
        match &self.action {
            Action::Command(words) => words.clone(),
            Action::Sql { path, .. } => {
                // The address is in the environment. `-X`: nobody's settings; the first error ends it.
                let file = format!("{SCRIPTS}/{}", file_name(path));
                ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", &file].map(str::to_owned).to_vec()
            }
        }
    }

    /// What tells this step from others, for the key of what it makes.
    pub fn words(&self) -> Vec<String> {
        match &self.action {
            Action::Command(words) => words.clone(),
            Action::Sql { path, .. } => vec![format!("sql:{path}"), path.clone()],
        }
    }

    /// The archive to unpack in [`SCRIPTS`], where a file is to be run.
    pub fn script(&self) -> Option<Bytes> {
        let Action::Sql { path, content } = &self.action else { return None };
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let mut archive = tar::Builder::new(Vec::with_capacity(content.len() + 2048));
        // Writing to memory does not fail.
        archive.append_data(&mut header, file_name(path), content.as_ref()).ok()?;
        archive.into_inner().ok().map(Bytes::from)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Command(words) => f.write_str(&words.join(" ")),
            Action::Sql { path, .. } => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FilePath, SourceFile};

    fn files(paths: &[&str]) -> FileSet {
        let all = paths.iter().map(|path| (FilePath::parse(path).expect("a path"), SourceFile::text("SELECT 1")));
        FileSet::new(all, 10_000).expect("files")
    }

    fn said(metadata: &Metadata, paths: &[&str]) -> Vec<String> {
        let steps = steps(metadata, None, &files(paths)).expect("steps");
        steps.iter().map(|step| format!("{}: {step}", step.what)).collect()
    }

    #[test]
    fn what_the_metadata_names_wins_over_what_the_files_hold() {
        let tree = ["migrations/002_b.sql", "migrations/001_a.sql", "migrations/001_a.down.sql", "seed.sql", "a.py"];
        let mut metadata = Metadata::default();
        let plain = ["migrations: migrations/001_a.sql", "migrations: migrations/002_b.sql"];
        assert_eq!(said(&metadata, &tree), plain, "seeds are asked for");
        metadata.seed_data_included = true;
        assert_eq!(said(&metadata, &tree).last().map(String::as_str), Some("seeds: seed.sql"));
        metadata.migration_command = Some("alembic -x 'a b' upgrade head".into());
        metadata.seed_command = Some("python seed.py".into());
        assert_eq!(said(&metadata, &tree), ["migrations: alembic -x a b upgrade head", "seeds: python seed.py"]);
        metadata.requires_migrations = Some(false);
        assert_eq!(said(&metadata, &tree), ["seeds: python seed.py"]);
        metadata.seed_command = Some("python 'seed.py".into());
        assert!(steps(&metadata, None, &files(&tree)).is_err());
    }
}
