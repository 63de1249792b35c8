//! `.dockerignore`: patterns from the root of the tree, the last that matches decides.
//!
//! It looks like `.gitignore` and is not: `build` names one folder at the root, and `!` may bring
//! back a file from a folder that is left out.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The file's name, at the root of the tree.
pub const FILE: &str = ".dockerignore";

#[derive(Debug, Default)]
pub struct DockerIgnore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pattern: Gitignore,
    /// `!pattern`: what it matches is taken in after all.
    keeps: bool,
}

impl DockerIgnore {
    pub fn parse(text: &str) -> Result<Self, ignore::Error> {
        let mut rules = Vec::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (keeps, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, line),
            };
            let pattern = normal(pattern);
            if pattern.is_empty() {
                continue;
            }
            // A leading slash ties a gitignore pattern to the root, which is how Docker reads
            // all of them.
            let mut one = GitignoreBuilder::new("");
            one.add_line(None, &format!("/{pattern}"))?;
            rules.push(Rule { pattern: one.build()?, keeps });
        }
        Ok(Self { rules })
    }

    /// Whether the file or folder `path`, relative to the root, is left out.
    pub fn excludes(&self, path: &Path, is_dir: bool) -> bool {
        let decides = |rule: &&Rule| rule.pattern.matched_path_or_any_parents(path, is_dir).is_ignore();
        self.rules.iter().rev().find(decides).is_some_and(|rule| !rule.keeps)
    }

    /// Whether nothing under the folder `path` can be taken in.
    pub fn excludes_all_under(&self, path: &Path) -> bool {
        !self.rules.iter().any(|rule| rule.keeps) && self.excludes(path, true)
    }
}

/// Without `.` parts and slashes at either end.
fn normal(pattern: &str) -> String {
    pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(text: &str, path: &str) -> bool {
        DockerIgnore::parse(text).expect("valid").excludes(Path::new(path), false)
    }

    #[test]
    fn patterns_start_at_the_root() {
        assert!(excluded("build", "build/out.js"));
        assert!(!excluded("build", "src/build/out.js"));
        assert!(excluded("/build/", "build/out.js"));
        assert!(excluded("./build/.", "build/out.js"));
        assert!(excluded("*.md", "README.md"));
        assert!(!excluded("*.md", "docs/a.md"));
        assert!(excluded("**/*.md", "docs/a.md"));
        assert!(excluded("**/*.md", "README.md"));
        assert!(excluded("*/temp*", "a/temporary/x"));
    }

    #[test]
    fn the_last_match_decides() {
        let text = "# all but one\n\ndocs\n!docs/keep\n";
        assert!(excluded(text, "docs/a"));
        assert!(!excluded(text, "docs/keep/a"));
        assert!(excluded("!docs/keep\ndocs", "docs/keep"));
        assert!(excluded("*\n!app", "README.md"));
        assert!(!excluded("*\n!app", "app/main.py"));
    }

    #[test]
    fn a_folder_is_passed_over_only_when_nothing_comes_back() {
        let under = |text| DockerIgnore::parse(text).expect("valid").excludes_all_under(Path::new("docs"));
        assert!(under("docs"));
        assert!(!under("docs\n!docs/keep"));
    }
}
