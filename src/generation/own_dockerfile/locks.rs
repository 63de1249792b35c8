//! Dockerfiles that install by a lockfile which did not come with them: such a step fails for
//! certain.

use super::parse::{Instruction, parse};

/// Commands that refuse to install without a lockfile, and the names it may have.
const BY_LOCK: [(&str, &[&str]); 3] = [
    ("npm ci", &["package-lock.json", "npm-shrinkwrap.json"]),
    ("npm clean-install", &["package-lock.json", "npm-shrinkwrap.json"]),
    ("pnpm install --frozen-lockfile", &["pnpm-lock.yaml"]),
];

/// The line of the first step that needs a lockfile nobody has, and the command.
pub fn installs_without_lock(text: &str, has_named: impl Fn(&str) -> bool) -> Option<(usize, &'static str)> {
    let instructions = parse(text).ok()?;
    let steps: Vec<&Instruction> = instructions.iter().filter(|one| one.keyword == "RUN").collect();
    // An installation without one writes one, for later steps to go by.
    let writes = |step: &&Instruction| {
        ["npm install", "npm i", "pnpm import", "lockfile-only", "package-lock-only"]
            .iter()
            .any(|command| has_word(&step.rest, command))
    };
    let before = steps.iter().take_while(|step| !writes(step));
    before.filter(|step| !may_fail(&step.rest)).find_map(|step| {
        let words = step.rest.split_whitespace().collect::<Vec<_>>().join(" ");
        let (command, _) = BY_LOCK.iter().find(|(command, locks)| {
            has_word(&words, command) && !locks.iter().any(|lock| has_named(lock))
        })?;
        Some((step.line, *command))
    })
}

/// The step has another way, or asks first.
fn may_fail(step: &str) -> bool {
    ["||", "if ", "[ -", "test -"].iter().any(|mark| step.contains(mark))
}

fn has_word(text: &str, words: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
    text.match_indices(words).any(|(at, _)| {
        // `--package-lock-only` has the word too.
        let before = text[..at].trim_end_matches('-').chars().next_back();
        ends(before) && ends(text[at + words.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_need_a_lockfile_are_found_by_line() {
        let found = |step: &str, there: &[&str]| {
            let text = format!("FROM node:20\nCOPY . .\n{step}\n");
            installs_without_lock(&text, |name| there.contains(&name))
        };
        for step in ["RUN npm ci", "RUN npm  ci --only=production && npm cache clean", "RUN a && npm ci"] {
            assert_eq!(found(step, &[]), Some((3, "npm ci")), "{step}");
            assert_eq!(found(step, &["package-lock.json"]), None, "{step}");
        }
        let frozen = "pnpm install --frozen-lockfile";
        assert_eq!(found(&format!("RUN {frozen}"), &["package-lock.json"]), Some((3, frozen)));
        for step in [
            "RUN npm ci || npm install",
            "RUN if [ -f package-lock.json ]; then npm ci; fi",
            "RUN npm install --package-lock-only\nRUN npm ci",
            "RUN npm circle",
            "CMD npm ci",
        ] {
            assert_eq!(found(step, &[]), None, "{step}");
        }
    }
}
