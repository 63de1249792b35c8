//! Why a build failed, told from the last lines its step printed: in plain words, with the file and
//! line that ask for what cannot be had, and what there is in its place where the tool says so.
//!
//! ```text
//! last lines ──► python | node | compilers ──► Trouble ──► with the place in the files ──► a sentence
//! ```

mod compilers;
mod node;
mod python;

use super::bases::BaseImages;
use super::plan::{Notes, Place};
use super::project::Project;
use super::python::normalized;
use crate::domain::{FileSet, Metadata};

/// What a tool complained of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// No index has a package of this name.
    NoPackage { name: String },
    /// The package is there, this version is not; what is, where the tool says so.
    NoVersion { name: String, asked: String, there: Option<String> },
    /// Two requirements that do not go together, and both packages.
    Conflict { words: String, names: Vec<String> },
    /// A line that is no requirement, and why not.
    NotARequirement { line: String, reason: String },
    /// A compiler or bundler names the place itself.
    At { file: String, line: Option<usize>, words: String },
}

/// One sentence, or nothing where the lines say nothing that is understood.
pub fn explain(metadata: &Metadata, files: &FileSet, tail: &[String]) -> Option<String> {
    let lines: Vec<&str> = tail.iter().map(|line| line.trim()).collect();
    let trouble = python::read(&lines).or_else(|| node::read(&lines)).or_else(|| compilers::read(&lines))?;
    let bases = BaseImages::default();
    let project = Project::new(metadata, files, &bases, None, &mut Notes::default());
    Some(said(&project, trouble))
}

fn said(project: &Project<'_>, trouble: Trouble) -> String {
    match trouble {
        Trouble::NoPackage { name } => {
            format!("{}there is no package {name} in the index", before(&[place(project, &name)]))
        }
        Trouble::NoVersion { name, asked, there } => {
            let there = there.map(|there| format!("; there is {there}")).unwrap_or_default();
            format!("{}{name} has no version {asked}{there}", before(&[place(project, &name)]))
        }
        Trouble::Conflict { words, names } => {
            let places: Vec<Option<Place>> = names.iter().map(|name| place(project, name)).collect();
            format!("{}{words}", before(&places))
        }
        Trouble::NotARequirement { line, reason } => {
            let at = project.paths().find_map(|path| {
                let text =
                    project.text(path).filter(|_| path.ends_with(".txt") || path.ends_with(".toml"))?;
                Place::line(path, text.lines().position(|other| other.trim() == line)? + 1)
            });
            format!("{}`{line}` is no requirement: {reason}", before(&[at]))
        }
        Trouble::At { file, line, words } => {
            let file = file.trim_start_matches("/app/").trim_start_matches("./");
            let at = match line {
                Some(line) => Place::line(file, line),
                None => Place::file(file),
            };
            format!("{}{words}", before(&[at]))
        }
    }
}

/// Where the files ask for a package.
fn place(project: &Project<'_>, name: &str) -> Option<Place> {
    let python = project.python_packages().get(&normalized(name));
    python.or_else(|| project.node_packages().get(name)).cloned()
}

