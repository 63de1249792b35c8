//! Which database the app expects: by its schema file, by its driver, by an address in the code.

use super::drivers::{self, GO_DRIVERS, NODE_DRIVERS, PYTHON_DRIVERS};
use super::variables::of_database;
use super::{ConnectionPart, DatabaseKind, DatabaseNeed, DatabaseVariable, url};
use crate::generation::plan::{EnvRead, Place};
use crate::generation::project::{Project, name_of};

/// What speaks for one kind of database.
struct Evidence {
    kind: DatabaseKind,
    driver: Option<String>,
    form: Option<String>,
    reason: String,
    place: Option<Place>,
    /// Variables the evidence itself names: Prisma's `env("DATABASE_URL")`.
    variables: Vec<(String, Option<Place>)>,
}

pub fn find(project: &Project<'_>, reads: &[EnvRead]) -> Option<DatabaseNeed> {
    let mut variables = of_database(reads);
    let written = url::written(project);
    let evidence = prisma(project)
        .or_else(|| django(project))
        .or_else(|| by_driver(project, false))
        .or_else(|| by_setting(project))
        .or_else(|| by_address(&written))
        .or_else(|| by_driver(project, true))
        .or_else(|| by_sqlite_module(project))
        .or_else(|| by_variable(&variables))?;
    for (name, place) in evidence.variables.iter().rev() {
        add_variable(&mut variables, name, place.as_ref());
    }
    let form = evidence.form.clone().unwrap_or_else(|| form_of(evidence.kind).to_owned());
    let url_form = written_form(&written, evidence.kind, evidence.driver.as_deref()).unwrap_or(form);
    let urls: Vec<&DatabaseVariable> = variables.iter().filter(|v| v.holds == ConnectionPart::Url).collect();
    let required = match urls.is_empty() {
        true => variables.iter().any(|variable| !variable.has_default),
        false => urls.iter().all(|variable| !variable.has_default),
    };
    let (file, line) = evidence.place.map_or((None, None), |place| (Some(place.file), place.line));
    Some(DatabaseNeed {
        kind: evidence.kind,
        driver: evidence.driver,
        url_form,
        variables,
        required,
        reason: evidence.reason,
        file,
        line,
    })
}

fn add_variable(variables: &mut Vec<DatabaseVariable>, name: &str, place: Option<&Place>) {
    if variables.iter().any(|variable| variable.name == name) {
        return;
    }
    let file = place.map(|place| place.file.clone()).unwrap_or_default();
    let line = place.and_then(|place| place.line).unwrap_or(1);
    let (name, holds) = (name.to_owned(), ConnectionPart::Url);
    variables.insert(0, DatabaseVariable { name, holds, file, line, has_default: false });
}

/// `datasource db { provider = "postgresql"  url = env("DATABASE_URL") }`.
fn prisma(project: &Project<'_>) -> Option<Evidence> {
    let path = project.paths().find(|path| path.ends_with(".prisma") && has_datasource(project, path))?;
    let text = project.text(path)?;
    let mut lines =
        text.lines().enumerate().skip_while(|(_, line)| !line.trim_start().starts_with("datasource"));
    let mut kind = None;
    let mut named = Vec::new();
    let (start, _) = lines.next()?;
    for (index, line) in lines.take_while(|(_, line)| !line.trim_start().starts_with('}')).take(50) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let quoted = value.split('"').nth(1).unwrap_or_default();
        match key.trim() {
            "provider" => kind = kind_named(quoted),
            // Past a pool of connections it is the same database.
            "url" | "directUrl" if value.contains("env(") => {
                named.push((quoted.to_owned(), Place::line(path, index + 1)));
            }
            _ => {}
        }
    }
    let kind = kind?;
    if named.is_empty() {
        named.push(("DATABASE_URL".to_owned(), Place::line(path, start + 1)));
    }
    Some(Evidence {
        kind,
        driver: Some("prisma".to_owned()),
        form: Some(if kind == DatabaseKind::Sqlite { "file:" } else { form_of(kind) }.to_owned()),
        reason: format!("the datasource of the Prisma schema is {}", kind.name()),
        place: Place::line(path, start + 1),
        variables: named,
    })
}

