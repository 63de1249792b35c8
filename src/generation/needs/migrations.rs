//! How the app's schema gets into its database. The tool of the tree wins over a script of
//! package.json, and that over files of SQL.

use super::commands::{found, given, nearest, script, sql, sql_files};
use super::{DatabaseTask, commands};
use crate::generation::plan::Place;
use crate::generation::project::{Project, folder_of, name_of};

pub fn find(project: &Project<'_>, working_dir: &str) -> Option<DatabaseTask> {
    let metadata = project.metadata;
    if metadata.requires_migrations == Some(false) {
        return None;
    }
    let by_metadata = metadata.migration_command.as_deref();
    by_metadata
        .and_then(|command| given(command, "migrationCommand", working_dir))
        .or_else(|| flask_migrate(project))
        .or_else(|| alembic(project))
        .or_else(|| django(project))
        .or_else(|| aerich(project))
        .or_else(|| prisma(project))
        .or_else(|| drizzle(project))
        .or_else(|| knex(project))
        .or_else(|| sequelize(project))
        .or_else(|| by_script(project))
        .or_else(|| typeorm(project))
        .or_else(|| plain_sql(project))
}

/// Alembic's folder inside of a Flask app; the app's own command knows where.
fn flask_migrate(project: &Project<'_>) -> Option<DatabaseTask> {
    let place = project.python_packages().get("flask-migrate")?;
    let env = project.paths().find(|path| path.ends_with("migrations/env.py"))?;
    let folder = folder_of(folder_of(env));
    let (file, app) = flask_app(project)?;
    let reason = format!("{} lists flask-migrate, and {env} is there", place.file);
    let mut argv = vec!["flask"];
    let target =
        super::super::python::locate(project, &file).map(|location| format!("{}:{app}", location.module));
    argv.extend(["--app", target.as_deref()?, "db", "upgrade"]);
    Some(found("flask-migrate", &argv, folder, &reason, Place::file(env)))
}

/// The file and name of the Flask app or of the function that makes it.
fn flask_app(project: &Project<'_>) -> Option<(String, String)> {
    let apps = super::super::python::apps_of(project.python()).into_iter();
    let (file, app) = apps
        .filter(|(_, app)| app.framework == "flask")
        .min_by_key(|(file, app)| (app.factory, file.path.matches('/').count()))?;
    Some((file.path.clone(), app.name))
}

fn alembic(project: &Project<'_>) -> Option<DatabaseTask> {
    let ini = nearest(project, "alembic.ini")?;
    let versions = |path: &&str| path.contains("versions/") && path.ends_with(".py");
    let any = project.paths().find(versions);
    let reason = match any {
        Some(version) => format!("Alembic is set up here, and {version} is a migration"),
        None => return None,
    };
    Some(found("alembic", &["alembic", "upgrade", "head"], folder_of(ini), &reason, Place::file(ini)))
}

fn django(project: &Project<'_>) -> Option<DatabaseTask> {
    let manage = nearest(project, "manage.py").filter(|path| {
        project.text(path).is_some_and(|text| text.contains("django") || text.contains("DJANGO"))
    })?;
    let argv = ["python", "manage.py", "migrate", "--noinput"];
    Some(found("django", &argv, folder_of(manage), "manage.py is Django's", Place::file(manage)))
}

fn aerich(project: &Project<'_>) -> Option<DatabaseTask> {
    let place = project.python_packages().get("aerich")?;
    let pyproject = nearest(project, "pyproject.toml")
        .filter(|path| project.text(path).is_some_and(|text| text.contains("[tool.aerich]")))?;
    let reason = format!("{} lists aerich, and its settings are here", place.file);
    Some(found("aerich", &["aerich", "upgrade"], folder_of(pyproject), &reason, Place::file(pyproject)))
}

