//! How first data gets into the app's database.

use super::DatabaseTask;
use super::commands::{first_file, found, given, nearest, script, sql};
use crate::generation::plan::Place;
use crate::generation::project::{Project, folder_of};

pub fn find(project: &Project<'_>, working_dir: &str) -> Option<DatabaseTask> {
    let by_metadata = project.metadata.seed_command.as_deref();
    by_metadata
        .and_then(|command| given(command, "seedCommand", working_dir))
        .or_else(|| prisma(project))
        .or_else(|| by_script(project))
        .or_else(|| knex(project))
        .or_else(|| sequelize(project))
        .or_else(|| django(project))
        .or_else(|| python(project))
        .or_else(|| plain_sql(project))
        .or_else(|| rows(project))
}

/// `"prisma": { "seed": "…" }` in package.json, or a prisma.config.ts that names a seed.
fn prisma(project: &Project<'_>) -> Option<DatabaseTask> {
    let package = project.packages().iter().find(|package| {
        let config = crate::generation::project::join(package.folder(), "prisma.config.ts");
        package.prisma_seed || project.text(&config).is_some_and(|text| text.contains("seed:"))
    })?;
    let reason = "package.json says how Prisma seeds";
    Some(found("prisma", &["prisma", "db", "seed"], package.folder(), reason, Place::file(&package.path)))
}

fn by_script(project: &Project<'_>) -> Option<DatabaseTask> {
    let (folder, name, place) = script(project, &["db:seed", "seed", "seed:run", "seed:db", "db:seed:all"])?;
    let reason = format!("package.json has a script {name}");
    Some(found("script", &["npm", "run", "--silent", &name], &folder, &reason, place))
}

fn knex(project: &Project<'_>) -> Option<DatabaseTask> {
    let knexfile = ["knexfile.js", "knexfile.cjs", "knexfile.mjs", "knexfile.ts"]
        .iter()
        .find_map(|name| nearest(project, name))?;
    let seed = project.paths().find(|path| folder_of(path).ends_with("seeds"))?;
    let folder = folder_of(knexfile);
    Some(found("knex", &["knex", "seed:run"], folder, "Knex has seeds", Place::file(seed)))
}

fn sequelize(project: &Project<'_>) -> Option<DatabaseTask> {
    let place = project.node_packages().get("sequelize-cli")?;
    let seeder = project.paths().find(|path| folder_of(path).ends_with("seeders"))?;
    let argv = ["sequelize", "db:seed:all"];
    Some(found("sequelize", &argv, folder_of(&place.file), "Sequelize has seeders", Place::file(seeder)))
}

/// Fixtures named as first data; others may be made for tests.
fn django(project: &Project<'_>) -> Option<DatabaseTask> {
    let manage = nearest(project, "manage.py")?;
    let names = ["initial_data", "seed", "initial", "sample_data", "demo"];
    let fixture = project.paths().find(|path| {
        let name = crate::generation::project::name_of(path);
        folder_of(path).ends_with("fixtures")
            && name.rsplit_once('.').is_some_and(|(stem, _)| names.contains(&stem))
    })?;
    let label = crate::generation::project::name_of(fixture);
    let argv = ["python", "manage.py", "loaddata", label];
    Some(found(
        "django",
        &argv,
        folder_of(manage),
        "its name says that it is first data",
        Place::file(fixture),
    ))
}

fn python(project: &Project<'_>) -> Option<DatabaseTask> {
    let folders = ["", "backend", "api", "server", "app"];
    let names = [
        "seed.py",
        "seeds.py",
        "seed_data.py",
        "seed_db.py",
        "db_seed.py",
        "scripts/seed.py",
        "scripts/seed_data.py",
        "scripts/seed_db.py",
        "app/seed.py",
    ];
    let (folder, path) = first_file(project, &folders, &names)?;
    let text = project.text(&path)?;
    // A file of functions that something else calls does nothing when run.
    if !text.contains("__main__") {
        return None;
    }
    let inside = path.strip_prefix(&folder).unwrap_or(&path).trim_start_matches('/').to_owned();
    let module = inside.trim_end_matches(".py").replace('/', ".");
    // From its folder's root, so that it finds the app's own modules.
    let argv = ["python", "-m", &module];
    Some(found(
        "script",
        &argv,
        &folder,
        "its name says that it seeds, and it can be run",
        Place::file(&path),
    ))
}