fn has_datasource(project: &Project<'_>, path: &str) -> bool {
    project.text(path).is_some_and(|text| text.contains("datasource"))
}

/// `'ENGINE': 'django.db.backends.postgresql'`; the default project's SQLite unless the
/// environment says another.
fn django(project: &Project<'_>) -> Option<Evidence> {
    let settings = project.python().iter().filter(|file| file.path.contains("settings"));
    settings.filter_map(|file| Some((file, project.text(&file.path)?))).find_map(|(file, text)| {
        let (at, _) = text.match_indices("django.db.backends.").next()?;
        let engine: String =
            text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "._".contains(*c)).collect();
        let kind = kind_named(engine.rsplit('.').next()?)?;
        let line = text[..at].matches('\n').count() + 1;
        Some(Evidence {
            kind,
            driver: installed(project, kind),
            form: None,
            reason: format!("DATABASES names {engine}"),
            place: Place::line(&file.path, line),
            variables: Vec::new(),
        })
    })
}

fn installed(project: &Project<'_>, kind: DatabaseKind) -> Option<String> {
    let (name, _, _) = PYTHON_DRIVERS
        .iter()
        .find(|driver| driver.1 == kind && project.python_packages().contains_key(driver.0))?;
    Some((*name).to_owned())
}

/// A library; SQLite's only when asked for, as a file may well be the way to try things.
fn by_driver(project: &Project<'_>, sqlite: bool) -> Option<Evidence> {
    let python = PYTHON_DRIVERS
        .iter()
        .filter_map(|driver| Some((driver, project.python_packages().get(driver.0)?.clone())));
    let node = NODE_DRIVERS
        .iter()
        .filter_map(|driver| Some((driver, project.node_packages().get(driver.0)?.clone())));
    let go = GO_DRIVERS
        .iter()
        .filter_map(|driver| Some((driver, super::commands::go_requires(project, driver.0)?)));
    let (driver, place) =
        python.chain(node).chain(go).find(|((_, kind, _), _)| (*kind == DatabaseKind::Sqlite) == sqlite)?;
    Some(Evidence {
        kind: driver.1,
        driver: Some(driver.0.to_owned()),
        form: Some(drivers::form(project, driver.2)),
        reason: format!("{} is what speaks to it", driver.0),
        place: Some(place),
        variables: Vec::new(),
    })
}