fn prisma(project: &Project<'_>) -> Option<DatabaseTask> {
    let schema = project.paths().find(|path| {
        path.ends_with(".prisma") && project.text(path).is_some_and(|text| text.contains("datasource"))
    })?;
    let folder = folder_of(schema);
    // `prisma/schema.prisma` and `prisma/schema/main.prisma` are both looked for from above.
    let home = match folder.rsplit('/').next() {
        Some("prisma") => folder_of(folder),
        Some("schema") => folder_of(folder_of(folder)),
        _ => folder,
    };
    let has_migrations =
        project.paths().any(|path| path.starts_with(folder) && path.ends_with("/migration.sql"));
    let (argv, reason): (&[&str], &str) = match has_migrations {
        true => (&["prisma", "migrate", "deploy"], "Prisma's migrations lie beside its schema"),
        false => (
            &["prisma", "db", "push", "--skip-generate", "--accept-data-loss"],
            "a Prisma schema without migrations is pushed into the preview's own database",
        ),
    };
    Some(found("prisma", argv, home, reason, Place::file(schema)))
}

fn drizzle(project: &Project<'_>) -> Option<DatabaseTask> {
    let config = ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.mjs"]
        .iter()
        .find_map(|name| nearest(project, name))?;
    let folder = folder_of(config);
    let under = |path: &str| folder.is_empty() || path.starts_with(&format!("{folder}/"));
    let has_migrations = project.paths().any(|path| under(path) && path.ends_with("meta/_journal.json"));
    let (argv, reason): (&[&str], &str) = match has_migrations {
        true => (&["drizzle-kit", "migrate"], "Drizzle's migrations are in the tree"),
        false => (
            &["drizzle-kit", "push", "--force"],
            "a Drizzle schema without migrations is pushed into the preview's own database",
        ),
    };
    Some(found("drizzle", argv, folder, reason, Place::file(config)))
}

fn knex(project: &Project<'_>) -> Option<DatabaseTask> {
    let names = ["knexfile.js", "knexfile.cjs", "knexfile.mjs", "knexfile.ts"];
    let knexfile = names.iter().find_map(|name| nearest(project, name))?;
    let (argv, folder) = (["knex", "migrate:latest"], folder_of(knexfile));
    Some(found("knex", &argv, folder, "Knex is set up here", Place::file(knexfile)))
}

fn sequelize(project: &Project<'_>) -> Option<DatabaseTask> {
    let place = project.node_packages().get("sequelize-cli")?;
    let migration = project.paths().find(|path| {
        folder_of(path).ends_with("migrations") && (path.ends_with(".js") || path.ends_with(".cjs"))
    })?;
    let reason = format!("{} lists sequelize-cli, and {migration} is a migration", place.file);
    Some(found(
        "sequelize",
        &["sequelize", "db:migrate"],
        folder_of(&place.file),
        &reason,
        Place::file(migration),
    ))
}

/// Names scripts of package.json go by.
fn by_script(project: &Project<'_>) -> Option<DatabaseTask> {
    let names = [
        "migrate:deploy",
        "db:migrate:deploy",
        "migration:run",
        "migrations:run",
        "typeorm:migrate",
        "db:migrate",
        "migrate:latest",
        "migrate:up",
        "db:push",
        "migrate",
    ];
    let (folder, name, place) = script(project, &names)?;
    let reason = format!("package.json has a script {name}");
    Some(found("script", &["npm", "run", "--silent", &name], &folder, &reason, place))
}

fn typeorm(project: &Project<'_>) -> Option<DatabaseTask> {
    let place = project.node_packages().get("typeorm")?;
    let folder = folder_of(&place.file);
    let source = project.paths().find(|path| {
        matches!(name_of(path), "data-source.ts" | "data-source.js" | "ormconfig.ts" | "ormconfig.js")
    })?;
    let has_migrations = project.paths().any(|path| {
        folder_of(path).split('/').any(|part| part == "migrations" || part == "migration")
            && !path.ends_with(".sql")
    });
    if !has_migrations {
        return None;
    }
    let inside = source.strip_prefix(folder).unwrap_or(source).trim_start_matches('/');
    let cli = if source.ends_with(".ts") { "typeorm-ts-node-commonjs" } else { "typeorm" };
    let reason = format!("{} lists typeorm, and its migrations are in the tree", place.file);
    Some(found("typeorm", &[cli, "migration:run", "-d", inside], folder, &reason, Place::file(source)))
}

