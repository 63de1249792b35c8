//! Libraries that speak to databases, and how the address has to be written for each.

use super::DatabaseKind;
use crate::generation::project::Project;

/// Libraries and what they speak to; the more telling of two first. An ORM alone tells nothing.
pub const PYTHON_DRIVERS: [(&str, DatabaseKind, &str); 18] = [
    ("asyncpg", DatabaseKind::Postgresql, "postgresql+asyncpg://"),
    ("psycopg", DatabaseKind::Postgresql, "postgresql+psycopg://"),
    ("psycopg-binary", DatabaseKind::Postgresql, "postgresql+psycopg://"),
    ("psycopg2", DatabaseKind::Postgresql, "postgresql://"),
    ("psycopg2-binary", DatabaseKind::Postgresql, "postgresql://"),
    ("pg8000", DatabaseKind::Postgresql, "postgresql+pg8000://"),
    ("aiopg", DatabaseKind::Postgresql, "postgresql://"),
    ("asyncmy", DatabaseKind::Mysql, "mysql+asyncmy://"),
    ("aiomysql", DatabaseKind::Mysql, "mysql+aiomysql://"),
    ("pymysql", DatabaseKind::Mysql, "mysql+pymysql://"),
    ("mysqlclient", DatabaseKind::Mysql, "mysql://"),
    ("mysql-connector-python", DatabaseKind::Mysql, "mysql+mysqlconnector://"),
    ("motor", DatabaseKind::Mongodb, "mongodb://"),
    ("beanie", DatabaseKind::Mongodb, "mongodb://"),
    ("mongoengine", DatabaseKind::Mongodb, "mongodb://"),
    ("flask-pymongo", DatabaseKind::Mongodb, "mongodb://"),
    ("pymongo", DatabaseKind::Mongodb, "mongodb://"),
    ("aiosqlite", DatabaseKind::Sqlite, "sqlite+aiosqlite:///"),
];

pub const NODE_DRIVERS: [(&str, DatabaseKind, &str); 16] = [
    ("pg", DatabaseKind::Postgresql, "postgresql://"),
    ("postgres", DatabaseKind::Postgresql, "postgresql://"),
    ("pg-promise", DatabaseKind::Postgresql, "postgresql://"),
    ("@neondatabase/serverless", DatabaseKind::Postgresql, "postgresql://"),
    ("@vercel/postgres", DatabaseKind::Postgresql, "postgresql://"),
    ("slonik", DatabaseKind::Postgresql, "postgresql://"),
    ("mysql2", DatabaseKind::Mysql, "mysql://"),
    ("mysql", DatabaseKind::Mysql, "mysql://"),
    ("mariadb", DatabaseKind::Mysql, "mariadb://"),
    ("mongoose", DatabaseKind::Mongodb, "mongodb://"),
    ("@nestjs/mongoose", DatabaseKind::Mongodb, "mongodb://"),
    ("mongodb", DatabaseKind::Mongodb, "mongodb://"),
    ("better-sqlite3", DatabaseKind::Sqlite, "file:"),
    ("sqlite3", DatabaseKind::Sqlite, "file:"),
    ("sqlite", DatabaseKind::Sqlite, "file:"),
    ("@libsql/client", DatabaseKind::Sqlite, "file:"),
];

pub const GO_DRIVERS: [(&str, DatabaseKind, &str); 8] = [
    ("github.com/jackc/pgx", DatabaseKind::Postgresql, "postgresql://"),
    ("github.com/lib/pq", DatabaseKind::Postgresql, "postgresql://"),
    ("gorm.io/driver/postgres", DatabaseKind::Postgresql, "postgresql://"),
    ("github.com/go-sql-driver/mysql", DatabaseKind::Mysql, "mysql://"),
    ("gorm.io/driver/mysql", DatabaseKind::Mysql, "mysql://"),
    ("go.mongodb.org/mongo-driver", DatabaseKind::Mongodb, "mongodb://"),
    ("github.com/mattn/go-sqlite3", DatabaseKind::Sqlite, "file:"),
    ("modernc.org/sqlite", DatabaseKind::Sqlite, "file:"),
];

/// `postgresql+asyncpg://` is SQLAlchemy's way of writing; without it the plain form is meant.
pub fn form(project: &Project<'_>, form: &str) -> String {
    const ASYNC: [&str; 4] = ["+asyncpg", "+asyncmy", "+aiomysql", "+aiosqlite"];
    let sqlalchemy = ["sqlalchemy", "sqlmodel", "flask-sqlalchemy"];
    let is_its = sqlalchemy.iter().any(|name| project.python_packages().contains_key(*name))
        && !(ASYNC.iter().any(|driver| form.contains(driver)) && is_driven_otherwise(project));
    match form.split_once('+') {
        Some((dialect, rest)) if !is_its => {
            let slashes = rest.find(':').map_or("://", |at| &rest[at..]);
            format!("{dialect}{slashes}")
        }
        _ => form.to_owned(),
    }
}

/// SQLAlchemy is there without its engine for such drivers: beside `databases`, which brings one
/// to a plain address by itself, beside the driver's own pool, or for migrations alone.
fn is_driven_otherwise(project: &Project<'_>) -> bool {
    const OWN: [&str; 3] = ["async_engine", "AsyncEngine", "sqlalchemy.ext.asyncio"];
    const OTHER: [&str; 4] = ["create_engine(", "engine_from_config", "create_pool(", "asyncpg.connect("];
    let says = |any: &[&str]| {
        let mut texts = project.python().iter().filter_map(|file| project.text(&file.path));
        texts.any(|text| any.iter().any(|word| text.contains(word)))
    };
    !says(&OWN) && (project.python_packages().contains_key("databases") || says(&OTHER))
}