/// `dialect: "postgresql"` of Drizzle, `client: 'pg'` of Knex, `type: 'postgres'` of TypeORM.
fn by_setting(project: &Project<'_>) -> Option<Evidence> {
    let telling = |name: &str| {
        ["drizzle.config.", "knexfile.", "ormconfig.", "data-source.", "app.module.", "database."]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let files = project.paths().filter(|path| telling(name_of(path))).take(50);
    files.filter_map(|path| Some((path, project.text(path)?))).find_map(|(path, text)| {
        text.lines().enumerate().find_map(|(index, line)| {
            let (key, value) = line.split_once(':')?;
            let key = key.trim().trim_matches(['"', '\'']);
            if !matches!(key, "dialect" | "client" | "type") {
                return None;
            }
            let value = value.split(['"', '\'', '`']).nth(1)?;
            Some(Evidence {
                kind: kind_named(value)?,
                driver: None,
                form: None,
                reason: format!("{key} is {value}"),
                place: Place::line(path, index + 1),
                variables: Vec::new(),
            })
        })
    })
}

fn by_address(written: &[url::Written]) -> Option<Evidence> {
    let found = written.iter().find(|written| !written.replaced)?;
    Some(Evidence {
        kind: found.kind,
        driver: None,
        form: Some(found.form.clone()),
        reason: "its address stands here".to_owned(),
        place: found.place.clone(),
        variables: Vec::new(),
    })
}

fn by_sqlite_module(project: &Project<'_>) -> Option<Evidence> {
    project.python().iter().find_map(|file| {
        let import = file.imports.iter().find(|import| import.top() == "sqlite3")?;
        Some(Evidence {
            kind: DatabaseKind::Sqlite,
            driver: Some("sqlite3".to_owned()),
            form: Some("sqlite:///".to_owned()),
            reason: "sqlite3 is imported".to_owned(),
            place: Place::line(&file.path, import.line),
            variables: Vec::new(),
        })
    })
}

/// Nothing but a name such as `MONGO_URI`.
fn by_variable(variables: &[DatabaseVariable]) -> Option<Evidence> {
    let (variable, kind) = variables.iter().find_map(|variable| {
        let name = variable.name.as_str();
        let kind = match name {
            _ if name.contains("MONGO") => DatabaseKind::Mongodb,
            _ if name.contains("MYSQL") || name.contains("MARIADB") => DatabaseKind::Mysql,
            _ if name.contains("POSTGRES") || name.starts_with("PG") => DatabaseKind::Postgresql,
            _ => return None,
        };
        Some((variable, kind))
    })?;
    Some(Evidence {
        kind,
        driver: None,
        form: None,
        reason: format!("{} is read", variable.name),
        place: Place::line(&variable.file, variable.line),
        variables: Vec::new(),
    })
}

/// The form an address of this kind has in the code, unless the code changes it by itself, from
/// the plain one.
fn written_form(written: &[url::Written], kind: DatabaseKind, driver: Option<&str>) -> Option<String> {
    if driver == Some("prisma") {
        return None;
    }
    let of_kind = || written.iter().filter(|written| written.kind == kind);
    if of_kind().any(|written| written.replaced) {
        return Some(form_of(kind).to_owned());
    }
    // A preview's server has an address, not a name whose records say where it is.
    let plain = |written: &url::Written| written.form.replace("mongodb+srv", "mongodb");
    of_kind().map(plain).max_by_key(String::len)
}

fn kind_named(name: &str) -> Option<DatabaseKind> {
    Some(match name {
        "postgresql" | "postgres" | "pg" | "postgis" | "cockroachdb" | "cockroach" => {
            DatabaseKind::Postgresql
        }
        "mysql" | "mysql2" | "mariadb" => DatabaseKind::Mysql,
        "mongodb" | "mongo" | "djongo" => DatabaseKind::Mongodb,
        "sqlite" | "sqlite3" | "better-sqlite3" | "spatialite" | "turso" => DatabaseKind::Sqlite,
        _ => return None,
    })
}

fn form_of(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Sqlite => "sqlite:///",
        DatabaseKind::Postgresql => "postgresql://",
        DatabaseKind::Mysql => "mysql://",
        DatabaseKind::Mongodb => "mongodb://",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::{project_of, tree};

    /// Kind, driver, form of the URL, names of variables, whether they are required.
    type Found = (DatabaseKind, Option<String>, String, Vec<String>, bool);

    fn need(files: &[(&str, &str)]) -> Option<Found> {
        let files = tree(files);
        project_of(&files, |project| {
            let reads = project.environment_read();
            let need = find(project, &reads)?;
            let names = need.variables.into_iter().map(|variable| variable.name).collect();
            Some((need.kind, need.driver, need.url_form, names, need.required))
        })
    }

    fn expected(
        kind: DatabaseKind,
        driver: &str,
        form: &str,
        names: &[&str],
        required: bool,
    ) -> Option<Found> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let driver = Some(driver.to_owned()).filter(|driver| !driver.is_empty());
        Some((kind, driver, form.to_owned(), names, required))
    }

    #[test]
    fn python_says_it_by_driver_and_address() {
        let asyncpg = need(&[
            ("requirements.txt", "fastapi\nsqlalchemy\nasyncpg\n"),
            ("db.py", "import os\nURL = os.environ['DATABASE_URL']\n"),
        ]);
        let form = "postgresql+asyncpg://";
        assert_eq!(asyncpg, expected(DatabaseKind::Postgresql, "asyncpg", form, &["DATABASE_URL"], true));
        let replaced = need(&[
            ("requirements.txt", "sqlalchemy\nasyncpg\n"),
            (
                "db.py",
                "import os\nURL = os.environ['DATABASE_URL'].replace('postgresql://', 'postgresql+asyncpg://')\n",
            ),
        ]);
        assert_eq!(replaced.map(|need| need.2).as_deref(), Some("postgresql://"));
        let sqlite = need(&[("db.py", "import os\nURL = os.getenv('DATABASE_URL', 'sqlite:///./a.db')\n")]);
        assert_eq!(sqlite, expected(DatabaseKind::Sqlite, "", "sqlite:///", &["DATABASE_URL"], false));
        let plain = need(&[("requirements.txt", "asyncpg\n"), ("a.py", "import asyncpg\n")]);
        assert_eq!(plain.map(|need| need.2).as_deref(), Some("postgresql://"));
        let form_of = |packages: &str, code: &str| {
            let found = need(&[("requirements.txt", packages), ("db.py", code)]);
            found.map(|need| need.2).expect("a database")
        };
        let sync = "from sqlalchemy import create_engine\nengine = create_engine(URL)\n";
        assert_eq!(
            form_of("sqlalchemy\nasyncpg\ndatabases[postgresql]\n", "import databases\n"),
            "postgresql://"
        );
        assert_eq!(form_of("sqlalchemy\nasyncpg\npsycopg2-binary\n", sync), "postgresql://");
        let own =
            "from sqlalchemy.ext.asyncio import create_async_engine\nengine = create_async_engine(URL)\n";
        assert_eq!(form_of("sqlalchemy\nasyncpg\npsycopg2-binary\n", own), form);
        let cloud = need(&[(
            "db.py",
            "import os\nURL = os.getenv('MONGODB_URI', 'mongodb+srv://u:p@c.example/x')\n",
        )]);
        assert_eq!(cloud.map(|need| need.2).as_deref(), Some("mongodb://"));
        let mongo = need(&[("main.py", "import os\nx = os.environ['MONGO_URI']\n")]);
        assert_eq!(mongo.map(|need| need.0), Some(DatabaseKind::Mongodb));
        assert_eq!(need(&[("main.py", "print(1)\n")]), None);
    }

    #[test]
    fn django_says_it_by_its_settings() {
        let settings = "import os\nDATABASES = {'default': {\n 'ENGINE': 'django.db.backends.postgresql',\n 'HOST': os.environ.get('DB_HOST', 'x'), 'PASSWORD': os.environ['DB_PASSWORD']}}\n";
        let found = need(&[("site/settings.py", settings), ("requirements.txt", "psycopg2-binary\n")]);
        let names = ["DB_HOST", "DB_PASSWORD"];
        assert_eq!(
            found,
            expected(DatabaseKind::Postgresql, "psycopg2-binary", "postgresql://", &names, true)
        );
    }

    #[test]
    fn node_says_it_by_schema_setting_and_driver() {
        let www = "#!/usr/bin/env node\nmongoose.connect(process.env.MONGODB_URI || 'mongodb+srv://u:p@c.example/x');\n";
        let generated =
            need(&[("package.json", r#"{"dependencies":{"mongoose":"8.0.0"}}"#), ("bin/www", www)]);
        let names = ["MONGODB_URI"];
        assert_eq!(generated, expected(DatabaseKind::Mongodb, "mongoose", "mongodb://", &names, false));
        let schema = "generator client {\n}\ndatasource db {\n  provider = \"mysql\"\n  url      = env(\"DB_URL\")\n}\n";
        let prisma = need(&[("prisma/schema.prisma", schema), ("package.json", "{}")]);
        assert_eq!(prisma, expected(DatabaseKind::Mysql, "prisma", "mysql://", &["DB_URL"], true));
        let pooled = schema.replace("env(\"DB_URL\")", "env(\"DB_URL\")\n  directUrl = env(\"DIRECT_URL\")");
        let names = need(&[("prisma/schema.prisma", &pooled)]).map(|need| need.3);
        assert_eq!(names, Some(vec!["DB_URL".to_owned(), "DIRECT_URL".to_owned()]));
        let mongoose = need(&[
            ("package.json", r#"{"dependencies":{"mongoose":"8"}}"#),
            ("a.js", "connect(process.env.MONGODB_URI || 'mongodb://localhost/x')"),
        ]);
        assert_eq!(
            mongoose,
            expected(DatabaseKind::Mongodb, "mongoose", "mongodb://", &["MONGODB_URI"], false)
        );
        let drizzle = need(&[("drizzle.config.ts", "export default {\n  dialect: 'sqlite',\n}\n")]);
        assert_eq!(drizzle.map(|need| need.0), Some(DatabaseKind::Sqlite));
    }
}
