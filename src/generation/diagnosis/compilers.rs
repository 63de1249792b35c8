//! What compilers and bundlers say of a place in the source.

use super::Trouble;

pub fn read(lines: &[&str]) -> Option<Trouble> {
    lines.iter().enumerate().find_map(|(index, line)| {
        typescript(line)
            .or_else(|| unresolved(line))
            .or_else(|| webpack(line, &lines[..index]))
            .or_else(|| rust(line, &lines[..index]))
            .or_else(|| go(line))
    })
}

/// `src/server.ts(3,5): error TS2304: …`.
fn typescript(line: &str) -> Option<Trouble> {
    let (place, words) = line.split_once(": error TS")?;
    let (file, at) = place.split_once('(')?;
    let number = at.split(',').next()?.parse().ok()?;
    let (_, words) = words.split_once(": ")?;
    Some(at_line(file, number, words))
}

/// Vite's, Rollup's and esbuild's ways to say it.
fn unresolved(line: &str) -> Option<Trouble> {
    let start =
        ["failed to resolve import ", "Could not resolve "].iter().find_map(|start| line.split_once(start));
    let (_, rest) = start?;
    let mut quoted = rest.split('"').skip(1).step_by(2);
    let (module, file) = (quoted.next()?, quoted.next()?);
    Some(Trouble::At { file: file.to_owned(), line: None, words: imports(module) })
}

/// The place stands in the line before: `./app/page.tsx:3:1`.
fn webpack(line: &str, before: &[&str]) -> Option<Trouble> {
    let (_, rest) = line.split_once("Module not found: ")?;
    let module = rest.split_once("resolve '")?.1.split('\'').next()?;
    let place = before.iter().rev().take(3).find(|line| line.starts_with("./"))?;
    let mut parts = place.split(':');
    let file = parts.next()?.to_owned();
    Some(Trouble::At { file, line: parts.next().and_then(|at| at.parse().ok()), words: imports(module) })
}

/// ` --> src/main.rs:7:5` under the sentence.
fn rust(line: &str, before: &[&str]) -> Option<Trouble> {
    let (file, number) = split_place(line.strip_prefix("--> ")?)?;
    let said = before.iter().rev().take(3).find(|line| line.starts_with("error"))?;
    Some(at_line(file, number, said.split_once(": ")?.1))
}

/// `./main.go:12:3: undefined: mux`.
fn go(line: &str) -> Option<Trouble> {
    let at = line.find(".go:")? + 3;
    let file = &line[..at];
    if file.contains(' ') {
        return None;
    }
    let mut parts = line[at + 1..].splitn(3, ':');
    let number = parts.next()?.parse().ok()?;
    parts.next()?.parse::<usize>().ok()?;
    Some(at_line(file, number, parts.next()?.trim()))
}

fn split_place(place: &str) -> Option<(&str, usize)> {
    let mut parts = place.split(':');
    Some((parts.next()?, parts.next()?.parse().ok()?))
}

fn at_line(file: &str, line: usize, words: &str) -> Trouble {
    Trouble::At { file: file.to_owned(), line: Some(line), words: words.to_owned() }
}

fn imports(module: &str) -> String {
    format!("imports {module}, which is neither a package that is listed nor a file")
}
