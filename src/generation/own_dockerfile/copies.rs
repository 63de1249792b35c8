//! Dockerfiles that copy what did not come with them, such as a lockfile nobody made or what a
//! pipeline builds before.

use super::parse::{Instruction, parse};

/// The line of the first step that copies a file or folder which `is_there` denies, and its path. Patterns
/// and variables pass: they may come to something.
pub fn copies_what_is_missing(text: &str, is_there: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    let instructions = parse(text).ok()?;
    let copies = instructions.iter().filter(|one| matches!(one.keyword.as_str(), "COPY" | "ADD"));
    copies.into_iter().find_map(|copy| {
        let missing = sources(copy).into_iter().find(|path| !is_there(path))?;
        Some((copy.line, missing))
    })
}

/// Paths from the top of the context, which is a path itself: empty.
fn sources(copy: &Instruction) -> Vec<String> {
    let mut rest = copy.rest.trim();
    while let Some(flag) = rest.strip_prefix("--") {
        if flag.starts_with("from") {
            return Vec::new();
        }
        rest = flag.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    let words = serde_json::from_str::<Vec<String>>(rest);
    let mut words = words.unwrap_or_else(|_| rest.split_whitespace().map(str::to_owned).collect());
    words.pop();
    let is_plain =
        |word: &String| !word.contains(['*', '?', '[', '$', '"', '\'', '\\', '<']) && !word.contains("://");
    words.retain(is_plain);
    let from_top = |word: String| {
        let parts = word.split('/').filter(|part| !matches!(*part, "" | "."));
        parts.collect::<Vec<_>>().join("/")
    };
    words.into_iter().map(from_top).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_found_by_line() {
        let there = |path: &str| ["", "package.json", "src", "src/a.js"].contains(&path);
        let found = |line: &str| copies_what_is_missing(&format!("FROM a\n{line}\n"), there);
        for (line, missing) in [
            ("COPY package.json package-lock.json ./", Some("package-lock.json")),
            ("COPY --chown=a:b ./dist/ /app/", Some("dist")),
            (r#"ADD ["src", "gone dir", "/app/"]"#, Some("gone dir")),
            ("COPY . .", None),
            ("COPY ./src/ /package.json /app/", None),
            ("COPY --from=build /app/dist /app", None),
            ("COPY package*.json ${DIR} https://a.example/b ./", None),
            ("RUN cp gone /x", None),
        ] {
            let expected = missing.map(|path| (2, path.to_owned()));
            assert_eq!(found(line), expected, "{line}");
        }
    }
}
