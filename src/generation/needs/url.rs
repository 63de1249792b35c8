//! Addresses of databases written into source and configuration.

use super::DatabaseKind;
use crate::generation::plan::Place;
use crate::generation::project::{Project, is_javascript, is_python, name_of};

/// The beginning of such an address and where it stands.
pub struct Written {
    pub kind: DatabaseKind,
    /// `postgresql+asyncpg://`.
    pub form: String,
    pub place: Option<Place>,
    /// It only stands there to be replaced by another form.
    pub replaced: bool,
}

const SCHEMES: [(&str, DatabaseKind); 7] = [
    ("postgresql", DatabaseKind::Postgresql),
    ("postgres", DatabaseKind::Postgresql),
    ("mysql", DatabaseKind::Mysql),
    ("mariadb", DatabaseKind::Mysql),
    ("mongodb", DatabaseKind::Mongodb),
    ("sqlite3", DatabaseKind::Sqlite),
    ("sqlite", DatabaseKind::Sqlite),
];

/// Every such address in Python, JavaScript and a few kinds of settings.
pub fn written(project: &Project<'_>) -> Vec<Written> {
    let telling = |path: &str| {
        is_python(path)
            || is_javascript(path)
            || path.ends_with(".go")
            || matches!(name_of(path), "alembic.ini" | ".env.example" | ".env.sample" | "settings.toml")
    };
    let mut found = Vec::new();
    for path in project.paths().filter(|path| telling(path)).take(2000) {
        let Some(text) = project.text(path).filter(|text| text.contains("://")) else { continue };
        for (index, line) in text.lines().enumerate() {
            if found.len() >= 100 || line.len() > 2000 {
                continue;
            }
            found.extend(in_line(line).map(|(kind, form)| Written {
                kind,
                form,
                place: Place::line(path, index + 1),
                replaced: line.contains("replace(")
                    || line.contains("startswith(")
                    || line.contains("startsWith("),
            }));
        }
    }
    found
}

fn in_line(line: &str) -> Option<(DatabaseKind, String)> {
    let code = line.trim_start();
    if code.starts_with("//") || (code.starts_with('#') && !code.contains('=')) {
        return None;
    }
    line.match_indices("://").find_map(|(at, _)| {
        let before = &line[..at];
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '_';
        let start = before
            .rfind(|c| !is_part(c))
            .map_or(0, |index| index + before[index..].chars().next().map_or(1, char::len_utf8));
        let scheme = &before[start..];
        let dialect = scheme.split('+').next().unwrap_or_default();
        let (_, kind) = SCHEMES.iter().find(|(name, _)| *name == dialect)?;
        let slash = if *kind == DatabaseKind::Sqlite { "/" } else { "" };
        Some((*kind, format!("{scheme}://{slash}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_lines() {
        let form = |line| in_line(line).map(|(_, form)| form);
        assert_eq!(form("URL = 'postgresql+asyncpg://u:p@h/db'").as_deref(), Some("postgresql+asyncpg://"));
        assert_eq!(form("os.getenv('X', \"sqlite:///./a.db\")").as_deref(), Some("sqlite:///"));
        assert_eq!(form("é'mongodb+srv://x'").as_deref(), Some("mongodb+srv://"));
        assert_eq!(form("fetch('https://x/postgres')"), None);
        assert_eq!(form("# mysql://x"), None);
        assert_eq!(form("// mysql://x"), None);
    }
}
