//! Imports of a Python file, found without parsing it: every file of a project is read for them,
//! so this has to be quick.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `a.b`; empty in `from . import x`.
    pub module: String,
    /// Names taken from it, with the names they get here; empty for `import a.b`.
    pub names: Vec<(String, String)>,
    /// Dots in front: 0 for an absolute import.
    pub level: usize,
    pub line: usize,
    /// Indented, so in a function, a `try` or an `if`: the program may live without it.
    pub optional: bool,
}

const MAX_IMPORTS: usize = 2000;

impl Import {
    /// `a` of `a.b`.
    pub fn top(&self) -> &str {
        self.module.split('.').next().unwrap_or_default()
    }

    pub fn takes(&self, names: &[&str]) -> bool {
        self.names.iter().any(|(name, _)| names.contains(&name.as_str()))
    }
}

/// Every import statement that begins a line.
pub fn imports_of(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    if !text.contains("import") {
        return found;
    }
    let code = without_strings(text);
    let mut lines = code.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let statement = line.trim_start();
        let optional = statement.len() < line.len();
        let (line, bare) = (index + 1, statement);
        if let Some(rest) = bare.strip_prefix("import ") {
            for part in rest.split(';').next().unwrap_or_default().split(',') {
                let module = part.trim().split(' ').next().unwrap_or_default();
                found.extend(import(module, Vec::new(), line, optional));
            }
        } else if let Some(rest) = bare.strip_prefix("from ") {
            let Some((module, taken)) = rest.split_once(" import") else { continue };
            let mut taken = taken.to_owned();
            // Names in parentheses, or after a backslash, go on over lines.
            while (taken.contains('(') && !taken.contains(')')) || taken.trim_end().ends_with('\\') {
                let cut = taken.trim_end().trim_end_matches('\\').len();
                taken.truncate(cut);
                match lines.next() {
                    Some((_, more)) if taken.len() < 10_000 => taken.extend([" ", more]),
                    _ => break,
                }
            }
            found.extend(import(module.trim(), names(&taken), line, optional));
        }
        if found.len() >= MAX_IMPORTS {
            break;
        }
    }
    found
}

fn import(module: &str, names: Vec<(String, String)>, line: usize, optional: bool) -> Option<Import> {
    let level = module.chars().take_while(|c| *c == '.').count();
    let module = module[level..].trim();
    let dotted = module.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    (dotted && level + module.len() > 0).then(|| Import {
        module: module.to_owned(),
        names,
        level,
        line,
        optional,
    })
}

fn names(taken: &str) -> Vec<(String, String)> {
    let inner = taken.trim().trim_start_matches('(');
    let inner = inner.split([')', ';']).next().unwrap_or_default();
    let parts = inner.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .take(500)
        .map(|part| match part.split_once(" as ") {
            Some((name, alias)) => (name.trim().to_owned(), alias.trim().to_owned()),
            None => (part.to_owned(), part.to_owned()),
        })
        .collect()
}

/// The text with what stands in strings and comments taken out; lines stay where they are.
fn without_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = end_of_line(bytes, at),
            quote @ (b'"' | b'\'') => {
                let triple = bytes[at..].starts_with(&[quote; 3]);
                let end = end_of_string(bytes, at, quote, triple);
                code.extend(bytes[at..end].iter().filter(|byte| **byte == b'\n'));
                at = end;
            }
            byte => {
                code.push(byte);
                at += 1;
            }
        }
    }
    // Only whole characters were taken out.
    String::from_utf8(code).unwrap_or_default()
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |found| at + found)
}

fn end_of_string(bytes: &[u8], start: usize, quote: u8, triple: bool) -> usize {
    let mut at = start + if triple { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' if !triple => return at,
            byte if byte == quote && !triple => return at + 1,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |import: Import| {
            let names: Vec<String> =
                import.names.iter().map(|(name, alias)| format!("{name}>{alias}")).collect();
            format!(
                "{}:{}{} {}{}",
                import.line,
                ".".repeat(import.level),
                import.module,
                names.join(","),
                if import.optional { "?" } else { "" }
            )
        };
        imports_of(text).into_iter().map(show).collect()
    }

    #[test]
    fn every_form_is_read() {
        let text = "import a.b, c as d\nfrom e import f as g, h # from x import y\nfrom . import i\nfrom ..j import (\n    k,  # import z\n    l,\n)\ntry:\n    import m\nexcept ImportError: pass\nfrom n import \\\n  o\n'''\nimport no\n'''\ns = \"import no\"\n\"it's\"\nimport p\n";
        assert_eq!(
            shown(text),
            ["1:a.b ", "1:c ", "2:e f>g,h>h", "3:. i>i", "4:..j k>k,l>l", "9:m ?", "11:n o>o", "18:p "]
        );
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in any::<String>(), code in "(import|from| |\\.|a|,|\\(|\\)|\\\\|\n|'|\"|#|é){0,40}") {
            imports_of(&text);
            imports_of(&code);
        }
    }
}
