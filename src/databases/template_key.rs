//! What makes two schemas the same. Pure.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::passwords::hex;
use crate::domain::{DatabaseRecord, FileSet, UserId};

/// Folders whose files make a schema or fill it.
const FOLDERS: [&str; 10] = [
    "migrations",
    "migration",
    "alembic",
    "versions",
    "prisma",
    "drizzle",
    "seeds",
    "seeders",
    "seed",
    "fixtures",
];

/// Files that say how, by name.
const NAMES: [&str; 12] = [
    "alembic.ini",
    "knexfile.js",
    "knexfile.ts",
    "knexfile.cjs",
    "knexfile.mjs",
    ".sequelizerc",
    "drizzle.config.ts",
    "ormconfig.json",
    "schema.prisma",
    "package.json",
    "requirements.txt",
    "pyproject.toml",
];

/// The commands that only do what the files above say.
const KNOWN_TOOLS: [&str; 9] = [
    "alembic",
    "flask",
    "manage.py",
    "prisma",
    "knex",
    "sequelize",
    "sequelize-cli",
    "typeorm",
    "drizzle-kit",
];

/// The key of the state that `steps` (the words of each, in order) bring a database to. The
/// owner is part of it: whoever writes the code of a migration decides what is in its template,
/// and must not decide that for anybody else. So is the environment, which code may read.
pub fn template_key(
    owner: &UserId,
    record: &DatabaseRecord,
    steps: &[Vec<String>],
    environment: &BTreeMap<String, String>,
    files: &FileSet,
) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add("1");
    add(owner.as_str());
    add(record.kind.as_str());
    add(&record.version);
    for word in steps.iter().flat_map(|step| step.iter().map(String::as_str).chain(["\n"])) {
        add(word);
    }
    for (name, value) in environment {
        add(name);
        add(value);
    }
    let whole = !steps.iter().all(|step| is_known(step));
    for (path, file) in files.iter() {
        if whole || is_of_schema(path.as_str()) || steps.iter().flatten().any(|word| word == path.as_str()) {
            add(path.as_str());
            let digest = Sha256::digest(&file.content);
            add(&hex(&digest));
        }
    }
    hex(&hash.finalize()[..12])
}

/// A tool whose outcome the schema's own files decide; any other command may read whatever it
/// likes, so that the whole tree counts.
fn is_known(step: &[String]) -> bool {
    step.first().is_some_and(|word| word.starts_with("sql:") || word.starts_with("data:"))
        || step.iter().take(4).any(|word| {
            let name = word.rsplit('/').next().unwrap_or(word);
            KNOWN_TOOLS.contains(&name)
        })
}

fn is_of_schema(path: &str) -> bool {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    NAMES.contains(&name)
        || name.ends_with(".sql")
        || name.starts_with("models")
        || parts.iter().any(|folder| FOLDERS.contains(folder) || *folder == "models" || *folder == "entities")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DatabaseMode, DatabaseType, FilePath, MigrationStatus, SourceFile};

    fn record() -> DatabaseRecord {
        DatabaseRecord {
            kind: DatabaseType::Postgresql,
            mode: DatabaseMode::Managed,
            version: "15".into(),
            name: "pv_1".into(),
            migrate: true,
            limit_mb: 100,
            ready: false,
            migration: MigrationStatus::None,
            template: None,
        }
    }

    fn key(owner: &str, command: &str, files: &[(&str, &str)]) -> String {
        let files = files
            .iter()
            .map(|(path, text)| (FilePath::parse(path).expect("a path"), SourceFile::text(*text)));
        let files = FileSet::new(files, 10_000).expect("files");
        let steps = [command.split(' ').map(str::to_owned).collect()];
        let owner = UserId::parse(owner).expect("a user");
        template_key(&owner, &record(), &steps, &BTreeMap::new(), &files)
    }

    #[test]
    fn what_the_schema_is_made_of_decides_and_nothing_else() {
        let base = [("alembic/versions/1.py", "a"), ("main.py", "x")];
        let first = key("ann", "alembic upgrade head", &base);
        let other_app = [("alembic/versions/1.py", "a"), ("main.py", "y")];
        assert_eq!(first, key("ann", "alembic upgrade head", &other_app));
        let other_schema = [("alembic/versions/1.py", "b"), ("main.py", "x")];
        assert_ne!(first, key("ann", "alembic upgrade head", &other_schema));
        assert_ne!(first, key("ann", "alembic upgrade 1", &base));
    }

    #[test]
    fn a_template_is_its_owners_and_an_own_script_may_read_the_whole_tree() {
        let base = [("seed.py", "a"), ("main.py", "x")];
        assert_ne!(key("ann", "python seed.py", &base), key("bob", "python seed.py", &base));
        let other = [("seed.py", "a"), ("main.py", "y")];
        assert_ne!(key("ann", "python seed.py", &base), key("ann", "python seed.py", &other));
    }
}
