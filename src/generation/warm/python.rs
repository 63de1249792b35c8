//! Which modules of which packages are loaded ahead.
//!
//! Loading one must do nothing but load: no thread, no connection, nothing that depends on the
//! app. So only packages that are known for that are in the list, and of them only what the source
//! itself imports, and what the server that starts it imports.

use std::collections::BTreeSet;

use super::ORDER;
use crate::domain::Mode;
use crate::generation::frameworks::Outline;
use crate::generation::needs::DatabaseNeed;
use crate::generation::project::Project;
use crate::generation::python::normalized;

/// Packages whose modules may be loaded ahead, by the name they are imported by.
const HARMLESS: [&str; 41] = [
    "aiofiles",
    "aiosqlite",
    "alembic",
    "anyio",
    "asyncpg",
    "bcrypt",
    "blinker",
    "click",
    "cryptography",
    "dateutil",
    "dotenv",
    "email_validator",
    "fastapi",
    "flask",
    "flask_cors",
    "flask_login",
    "flask_migrate",
    "flask_sqlalchemy",
    "gunicorn",
    "httpx",
    "itsdangerous",
    "jinja2",
    "jose",
    "jwt",
    "markupsafe",
    "multipart",
    "orjson",
    "passlib",
    "psycopg",
    "psycopg2",
    "pydantic",
    "pydantic_settings",
    "pymysql",
    "requests",
    "sqlalchemy",
    "sqlmodel",
    "starlette",
    "uvicorn",
    "werkzeug",
    "wtforms",
    "yaml",
];

/// Of Django, what needs no settings to be loaded.
const DJANGO: [&str; 9] = [
    "django",
    "django.conf",
    "django.core.management",
    "django.core.wsgi",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.shortcuts",
    "django.urls",
];

/// Packages that change what other modules do, so that it matters which are loaded first.
const MEDDLING: [&str; 8] = [
    "beartype",
    "ddtrace",
    "eventlet",
    "gevent",
    "newrelic",
    "opentelemetry-distro",
    "scout-apm",
    "typeguard",
];

/// What a server loads once it is told what to serve.
const SERVERS: [(&str, &[&str]); 3] = [
    (
        "uvicorn",
        &[
            "uvicorn.main",
            "uvicorn.lifespan.on",
            "uvicorn.loops.asyncio",
            "uvicorn.loops.auto",
            "uvicorn.protocols.http.auto",
            "uvicorn.protocols.websockets.auto",
            "uvicorn.middleware.proxy_headers",
            "anyio._backends._asyncio",
        ],
    ),
    ("gunicorn", &["gunicorn.app.wsgiapp", "gunicorn.arbiter", "gunicorn.workers.gthread"]),
    ("flask", &["flask.cli", "werkzeug.serving"]),
];

/// What packages load once they are used.
const USED: [(&str, &[&str]); 1] = [("fastapi", &["fastapi.telemetry._runtime", "pydantic.v1"])];

/// What SQLAlchemy loads for a driver.
const DIALECTS: [(&str, &str); 5] = [
    ("aiosqlite", "sqlalchemy.dialects.sqlite.aiosqlite"),
    ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"),
    ("psycopg", "sqlalchemy.dialects.postgresql.psycopg"),
    ("psycopg2", "sqlalchemy.dialects.postgresql.psycopg2"),
    ("pymysql", "sqlalchemy.dialects.mysql.pymysql"),
];

/// The first Python in which the first Pydantic says that it does not work when it is loaded.
const WITHOUT_PYDANTIC_1: u32 = 14;

/// Dotted names, in the order they are to be loaded in; none where a fresh start is as good.
pub fn worth_loading(
    project: &Project<'_>,
    outline: &Outline,
    database: Option<&DatabaseNeed>,
) -> Vec<String> {
    let Some(start) = outline.start.as_ref().filter(|_| project.mode() == Mode::Run) else {
        return Vec::new();
    };
    let packages = project.python_packages();
    let meddles = packages.keys().any(|package| MEDDLING.contains(&normalized(package).as_str()));
    if meddles || project.text(ORDER).is_some() || is_customized(project) {
        return Vec::new();
    }
    let imports =
        || project.python().iter().flat_map(|file| &file.imports).filter(|import| import.level == 0);
    let program = start.first().map(String::as_str).unwrap_or_default();
    let runs = |server: &str| {
        program == server
            || start.iter().any(|word| word == server)
            || imports().any(|import| import.top() == server)
    };
    let servers = SERVERS.iter().filter(|(server, _)| runs(server)).flat_map(|(_, modules)| *modules);
    let mut found: BTreeSet<&str> = servers.copied().collect();
    let harmless = imports().filter(|import| !import.optional && HARMLESS.contains(&import.top()));
    found.extend(harmless.map(|import| import.module.as_str()));
    if imports().any(|import| import.top() == "django") {
        found.extend(DJANGO);
    }
    let version = outline.runtime_version.as_deref().and_then(|version| version.strip_prefix("3."));
    let is_new = version.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|m| m >= WITHOUT_PYDANTIC_1);
    for (package, modules) in USED {
        if imports().any(|import| import.top() == package) {
            found.extend(modules.iter().filter(|module| !is_new || **module != "pydantic.v1"));
        }
    }
    let sqlalchemy = found.iter().any(|module| module.starts_with("sqlalchemy") || *module == "sqlmodel");
    let mut modules: Vec<String> = found.into_iter().map(str::to_owned).collect();
    // It loads the driver that the URL names, and its own part for that.
    if let Some(driver) = database.and_then(|need| need.driver.as_deref()).filter(|_| sqlalchemy) {
        let driver = driver.trim_end_matches("-binary").split('[').next().unwrap_or_default();
        if let Some((name, dialect)) = DIALECTS.iter().find(|(name, _)| *name == driver) {
            modules.extend([*name, *dialect].map(str::to_owned));
        }
    }
    modules
}

/// Of what is worth loading, what an app has loaded by the time it serves. FastAPI looks for models of
/// the first Pydantic where it finds models, and loads it for that.
pub fn loaded_at_start(modules: &[String]) -> impl Iterator<Item = &String> {
    let has_models = modules.iter().any(|module| module == "pydantic");
    modules.iter().filter(move |module| has_models || *module != "pydantic.v1")
}

/// The interpreter itself would load a module of the app's, whatever it is started for.
fn is_customized(project: &Project<'_>) -> bool {
    const LOADED_FIRST: [&str; 2] = ["sitecustomize", "usercustomize"];
    let mut names = project.python().iter().flat_map(|file| file.path.split('/'));
    names.any(|name| LOADED_FIRST.contains(&name.trim_end_matches(".py")))
}
