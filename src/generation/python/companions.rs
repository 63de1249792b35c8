//! Packages that take any version of another and break with its newest: what was written, and
//! ran, when the other was older.

use std::collections::BTreeMap;

use super::dependencies::{Dependencies, Kind};
use super::requirements::names_in;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::Project;

struct Pair {
    package: &'static str,
    /// Versions from this one on know the other's newest; none does yet.
    mended_in: Option<[u32; 3]>,
    companion: &'static str,
    limit: &'static str,
    why: &'static str,
}

const fn pair(
    package: &'static str,
    mended_in: Option<[u32; 3]>,
    companion: &'static str,
    limit: &'static str,
    why: &'static str,
) -> Pair {
    Pair { package, mended_in, companion, limit, why }
}

const PAIRS: [Pair; 9] = [
    pair("flask", Some([2, 3, 0]), "werkzeug", "<3", "it imports url_quote, which Werkzeug 3 has no more"),
    pair("flask", Some([2, 0, 0]), "jinja2", "<3.1", "it imports escape, which Jinja 3.1 has no more"),
    pair("flask", Some([2, 0, 0]), "itsdangerous", "<2.1", "it imports json from it, which 2.1 has no more"),
    pair("flask-sqlalchemy", Some([3, 0, 0]), "sqlalchemy", "<2", "it was written for SQLAlchemy 1"),
    pair("passlib[bcrypt]", None, "bcrypt", "<5", "what it tries bcrypt with, bcrypt 5 refuses"),
    pair("pandas", Some([2, 2, 2]), "numpy", "<2", "it was compiled for NumPy 1"),
    pair("opencv-python", Some([4, 10, 0]), "numpy", "<2", "it was compiled for NumPy 1"),
    pair("opencv-python-headless", Some([4, 10, 0]), "numpy", "<2", "it was compiled for NumPy 1"),
    pair("openai", Some([1, 55, 3]), "httpx", "<0.28", "it passes proxies, which httpx 0.28 takes no more"),
];

/// Requirements to be added, such as `werkzeug<3`: for pinned packages whose companion nothing
/// pins.
pub fn find(project: &Project<'_>, dependencies: &Dependencies, notes: &mut Notes) -> Vec<String> {
    if matches!(dependencies.kind, Kind::UvLock { .. }) {
        return Vec::new();
    }
    let mut asked = asked(project, dependencies);
    let may_be_there = asked.contains_key("passlib") || dependencies.kind == Kind::Undeclared;
    if may_be_there && tries_bcrypt(project) {
        asked.entry("passlib[bcrypt]".to_owned()).or_default();
    }
    let mut added = Vec::new();
    for pair in &PAIRS {
        let Some(spec) = asked.get(pair.package) else { continue };
        let is_old = match pair.mended_in {
            Some(mended_in) => pinned(spec).is_some_and(|version| version < mended_in),
            None => true,
        };
        let is_pinned = asked.get(pair.companion).is_some_and(|spec| !spec.is_empty());
        if !is_old || is_pinned {
            continue;
        }
        let requirement = format!("{}{}", pair.companion, pair.limit);
        if added.contains(&requirement) {
            continue;
        }
        let reason = format!("{}{spec}: {}", pair.package, pair.why);
        let place = dependencies.file.as_deref().and_then(Place::file);
        notes.decide("package", &requirement, Source::Default, reason, place);
        added.push(requirement);
    }
    added
}

/// `CryptContext(schemes=["bcrypt"])` of passlib.
fn tries_bcrypt(project: &Project<'_>) -> bool {
    let mut lines = project.python().iter().filter_map(|file| project.text(&file.path)).flat_map(str::lines);
    lines.any(|line| line.contains("CryptContext(") && line.contains("bcrypt"))
}

/// What is asked for by name, and which version of it.
fn asked(project: &Project<'_>, dependencies: &Dependencies) -> BTreeMap<String, String> {
    let mut asked: BTreeMap<String, String> =
        dependencies.names.iter().map(|name| (name.clone(), String::new())).collect();
    let lines: Vec<&str> = match &dependencies.kind {
        Kind::Files { files } => {
            files.iter().filter_map(|file| project.text(file)).flat_map(str::lines).collect()
        }
        Kind::Written { requirements } => requirements.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    for line in lines {
        let line = line.split([';', '#']).next().unwrap_or_default().trim();
        let spec = line.find(['=', '<', '>', '~', '!']).map_or("", |at| &line[at..]);
        for name in names_in(line) {
            asked.insert(name, spec.trim().to_owned());
        }
    }
    asked
}

/// The version of `==2.2.3`, `~=2.2` or `<=2.2`.
fn pinned(spec: &str) -> Option<[u32; 3]> {
    let digits = ["==", "~=", "<="].iter().find_map(|sign| spec.strip_prefix(sign))?.trim();
    let mut version = [0; 3];
    for (at, part) in digits.split('.').take(3).enumerate() {
        let number: String = part.chars().take_while(char::is_ascii_digit).collect();
        version[at] = if number.is_empty() && at > 0 { 0 } else { number.parse().ok()? };
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (spec, version) in [
            ("==2.2.3", Some([2, 2, 3])),
            ("==1.5", Some([1, 5, 0])),
            ("~=2.0rc1", Some([2, 0, 0])),
            ("== 4.10.0.84", Some([4, 10, 0])),
            ("==2.*", Some([2, 0, 0])),
            (">=2.0", None),
            ("", None),
            ("==x", None),
        ] {
            assert_eq!(pinned(spec), version, "{spec}");
        }
    }
}
