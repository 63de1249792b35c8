//! What has to be done with an empty database before the app starts on it. Pure.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::databases::{self, Part};
use crate::domain::{DatabaseType, FileSet, Metadata};
use crate::generation::{CacheKind, ConnectionPart, DatabaseVariable, Plan};

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
    /// A file of the tree, or what was made of some, by the server's own client.
    Sql { path: String, content: Bytes },
}

/// Migrations first, then seeds, as the plan found them or the metadata gave them; seeds are run
/// when they are asked for. An error is a text for the owner.
pub fn steps(
    kind: DatabaseType,
    metadata: &Metadata,
    plan: &Plan,
    files: &FileSet,
) -> Result<Vec<Step>, String> {
    let wants_migrations = metadata.requires_migrations != Some(false);
    let wants_seeds = metadata.seed_data_included || metadata.seed_command.is_some();
    let migration = plan.migration.as_ref().filter(|_| wants_migrations).map(|task| ("migrations", task));
    let seed = plan.seed.as_ref().filter(|_| wants_seeds).map(|task| ("seeds", task));
    let mut steps = Vec::new();
    for (what, task) in migration.into_iter().chain(seed) {
        if !task.command.is_empty() {
            let action = Action::Command(task.command.clone());
            steps.push(Step { what, action, working_dir: Some(task.working_dir.clone()) });
        }
        let mut rows = Vec::new();
        for path in &task.files {
            let file = files.get(path).ok_or_else(|| format!("{what}: there is no file {path}"))?;
            if databases::is_rows(path) {
                rows.push((path.as_str(), file.content.as_ref()));
                continue;
            }
            let action = Action::Sql { path: path.clone(), content: file.content.clone() };
            steps.push(Step { what, action, working_dir: None });
        }
        if let Some((first, _)) = rows.first() {
            // All at once: a table may refer to another.
            let path = format!("{first}.sql");
            let content = Bytes::from(databases::insertion(kind, rows)?);
            steps.push(Step { what, action: Action::Sql { path, content }, working_dir: None });
        }
    }
    // Said, and not to be read: better than a database that is silently empty.
    for (field, command, found) in [
        ("migrationCommand", &metadata.migration_command, &plan.migration),
        ("seedCommand", &metadata.seed_command, &plan.seed),
    ] {
        if let (Some(command), None) = (command, found)
            && (field == "seedCommand" || wants_migrations)
        {
            return Err(format!("{field}: {command:?} cannot be split into words"));
        }
    }
    Ok(steps)
}

/// The kind of database the code takes from its environment. One that it names itself is none of
/// ours to give.
pub fn detected(plan: &Plan) -> Option<DatabaseType> {
    let need = plan.database.as_ref().filter(|need| !need.variables.is_empty())?;
    Some(need.kind.database_type())
}

/// Whether the code takes a Redis from its environment.
pub fn needs_cache(plan: &Plan) -> bool {
    let need = plan.cache.as_ref().filter(|need| need.kind == CacheKind::Redis);
    need.is_some_and(|need| !need.variables.is_empty())
}

/// Variables from which the code takes its cache's address.
pub fn cache_variables(plan: &Plan) -> Vec<(&str, Part)> {
    plan.cache.iter().flat_map(|need| &need.variables).map(told).collect()
}

/// How the URL begins for the library that the code uses, when it is one for this kind.
pub fn url_prefix(plan: &Plan, kind: DatabaseType) -> Option<&str> {
    let need = plan.database.as_ref().filter(|need| need.kind.database_type() == kind)?;
    need.url_form.split_once(':').map(|(prefix, _)| prefix)
}

/// Variables from which the code takes its address, and what each is for.
pub fn variables(plan: &Plan) -> Vec<(&str, Part)> {
    plan.database.iter().flat_map(|need| &need.variables).map(told).collect()
}

fn told(variable: &DatabaseVariable) -> (&str, Part) {
    let part = match variable.holds {
        ConnectionPart::Url => Part::Url,
        ConnectionPart::Host => Part::Host,
        ConnectionPart::Port => Part::Port,
        ConnectionPart::User => Part::User,
        ConnectionPart::Password => Part::Password,
        ConnectionPart::Name => Part::Database,
    };
    (variable.name.as_str(), part)
}

impl Step {
    /// What is run in the app's image; nothing where that is a file of SQL.
    pub fn command(&self) -> Vec<String> {
        match &self.action {
            Action::Command(words) => words.clone(),
            Action::Sql { .. } => Vec::new(),
        }
    }