/// `requirements.txt, lines 1 and 2: `.
fn before(places: &[Option<Place>]) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut last_file: Option<&str> = None;
    for place in places.iter().flatten() {
        let known = last_file == Some(place.file.as_str());
        let text = match (place.line, known) {
            (Some(line), false) => format!("{}, line {line}", place.file),
            (Some(line), true) => format!("line {line}"),
            (None, false) => place.file.clone(),
            (None, true) => continue,
        };
        if !said.contains(&text) {
            said.push(text);
        }
        last_file = Some(&place.file);
    }
    if said.is_empty() { String::new() } else { format!("{}: ", said.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::testing::tree;

    fn explained(files: &[(&str, &str)], tail: &str) -> Option<String> {
        let tail: Vec<String> = tail.lines().map(str::to_owned).collect();
        explain(&Metadata::default(), &tree(files), &tail)
    }

    const REQUIREMENTS: (&str, &str) =
        ("requirements.txt", "# web\nfastapi==0.100.0\nstarlette==0.40.0\nnever-published\nfoo bar\n");
    const PACKAGE: (&str, &str) = (
        "package.json",
        "{\n  \"dependencies\": {\n    \"express\": \"^99.0.0\",\n    \"@nope/never\": \"1.0.0\"\n  }\n}",
    );

    #[test]
    fn uv_says_what_python_lacks() {
        for (tail, expected) in [
            (
                "error: No solution found when resolving dependencies\n  cause: Because never-published was not found in the package registry and you require never-published, we can conclude that your requirements are unsatisfiable.",
                "requirements.txt, line 4: there is no package never-published in the index",
            ),
            (
                "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of fastapi==0.100.0 and you require\n      fastapi==0.100.0, we can conclude that your requirements are\n      unsatisfiable.",
                "requirements.txt, line 2: fastapi has no version 0.100.0",
            ),
            (
                "cause: Because only fastapi<=0.115.6 is available and you require fastapi>=99, we can conclude that your requirements are unsatisfiable.",
                "requirements.txt, line 2: fastapi has no version >=99; there is <=0.115.6",
            ),
            (
                "cause: Because fastapi==0.100.0 depends on starlette>=0.27.0,<0.28.0 and you require fastapi==0.100.0, we can conclude that you require starlette>=0.27.0,<0.28.0.\n         And because you require starlette==0.40.0, we can conclude that your requirements are unsatisfiable.",
                "requirements.txt, line 2 and line 3: fastapi==0.100.0 needs starlette>=0.27.0,<0.28.0, and starlette==0.40.0 is asked for",
            ),
            (
                "cause: Because you require flask==2.0.0 and flask==3.0.0, we can conclude that your requirements are unsatisfiable.",
                "flask==2.0.0 and flask==3.0.0 are both asked for",
            ),
            (
                "error: Couldn't parse requirement in `requirements.txt` at position 8\n  cause: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`\n         foo bar\n             ^",
                "requirements.txt, line 5: `foo bar` is no requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`",
            ),
        ] {
            assert_eq!(explained(&[REQUIREMENTS], tail).as_deref(), Some(expected));
        }
    }

    #[test]
    fn each_manager_says_what_node_lacks() {
        let (nothing, version) = (
            "package.json, line 4: there is no package @nope/never in the index",
            "package.json, line 3: express has no version ^99.0.0",
        );
        for (tail, expected) in [
            (
                "npm error code E404\nnpm error 404  The requested resource '@nope/never@1.0.0' could not be found or you do not have permission to access it.",
                nothing,
            ),
            ("npm error 404  '@nope/never@1.0.0' is not in this registry.", nothing),
            (
                "npm error code ETARGET\nnpm error notarget No matching version found for express@^99.0.0.",
                version,
            ),
            (
                " ERR_PNPM_FETCH_404  GET https://r.example/@nope%2Fnever: Not Found - 404\n\n@nope/never is not in the npm registry, or you have no permission to fetch it.",
                nothing,
            ),
            ("➤ YN0035: │ @nope/never@npm:1.0.0: Package not found", nothing),
            ("➤ YN0082: │ express@npm:^99.0.0: No candidates found", version),
            (
                "error: GET https://r.example/@nope%2fnever - 404\nerror: @nope/never@1.0.0 failed to resolve",
                nothing,
            ),
            (
                "error: No version matching \"^99.0.0\" found for specifier \"express\" (but package exists)\nerror: express@^99.0.0 failed to resolve",
                version,
            ),
            ("error Couldn't find package \"@nope/never\" on the \"npm\" registry.", nothing),
            ("error Couldn't find any versions for \"express\" that matches \"^99.0.0\"", version),
        ] {
            assert_eq!(explained(&[PACKAGE], tail).as_deref(), Some(expected), "{tail}");
        }
        let pnpm = " ERR_PNPM_NO_MATCHING_VERSION  No matching version found for express@^99.0.0\n\nThe latest release of express is \"5.3.0\".";
        assert_eq!(
            explained(&[PACKAGE], pnpm).as_deref(),
            Some(format!("{version}; there is 5.3.0").as_str())
        );
    }

    #[test]
    fn compilers_name_the_place_themselves() {
        for (tail, expected) in [
            (
                "src/server.ts(3,5): error TS2304: Cannot find name 'foo'.",
                "src/server.ts, line 3: Cannot find name 'foo'.",
            ),
            (
                "[vite]: Rollup failed to resolve import \"axios\" from \"/app/src/App.tsx\".",
                "src/App.tsx: imports axios, which is neither a package that is listed nor a file",
            ),
            (
                "Could not resolve \"./Missing\" from \"src/App.jsx\"",
                "src/App.jsx: imports ./Missing, which is neither a package that is listed nor a file",
            ),
            (
                "Failed to compile.\n\n./app/page.tsx:3:1\nModule not found: Can't resolve 'axios'",
                "app/page.tsx, line 3: imports axios, which is neither a package that is listed nor a file",
            ),
            ("./main.go:12:3: undefined: mux", "main.go, line 12: undefined: mux"),
            (
                "main.go:4:2: no required module provides package github.com/x/y; to add it:",
                "main.go, line 4: no required module provides package github.com/x/y; to add it:",
            ),
            (
                "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:7:5",
                "src/main.rs, line 7: cannot find value `x` in this scope",
            ),
        ] {
            assert_eq!(explained(&[PACKAGE], tail).as_deref(), Some(expected), "{tail}");
        }
    }

    #[test]
    fn what_is_not_understood_is_left_to_its_own_words() {
        for tail in
            ["", "exit code: 1", "gcc: error: unknown", "npm error code EACCES", "Because", "error: No"]
        {
            assert_eq!(explained(&[REQUIREMENTS, PACKAGE], tail), None, "{tail}");
        }
    }
}