/// `migrations/*.sql`, else one `schema.sql`.
fn plain_sql(project: &Project<'_>) -> Option<DatabaseTask> {
    let names = ["migrations", "sql", "schema", "migration"];
    let folder = project
        .paths()
        .filter(|path| path.ends_with(".sql"))
        .map(folder_of)
        .find(|folder| folder.rsplit('/').next().is_some_and(|name| names.contains(&name)));
    if let Some(folder) = folder {
        let files = sql_files(project, folder);
        let first = files.first().cloned()?;
        let reason = format!("{folder} holds {} files of SQL", files.len());
        return Some(sql(folder, files, &reason, Place::file(&first)));
    }
    let schema = ["schema.sql", "init.sql", "db.sql", "database.sql"]
        .iter()
        .find_map(|name| commands::nearest(project, name))?;
    let reason = "its name says that it makes the tables";
    Some(sql(folder_of(schema), vec![schema.to_owned()], reason, Place::file(schema)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    fn command(files: &[(&str, &str)]) -> Option<(String, String, String)> {
        let files = tree(files);
        let task = project_of(&files, |project| find(project, "/app"))?;
        Some((task.tool, task.command.join(" "), task.working_dir))
    }

    fn expected(tool: &str, command: &str, folder: &str) -> Option<(String, String, String)> {
        Some((tool.to_owned(), command.to_owned(), folder.to_owned()))
    }

    #[test]
    fn every_tool_is_known_by_its_files() {
        let alembic = [("backend/alembic.ini", "[alembic]"), ("backend/alembic/versions/1.py", "")];
        assert_eq!(command(&alembic), expected("alembic", "alembic upgrade head", "/app/backend"));
        assert_eq!(command(&alembic[..1]), None, "without a migration there is nothing to run");
        let django = [("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')")];
        assert_eq!(command(&django), expected("django", "python manage.py migrate --noinput", "/app"));
        let schema = "datasource db {\n provider = \"sqlite\"\n}\n";
        let push = [("prisma/schema.prisma", schema)];
        let deploy = [push[0], ("prisma/migrations/1/migration.sql", "")];
        let pushed = "prisma db push --skip-generate --accept-data-loss";
        assert_eq!(command(&push), expected("prisma", pushed, "/app"));
        assert_eq!(command(&deploy), expected("prisma", "prisma migrate deploy", "/app"));
        assert_eq!(command(&[("api/knexfile.js", "")]), expected("knex", "knex migrate:latest", "/app/api"));
        let sequelize =
            [("package.json", r#"{"devDependencies":{"sequelize-cli":"6"}}"#), ("migrations/1-a.js", "")];
        assert_eq!(command(&sequelize), expected("sequelize", "sequelize db:migrate", "/app"));
        let script = [("package.json", r#"{"scripts":{"db:migrate":"node m.js"}}"#)];
        assert_eq!(command(&script), expected("script", "npm run --silent db:migrate", "/app"));
        let flask = [
            ("requirements.txt", "flask\nFlask-Migrate==4\n"),
            (
                "shop/__init__.py",
                "from flask import Flask\ndef create_app():\n    app = Flask('x')\n    return app\n",
            ),
            ("migrations/env.py", ""),
            ("migrations/alembic.ini", ""),
        ];
        assert_eq!(
            command(&flask),
            expected("flask-migrate", "flask --app shop:create_app db upgrade", "/app")
        );
    }

    #[test]
    fn plain_sql_is_listed_in_order_without_what_undoes_it() {
        let files = tree(&[
            ("db/migrations/2.up.sql", ""),
            ("db/migrations/1.sql", ""),
            ("db/migrations/2.down.sql", ""),
        ]);
        let task = project_of(&files, |project| find(project, "/app")).expect("found");
        assert_eq!(task.files, ["db/migrations/1.sql", "db/migrations/2.up.sql"]);
        assert!(task.command.is_empty());
    }
}
