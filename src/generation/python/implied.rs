//! Packages that are needed and never imported: a library loads them by itself once something in
//! the code asks for what they do.

use super::scan::PyFile;
use crate::generation::project::Project;

pub struct Implied {
    pub package: &'static str,
    pub file: String,
    pub line: usize,
}

/// What a file says, beside what it imports, and the package that then has to be there.
struct Rule {
    /// One of these is imported by the file; any file will do when there is none.
    imports: &'static [&'static str],
    /// On one line, all of them.
    says: &'static [&'static str],
    package: &'static str,
    /// With one of these the need is met as well.
    or: &'static [&'static str],
}

const fn rule(
    imports: &'static [&'static str],
    says: &'static [&'static str],
    package: &'static str,
    or: &'static [&'static str],
) -> Rule {
    Rule { imports, says, package, or }
}

const POSTGRESQL: &[&str] = &["psycopg2", "psycopg2-binary", "psycopg", "asyncpg", "pg8000", "databases"];
const SQLALCHEMY: &[&str] = &["sqlalchemy", "flask_sqlalchemy", "sqlmodel"];

const RULES: [Rule; 17] = [
    rule(&[], &["sqlite+aiosqlite://"], "aiosqlite", &[]),
    rule(&[], &["postgresql+asyncpg://"], "asyncpg", &[]),
    rule(&[], &["postgresql+psycopg2://"], "psycopg2-binary", &["psycopg2"]),
    rule(&[], &["postgresql+psycopg://"], "psycopg[binary]", &["psycopg"]),
    rule(SQLALCHEMY, &["postgresql://"], "psycopg2-binary", POSTGRESQL),
    rule(&[], &["mysql+pymysql://"], "PyMySQL", &[]),
    rule(&[], &["mysql+aiomysql://"], "aiomysql", &[]),
    rule(&["flask_socketio", "socketio"], &["async_mode", "eventlet"], "eventlet", &[]),
    rule(&["flask_socketio", "socketio"], &["async_mode", "gevent"], "gevent-websocket", &[]),
    rule(&["pandas"], &["read_excel("], "openpyxl", &["xlrd", "calamine"]),
    rule(&["pandas"], &["to_excel("], "openpyxl", &["xlsxwriter"]),
    rule(&["pandas"], &["read_parquet("], "pyarrow", &["fastparquet"]),
    rule(&["pandas"], &["read_html("], "lxml", &["html5lib"]),
    rule(&["bs4"], &["BeautifulSoup(", "lxml"], "lxml", &[]),
    rule(&["bs4"], &["BeautifulSoup(", "html5lib"], "html5lib", &[]),
    rule(&["celery"], &["redis://"], "redis", &[]),
    rule(&["passlib"], &["CryptContext(", "argon2"], "argon2-cffi", &[]),
];

/// Those that are not there yet, each once.
pub fn find(project: &Project<'_>, has: impl Fn(&str) -> bool) -> Vec<Implied> {
    let mut found: Vec<Implied> = Vec::new();
    for rule in &RULES {
        let is_met = has(rule.package) || rule.or.iter().any(|other| has(other));
        if is_met || found.iter().any(|implied| implied.package == rule.package) {
            continue;
        }
        let first = project.python().iter().find_map(|file| Some((file, line_of(project, file, rule)?)));
        if let Some((file, line)) = first {
            found.push(Implied { package: rule.package, file: file.path.clone(), line });
        }
    }
    found
}

fn line_of(project: &Project<'_>, file: &PyFile, rule: &Rule) -> Option<usize> {
    let imports = |package: &&str| file.imports.iter().any(|import| import.top() == *package);
    if !rule.imports.is_empty() && !rule.imports.iter().any(imports) {
        return None;
    }
    let text = project.text(&file.path)?;
    if !rule.says.iter().all(|word| text.contains(word)) {
        return None;
    }
    let says = |line: &str| {
        let code = line.trim_start();
        !code.starts_with('#')
            && rule.says.iter().all(|word| line.contains(word))
            // `url.replace("postgres://", "postgresql://")` is no address.
            && !line.contains("replace(")
            && !line.contains("startswith(")
    };
    Some(text.lines().position(says)? + 1)
}
