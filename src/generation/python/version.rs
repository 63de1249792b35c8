//! Which Python an app gets.

use super::lockfiles::python_wanted;
use crate::generation::error::PlanError;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};

/// `3.11`: the metadata's, else what a file asks for if there is an image for it, else the default.
pub fn choose(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Result<String, PlanError> {
    let bases = project.bases;
    if let Some(asked) = &project.metadata.python_version {
        let version = bases.python_version(asked).ok_or_else(|| PlanError::Version {
            field: "metadata.pythonVersion",
            asked: asked.clone(),
            available: bases.python_versions.join(", "),
        })?;
        notes.decide("pythonVersion", &version, Source::Metadata, format!("asked for {asked}"), None);
        return Ok(version);
    }
    let default = bases.default_python().to_owned();
    let Some((file, asked)) = wanted(project, folder) else {
        notes.decide("pythonVersion", &default, Source::Default, "no file asks for another", None);
        return Ok(default);
    };
    let place = Place::file(&file);
    if allows(&asked, &default) {
        notes.decide(
            "pythonVersion",
            &default,
            Source::Detected,
            format!("{asked} allows the default"),
            place,
        );
        return Ok(default);
    }
    let lowest = asked.trim_start_matches(|c: char| !c.is_ascii_digit());
    match bases.python_version(lowest) {
        Some(version) if allows(&asked, &version) => {
            notes.decide("pythonVersion", &version, Source::Detected, format!("{asked} is asked for"), place);
            Ok(version)
        }
        _ => {
            notes.warn(format!("Python {asked} is asked for, but there is no base image for it"), place);
            notes.decide("pythonVersion", &default, Source::Default, "no image for the one asked for", None);
            Ok(default)
        }
    }
}

/// The file that asks for a version, and how.
fn wanted(project: &Project<'_>, folder: &str) -> Option<(String, String)> {
    for folder in [folder, ""] {
        for name in [".python-version", "runtime.txt"] {
            let path = join(folder, name);
            let line = project.text(&path).and_then(|text| text.lines().next()).unwrap_or_default().trim();
            let version = line.strip_prefix("python-").unwrap_or(line);
            if version.starts_with(|c: char| c.is_ascii_digit()) && version.len() <= 20 {
                return Some((path, version.to_owned()));
            }
        }
        let path = join(folder, "pyproject.toml");
        if let Some(wanted) = project.text(&path).and_then(python_wanted).filter(|text| text.len() <= 60) {
            return Some((path, wanted));
        }
    }
    None
}

/// Does a specifier such as `>=3.9,<4`, `^3.11`, `3.11.4` or `3.*` hold for `major.minor`?
/// Parts that cannot be read hold.
pub fn allows(specifier: &str, version: &str) -> bool {
    let Some(ours) = major_minor(version) else { return true };
    specifier.split(',').all(|part| {
        let part = part.trim();
        let digits = part.trim_start_matches(|c: char| !c.is_ascii_digit());
        let operator = part[..part.len() - digits.len()].trim();
        let has_minor = digits.split('.').nth(1).is_some_and(|minor| minor.parse::<u32>().is_ok());
        let Some(theirs) = major_minor(digits) else { return true };
        match operator {
            ">=" => ours >= theirs,
            ">" => ours > theirs || (ours == theirs && digits.matches('.').count() > 1),
            "<=" => ours <= theirs,
            "<" => {
                ours < theirs
                    || (ours == theirs && digits.matches('.').count() > 1 && !digits.ends_with(".0"))
            }
            "^" => ours >= theirs && ours.0 == theirs.0,
            "~=" if digits.matches('.').count() < 2 => ours >= theirs && ours.0 == theirs.0,
            "!=" => true,
            _ if !has_minor => ours.0 == theirs.0,
            _ => ours == theirs,
        }
    })
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    let major = parts.next()?.trim().parse().ok()?;
    let minor = parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn specifiers_are_understood() {
        for good in
            [">=3.9,<4", "^3.10", "3.11", "3.11.4", "3", "==3.*", "~=3.9", "~3.11", ">=3.11.2", "odd", ""]
        {
            assert!(allows(good, "3.11"), "{good}");
        }
        for bad in [">=3.12", "3.12", "<3.11", "^2.7", "==3.10.*", "~3.10", ">3.11"] {
            assert!(!allows(bad, "3.11"), "{bad}");
        }
    }
}
