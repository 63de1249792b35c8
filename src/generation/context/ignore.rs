//! Which files of a tree go into the build: `.dockerignore` as the engine's own client reads it.

use regex::bytes::{Regex, RegexBuilder};

use crate::generation::plan::{Notes, Place};

/// Rules in order; the last that matches a path, or a folder above it, decides.
#[derive(Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    matcher: Regex,
    /// `!pattern`: what matches is carried after all.
    keep: bool,
}

/// What a generated image never needs from an uploaded tree; `.dockerignore` may bring it back.
const USELESS: [&str; 6] =
    ["**/node_modules", "**/.venv", "**/venv", "**/__pycache__", "**/*.pyc", "**/.DS_Store"];

/// More rules than any real file has.
const MAX_RULES: usize = 1000;

impl Ignore {
    /// For an image of our making.
    pub fn generated(dockerignore: Option<&str>, notes: &mut Notes) -> Self {
        let mut ignore = Self::default();
        for pattern in USELESS {
            ignore.add(pattern);
        }
        ignore.read(dockerignore, notes);
        ignore
    }

    /// For an own Dockerfile: what its author wrote and nothing else.
    pub fn own(dockerignore: Option<&str>, notes: &mut Notes) -> Self {
        let mut ignore = Self::default();
        ignore.read(dockerignore, notes);
        ignore
    }

    /// The file stays out of the build.
    pub fn excludes(&self, path: &str) -> bool {
        let mut excluded = false;
        for rule in &self.rules {
            if rule.keep == excluded && rule.matches(path) {
                excluded = !rule.keep;
            }
        }
        excluded
    }

    fn read(&mut self, dockerignore: Option<&str>, notes: &mut Notes) {
        let text = dockerignore.unwrap_or_default();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if self.rules.len() >= MAX_RULES {
                notes.warn("rules from here on are not read", Place::line(".dockerignore", number + 1));
                break;
            }
            if !self.add(line) {
                notes
                    .warn("no valid pattern, so it is not applied", Place::line(".dockerignore", number + 1));
            }
        }
    }

    /// False when the line is no pattern.
    fn add(&mut self, line: &str) -> bool {
        let (keep, pattern) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let pattern = clean(pattern);
        if pattern.is_empty() {
            // `.` or `/` names the whole tree, which the engine's client reads as nothing.
            return !line.trim_start_matches('!').trim().is_empty();
        }
        let Some(matcher) = compile(&pattern) else { return false };
        self.rules.push(Rule { matcher, keep });
        true
    }
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(at, _)| &path[..at]);
        above.chain([path]).any(|path| self.matcher.is_match(path.as_bytes()))
    }
}

/// Without `.`, `..` and doubled slashes, relative to the top.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `*` and `?` stay within one part, `**` crosses parts, `[a-z]` is a class, `\` takes the next
/// character as it is.
fn compile(pattern: &str) -> Option<Regex> {
    let mut regex = String::from("(?s-u)^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => {
                if chars.next_if_eq(&'/').is_some() {
                    regex.push_str("(?:.*/)?");
                } else {
                    regex.push_str(".*");
                }
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("(?u:[^/])"),
            '[' => regex.push_str(&class(&mut chars)?),
            '\\' => regex.push_str(&regex::escape(&chars.next()?.to_string())),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    RegexBuilder::new(&regex).size_limit(1 << 20).build().ok()
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut class = String::from("(?u:[");
    if chars.next_if_eq(&'^').is_some() {
        class.push('^');
    }
    let mut empty = true;
    loop {
        match chars.next()? {
            ']' if !empty => break,
            ']' => return None,
            '-' => class.push('-'),
            '\\' => class.push_str(&regex::escape(&chars.next()?.to_string())),
            c @ ('[' | '&' | '~' | '^') => class.extend(['\\', c]),
            c => class.push(c),
        }
        empty = false;
    }
    class.push_str("])");
    Some(class)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excluded(dockerignore: &str, path: &str) -> bool {
        Ignore::own(Some(dockerignore), &mut Notes::default()).excludes(path)
    }

    #[test]
    fn patterns_mean_what_they_mean_to_the_engine() {
        assert!(excluded("node_modules", "node_modules/a/b.js"));
        assert!(!excluded("node_modules", "web/node_modules/a.js"), "anchored at the top");
        assert!(excluded("**/node_modules", "web/node_modules/a.js"));
        assert!(excluded("/docs/", "docs/a.md"));
        assert!(excluded("*.md", "README.md"));
        assert!(!excluded("*.md", "docs/a.md"));
        assert!(excluded("**/*.md", "docs/a.md"));
        assert!(excluded("docs/**", "docs/x/y"));
        assert!(excluded("a?c", "abc") && !excluded("a?c", "a/c"));
        assert!(excluded("[a-c]x", "bx") && !excluded("[^a-c]x", "bx"));
        assert!(excluded("./a/../b", "b"));
        assert!(excluded("\\*", "*") && !excluded("\\*", "a"));
        assert!(!excluded("# a\n\n.\n/", "a"));
    }

    #[test]
    fn the_last_rule_wins() {
        let rules = "*\n!src\nsrc/secret*\n!src/secret-not.txt";
        assert!(excluded(rules, "a.txt"));
        assert!(!excluded(rules, "src/a.txt"));
        assert!(excluded(rules, "src/secret.txt"));
        assert!(!excluded(rules, "src/secret-not.txt"));
    }

    #[test]
    fn a_line_that_is_no_pattern_is_said() {
        let mut notes = Notes::default();
        let ignore = Ignore::own(Some("ok\na[\n"), &mut notes);
        assert!(ignore.excludes("ok"));
        assert_eq!(notes.warnings.len(), 1);
        assert_eq!(notes.warnings[0].line, Some(2));
    }

    proptest! {
        #[test]
        fn no_file_breaks_it(text in any::<String>(), path in "[a-z*\\[\\]é/]{1,20}") {
            let _ = excluded(&text, &path);
        }
    }
}
