//! What JavaScript imports, read line by line: cheap enough for every file of a tree, where
//! [`super::scan()`] parses only those that may serve something.

use crate::generation::syntax::string_value;

/// One module that has to be there for the file to load.
#[derive(Debug, PartialEq, Eq)]
pub struct Import {
    pub module: String,
    /// From 1.
    pub line: usize,
}

const MOST_LINES: usize = 20_000;

/// Imports of types alone pass, as a compiler takes them out again, and so does what is tried.
pub fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut reading = Reading::default();
    for (line, number) in text.lines().take(MOST_LINES).zip(1..) {
        let line = line.trim();
        if line.len() > 2000 || reading.is_comment(line) {
            continue;
        }
        let modules = reading.statement(line).into_iter().chain(reading.required(line));
        found.extend(modules.map(|module| Import { module, line: number }));
        reading.follow_try(line);
    }
    found
}

#[derive(Default)]
struct Reading {
    in_comment: bool,
    /// Between `import {` and the line that says from where; whether it is of types alone.
    in_import: Option<bool>,
    /// How many braces deep the innermost `try` is.
    tried: Option<i32>,
}

impl Reading {
    fn is_comment(&mut self, line: &str) -> bool {
        if self.in_comment {
            self.in_comment = !line.contains("*/");
            return true;
        }
        self.in_comment = line.starts_with("/*") && !line.contains("*/");
        self.in_comment || line.starts_with("//") || line.starts_with("/*") || line.starts_with('*')
    }

    /// `import … from 'x'`, `export … from 'x'` and `import 'x'`, each over any number of lines.
    fn statement(&mut self, line: &str) -> Vec<String> {
        let mut modules = Vec::new();
        for part in line.split_inclusive(';').map(str::trim) {
            let starts =
                ["import ", "import{", "import'", "import\"", "import*", "export {", "export *", "export{"]
                    .iter()
                    .any(|start| part.starts_with(start));
            if self.in_import.is_none() && starts || part.starts_with("export type {") {
                self.in_import = Some(of_types(part));
            }
            let Some(types) = self.in_import else { continue };
            let source =
                part.rsplit_once("from").map(|(_, rest)| rest).or_else(|| part.strip_prefix("import"));
            let module = source.and_then(|source| quoted(source.trim()));
            if module.is_some() || part.ends_with(';') {
                self.in_import = None;
            }
            modules.extend(module.filter(|_| !types));
        }
        // `export { a }` without a source ends with its line.
        if line.starts_with("export") && line.contains('}') {
            self.in_import = None;
        }
        modules
    }

    /// `require('x')` and `import('x')`.
    fn required(&self, line: &str) -> Vec<String> {
        if self.tried.is_some() || line.contains("try {") || line.contains("try{") {
            return Vec::new();
        }
        let calls = ["require(", "import("].into_iter().flat_map(|call| line.match_indices(call));
        let whole = calls
            .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || "._$'\"`".contains(c)));
        // What stands in a string is no call; a type that is imported is none either.
        let called = whole.filter(|(at, call)| {
            let quotes = line[..*at].matches(['\'', '"', '`']).count();
            quotes.is_multiple_of(2) && !(*call == "import(" && line[..*at].contains(": "))
        });
        called.filter_map(|(at, call)| quoted(&line[at + call.len()..])).collect()
    }

    fn follow_try(&mut self, line: &str) {
        let opened = |line: &str| line.matches('{').count() as i32 - line.matches('}').count() as i32;
        match self.tried {
            Some(depth) => {
                let depth = depth + opened(line);
                self.tried = Some(depth).filter(|depth| *depth > 0 && !line.starts_with("} catch"));
            }
            None if line.ends_with("try {") || line.ends_with("try{") => self.tried = Some(1),
            None => {}
        }
    }
}

/// `import type …`, or braces that hold nothing but `type X`.
fn of_types(part: &str) -> bool {
    let rest = part.trim_start_matches("import").trim_start_matches("export").trim_start();
    if rest.strip_prefix("type ").is_some_and(|rest| !rest.trim_start().starts_with("from")) {
        return true;
    }
    let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(inside, _)| inside);
    inside.is_some_and(|inside| {
        let mut names = inside.split(',').map(str::trim).filter(|name| !name.is_empty()).peekable();
        names.peek().is_some() && names.all(|name| name.starts_with("type "))
    })
}

/// The string that stands at the beginning.
fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let end = text[1..].find(quote)? + 2;
    string_value(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, usize)> {
        imports(text).into_iter().map(|import| (import.module, import.line)).collect()
    }

    #[test]
    fn every_way_of_importing_is_read() {
        let text = "import a from 'a'; import b from \"b\";\nimport {\n  c,\n} from 'c';\nimport 'd/e';\n\
                    export * from 'f'\nconst g = require('g');\nconst h = await import('h')\n";
        let expected = [("a", 1), ("b", 1), ("c", 4), ("d/e", 5), ("f", 6), ("g", 7), ("h", 8)];
        assert_eq!(found(text), expected.map(|(module, line)| (module.to_owned(), line)));
    }

    #[test]
    fn types_comments_and_what_is_tried_pass() {
        for text in [
            "import type { A } from 'a';",
            "import { type A, type B } from 'a';",
            "import type {\n  A,\n} from 'a';",
            "// import a from 'a'",
            "/* a\nimport a from 'a'\n*/",
            "try {\n  x = require('a');\n} catch {}",
            "try { require('a') } catch {}",
            "console.log(\"require('a')\")",
            "let x: import('a').B",
            "export { a }",
            "export const from = 'a'",
            "require(name)",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(found("try {\n  f({\n  })\n} catch {}\nrequire('b')"), [("b".to_owned(), 5)]);
        assert_eq!(found("export { a }\nfrom('x'); y = 'from b'\n"), []);
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in ["import '", "import {", "from''", "é'import('é", "require('ä", "import\u{a0}'a"] {
            imports(text);
        }
    }
}
