//! Which Node an app gets.

use super::package::Package;
use crate::generation::error::PlanError;
use crate::generation::plan::{Notes, Place, Source};
use crate::generation::project::{Project, join};

/// `20`: the metadata's, else what a file asks for if there is an image for it, else the default.
pub fn choose(project: &Project<'_>, folder: &str, notes: &mut Notes) -> Result<String, PlanError> {
    let bases = project.bases;
    if let Some(asked) = &project.metadata.node_version {
        let version = bases.node_version(asked).ok_or_else(|| PlanError::Version {
            field: "metadata.nodeVersion",
            asked: asked.clone(),
            available: bases.node_versions.join(", "),
        })?;
        notes.decide("nodeVersion", &version, Source::Metadata, format!("asked for {asked}"), None);
        return Ok(version);
    }
    let default = bases.default_node().to_owned();
    let Some((file, asked)) = wanted(project, folder) else {
        notes.decide("nodeVersion", &default, Source::Default, "no file asks for another", None);
        return Ok(default);
    };
    let place = Place::file(&file);
    if allows(&asked, &default) {
        notes.decide("nodeVersion", &default, Source::Detected, format!("{asked} allows the default"), place);
        return Ok(default);
    }
    match majors(&asked).iter().find_map(|(_, major)| bases.node_version(&major.to_string())) {
        Some(version) => {
            notes.decide("nodeVersion", &version, Source::Detected, format!("{asked} is asked for"), place);
            Ok(version)
        }
        None => {
            notes.warn(format!("Node {asked} is asked for, but there is no base image for it"), place);
            notes.decide("nodeVersion", &default, Source::Default, "no image for the one asked for", None);
            Ok(default)
        }
    }
}

fn wanted(project: &Project<'_>, folder: &str) -> Option<(String, String)> {
    for name in [".nvmrc", ".node-version"] {
        let path = join(folder, name);
        let line = project.text(&path).and_then(|text| text.lines().next()).unwrap_or_default().trim();
        if line.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()) && line.len() <= 20 {
            return Some((path, line.to_owned()));
        }
    }
    let package: &Package = project.package()?;
    let wanted = package.node_wanted.clone().filter(|text| text.len() <= 60)?;
    Some((package.path.clone(), wanted))
}

/// The major versions a range names, with the operator in front of each.
fn majors(range: &str) -> Vec<(&str, u32)> {
    let mut found = Vec::new();
    // `>= 18` is `>=18`.
    let mut before = "";
    for part in range.split([' ', '|', ',']).filter(|part| !part.is_empty()) {
        let digits = part.trim_start_matches(|c: char| !c.is_ascii_digit());
        let own = part[..part.len() - digits.len()].trim_end_matches('v');
        let operator = if own.is_empty() { before } else { own };
        before = if digits.is_empty() { own } else { "" };
        if let Ok(major) = digits.split('.').next().unwrap_or_default().parse() {
            found.push((operator, major));
        }
    }
    found
}

/// Whether a range such as `>=18`, `18 || 20`, `^20.1` holds for a major version.
fn allows(range: &str, version: &str) -> bool {
    let Ok(ours) = version.parse::<u32>() else { return true };
    let alternatives = range.split("||");
    alternatives.into_iter().any(|alternative| {
        let parts = majors(alternative);
        parts.iter().all(|(operator, theirs)| match *operator {
            ">=" => ours >= *theirs,
            ">" => ours >= *theirs,
            "<=" => ours <= *theirs,
            "<" => ours < *theirs,
            _ => ours == *theirs,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn ranges_are_understood() {
        for good in
            [">=18", "18 || 20", "^20.1", "20.x", "v20.11.0", ">=18 <22", ">= 18", ">= 7.6 < 22", "*", "lts"]
        {
            assert!(allows(good, "20"), "{good}");
        }
        for bad in [">=22", "18", "^16", "<20", "16 || 18", "< 20"] {
            assert!(!allows(bad, "20"), "{bad}");
        }
    }
}
