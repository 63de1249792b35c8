//! uv's words.

use super::Trouble;
use crate::generation::python::requirement_names;

/// uv breaks its sentences where the terminal would end; they are read as one.
pub fn read(lines: &[&str]) -> Option<Trouble> {
    if let Some(at) = lines.iter().position(|line| line.contains("Couldn't parse requirement")) {
        return not_a_requirement(&lines[at + 1..]);
    }
    let marks: &[char] = &['│', '╰', '─', '▶', '×', '├', ' '];
    let words: Vec<&str> = lines.iter().map(|line| line.trim_start_matches(marks)).collect();
    let text = words.join(" ");
    let (_, said) = text.split_once("Because ").or_else(|| text.split_once("because "))?;
    no_package(said).or_else(|| no_version(said)).or_else(|| conflict(said))
}

fn not_a_requirement(lines: &[&str]) -> Option<Trouble> {
    let reason = lines.first()?.trim_start_matches("cause: ");
    let line = lines.get(1)?;
    Some(Trouble::NotARequirement { line: (*line).to_owned(), reason: reason.to_owned() })
}

fn no_package(said: &str) -> Option<Trouble> {
    let (before, _) = said.split_once(" was not found in the package registry")?;
    let name = before.rsplit(' ').next().filter(|name| !name.is_empty())?;
    Some(Trouble::NoPackage { name: name.to_owned() })
}

fn no_version(said: &str) -> Option<Trouble> {
    if let Some((_, rest)) = said.split_once("there is no version of ") {
        let (name, asked) = split(rest.split(' ').next()?)?;
        return Some(Trouble::NoVersion { name, asked: plain(&asked), there: None });
    }
    let (_, rest) = said.split_once("only ")?;
    let (available, rest) = rest.split_once(" is available")?;
    let (name, there) = split(available)?;
    let (_, rest) = rest.split_once("you require ")?;
    let (other, asked) = split(rest.split([' ', ',']).next()?)?;
    (other == name).then_some(Trouble::NoVersion { name, asked, there: Some(plain(&there)) })
}

fn conflict(said: &str) -> Option<Trouble> {
    if let Some((one, rest)) = said.split_once(" depends on ") {
        let one = one.rsplit(' ').next()?;
        let (needed, rest) = rest.split_once(" and you require ")?;
        let (name, _) = split(needed)?;
        // The last word on the same package is what is asked for besides.
        let asked = rest
            .rsplit("you require ")
            .map(|rest| rest.split(' ').next().unwrap_or_default().trim_end_matches(['.', ',']))
            .find(|asked| split(asked).is_some_and(|(other, _)| other == name) && *asked != needed)?;
        let names = vec![split(one).map_or_else(|| one.to_owned(), |(name, _)| name), name];
        return Some(Trouble::Conflict {
            words: format!("{one} needs {needed}, and {asked} is asked for"),
            names,
        });
    }
    let (_, rest) = said.split_once("you require ")?;
    let (one, rest) = rest.split_once(" and ")?;
    let other = rest.split(' ').next()?.trim_end_matches(',');
    let ((name, _), (same, _)) = (split(one)?, split(other)?);
    (name == same).then(|| Trouble::Conflict {
        words: format!("{one} and {other} are both asked for"),
        names: vec![name],
    })
}

/// `flask>=99` is `flask` and `>=99`.
fn split(requirement: &str) -> Option<(String, String)> {
    let name = requirement_names(requirement).into_iter().next()?;
    let at = requirement.find(['=', '<', '>', '!', '~'])?;
    Some((name, requirement[at..].to_owned()))
}

/// `==9.9.9` is `9.9.9`.
fn plain(asked: &str) -> String {
    asked.strip_prefix("==").unwrap_or(asked).to_owned()
}
