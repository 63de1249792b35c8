//! The words of npm, pnpm, yarn and bun.

use super::Trouble;

pub fn read(lines: &[&str]) -> Option<Trouble> {
    // The version before the package: bun says of both that they failed to resolve.
    lines
        .iter()
        .find_map(|line| no_version(line, lines))
        .or_else(|| lines.iter().find_map(|line| no_package(line)))
}

fn no_version(line: &str, lines: &[&str]) -> Option<Trouble> {
    if let Some((_, rest)) = line.split_once("No matching version found for ") {
        let words = rest.split_whitespace().next()?.trim_end_matches('.');
        let (name, asked) = split(words)?;
        let latest = format!("The latest release of {name} is ");
        let there = lines.iter().find_map(|line| quoted(line.strip_prefix(latest.as_str())?));
        return Some(Trouble::NoVersion { name, asked, there });
    }
    if let Some((before, _)) = line.split_once(": No candidates found") {
        let (name, asked) = split(before.rsplit(' ').next()?)?;
        return Some(Trouble::NoVersion {
            name,
            asked: asked.trim_start_matches("npm:").to_owned(),
            there: None,
        });
    }
    if let Some((_, rest)) = line.split_once("No version matching ") {
        let (_, after) = rest.split_once("for specifier ")?;
        return Some(Trouble::NoVersion { asked: quoted(rest)?, name: quoted(after)?, there: None });
    }
    let (_, rest) = line.split_once("Couldn't find any versions for ")?;
    let (_, after) = rest.split_once("that matches ")?;
    Some(Trouble::NoVersion { name: quoted(rest)?, asked: quoted(after)?, there: None })
}

fn no_package(line: &str) -> Option<Trouble> {
    let name = if let Some((before, _)) = line.split_once(" could not be found or you do not have permission")
    {
        split(before.split_once('\'')?.1.trim_end_matches('\''))?.0
    } else if let Some((before, _)) = line.split_once(" is not in this registry") {
        split(before.split_once('\'')?.1.trim_end_matches('\''))?.0
    } else if let Some((before, _)) = line.split_once(" is not in the npm registry") {
        before.trim().to_owned()
    } else if let Some((before, _)) = line.split_once(": Package not found") {
        split(before.rsplit(' ').next()?)?.0
    } else if let Some((before, _)) = line.split_once(" failed to resolve") {
        split(before.rsplit(' ').next()?)?.0
    } else {
        quoted(line.split_once("Couldn't find package ")?.1)?
    };
    (!name.is_empty()).then_some(Trouble::NoPackage { name })
}

/// `@scope/name@^1.0.0` is its name and its range.
fn split(words: &str) -> Option<(String, String)> {
    let at = words.char_indices().skip(1).find(|(_, c)| *c == '@')?.0;
    Some((words[..at].to_owned(), words[at + 1..].to_owned()))
}

/// What stands in the first pair of quotes.
fn quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    Some(rest.split_once('"')?.0.to_owned())
}