    /// Where the file of SQL to run is found in the container.
    pub fn file(&self) -> Option<String> {
        let Action::Sql { path, .. } = &self.action else { return None };
        Some(format!("{SCRIPTS}/{}", file_name(path)))
    }

    /// What tells this step from others, for the key of what it makes.
    pub fn words(&self) -> Vec<String> {
        match &self.action {
            Action::Command(words) => words.clone(),
            // What was made of other files is in none of the tree.
            Action::Sql { path, content } => {
                vec![format!("sql:{path}"), path.clone(), format!("{:x}", Sha256::digest(content))]
            }
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
    use crate::generation::{self, BaseImages, DatabaseTask, Source};

    fn task(command: &[&str], files: &[&str]) -> DatabaseTask {
        DatabaseTask {
            tool: "sql".into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            working_dir: "/app".into(),
            files: files.iter().map(|path| (*path).to_owned()).collect(),
            source: Source::Detected,
            reason: String::new(),
            file: None,
            line: None,
        }
    }

    fn plan(migration: DatabaseTask, seed: DatabaseTask) -> Plan {
        let page = FilePath::parse("index.html").expect("a path");
        let files = FileSet::new([(page, SourceFile::text("<p>"))], 1000).expect("files");
        let plan = generation::plan(&Metadata::default(), &files, &BaseImages::default()).expect("a plan");
        Plan { migration: Some(migration), seed: Some(seed), ..plan }
    }

    fn said(metadata: &Metadata, plan: &Plan) -> Vec<String> {
        let paths = ["migrations/1.sql", "migrations/2.sql", "seed.sql", "seeds/a.csv", "seeds/b.csv"];
        let all =
            paths.iter().map(|path| (FilePath::parse(path).expect("a path"), SourceFile::text("id\n1\n")));
        let files = FileSet::new(all, 10_000).expect("files");
        let steps = steps(DatabaseType::Postgresql, metadata, plan, &files).expect("steps");
        steps.iter().map(|step| format!("{}: {step}", step.what)).collect()
    }

    #[test]
    fn migrations_come_first_and_seeds_when_they_are_asked_for() {
        let plan =
            plan(task(&[], &["migrations/1.sql", "migrations/2.sql"]), task(&["python", "seed.py"], &[]));
        let mut metadata = Metadata::default();
        let migrations = ["migrations: migrations/1.sql", "migrations: migrations/2.sql"];
        assert_eq!(said(&metadata, &plan), migrations);
        metadata.seed_data_included = true;
        assert_eq!(said(&metadata, &plan)[2], "seeds: python seed.py");
        metadata.requires_migrations = Some(false);
        assert_eq!(said(&metadata, &plan), ["seeds: python seed.py"]);
    }

    #[test]
    fn files_of_rows_are_one_step() {
        let plan = plan(task(&[], &["migrations/1.sql"]), task(&[], &["seeds/a.csv", "seeds/b.csv"]));
        let metadata = Metadata { seed_data_included: true, ..Metadata::default() };
        assert_eq!(said(&metadata, &plan), ["migrations: migrations/1.sql", "seeds: seeds/a.csv.sql"]);
    }

    #[test]
    fn a_command_that_cannot_be_read_is_said() {
        let whole = plan(task(&[], &[]), task(&[], &[]));
        let plan = Plan { migration: None, ..whole };
        let metadata = Metadata { migration_command: Some("alembic 'x".into()), ..Metadata::default() };
        let files = FileSet::default();
        assert!(
            steps(DatabaseType::Sqlite, &metadata, &plan, &files)
                .expect_err("accepted")
                .contains("migrationCommand")
        );
    }

    #[test]
    fn a_file_of_sql_goes_into_the_container_by_its_name() {
        let action = Action::Sql { path: "db/seed.sql".into(), content: Bytes::from("SELECT 1") };
        let step = Step { what: "seeds", action, working_dir: None };
        assert_eq!(step.file().as_deref(), Some("/scripts/seed.sql"));
        let archive = step.script().expect("an archive");
        let mut archive = tar::Archive::new(archive.as_ref());
        let names: Vec<_> = archive
            .entries()
            .expect("entries")
            .map(|e| e.expect("one").path().expect("a path").into_owned())
            .collect();
        assert_eq!(names, [std::path::PathBuf::from("seed.sql")]);
    }
}