fn plain_sql(project: &Project<'_>) -> Option<DatabaseTask> {
    let file = ["seed.sql", "seeds.sql", "data.sql"].iter().find_map(|name| nearest(project, name))?;
    let files = vec![file.to_owned()];
    Some(sql(folder_of(file), files, "its name says that it seeds", Place::file(file)))
}

/// Rows of tables: `seeds/people.csv`, `seed/people.json`, or one `seed.json` of several.
fn rows(project: &Project<'_>) -> Option<DatabaseTask> {
    let folders = ["seed", "seeds", "seed_data", "seed-data"];
    let is_rows = |path: &&str| path.ends_with(".csv") || path.ends_with(".json");
    let in_folder =
        |path: &&str| folder_of(path).rsplit('/').next().is_some_and(|folder| folders.contains(&folder));
    let folder = project.paths().filter(is_rows).find(in_folder).map(folder_of);
    let mut files: Vec<String> = match folder {
        Some(folder) => {
            let inside = project.paths().filter(is_rows).filter(|path| folder_of(path) == folder);
            inside.map(str::to_owned).collect()
        }
        None => vec![["seed.json", "seeds.json"].iter().find_map(|name| nearest(project, name))?.to_owned()],
    };
    files.sort();
    let first = files.first()?.clone();
    let reason = "their names say that they hold the rows of tables";
    let task = sql(folder_of(&first), files, reason, Place::file(&first));
    Some(DatabaseTask { tool: "rows".to_owned(), ..task })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Metadata;
    use crate::generation::testing::{project_of, tree};

    #[test]
    fn seeds_are_found_and_the_metadata_wins() {
        let command = |files: &[(&str, &str)]| {
            let files = tree(files);
            project_of(&files, |project| find(project, "/app")).map(|task| task.command.join(" "))
        };
        let prisma = [("package.json", r#"{"prisma":{"seed":"tsx prisma/seed.ts"}}"#)];
        assert_eq!(command(&prisma).as_deref(), Some("prisma db seed"));
        let script = [("package.json", r#"{"scripts":{"seed":"node seed.js"}}"#)];
        assert_eq!(command(&script).as_deref(), Some("npm run --silent seed"));
        let python = [("backend/scripts/seed.py", "if __name__ == '__main__':\n    pass\n")];
        assert_eq!(command(&python).as_deref(), Some("python -m scripts.seed"));
        assert_eq!(command(&[("seed.py", "def seed(): pass\n")]), None);
        let rows = tree(&[("db/seeds/b.csv", "id\n1\n"), ("db/seeds/a.json", "[]"), ("data/x.csv", "")]);
        let task = project_of(&rows, |project| find(project, "/app")).expect("rows");
        assert_eq!(
            (task.tool.as_str(), task.files),
            ("rows", vec!["db/seeds/a.json".to_owned(), "db/seeds/b.csv".into()])
        );
        let metadata = Metadata { seed_command: Some("python 'my seed.py'".into()), ..Metadata::default() };
        let files = tree(&prisma);
        let bases = crate::generation::BaseImages::default();
        let project = Project::new(&metadata, &files, &bases, None, &mut Default::default());
        let task = find(&project, "/app/api").expect("given");
        assert_eq!(
            (task.command, task.working_dir.as_str()),
            (vec!["python".to_owned(), "my seed.py".to_owned()], "/app/api")
        );
    }
}
