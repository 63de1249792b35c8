//! A Dockerfile split into instructions, as the engine's frontend splits it.

/// One instruction with the lines it spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Upper case.
    pub keyword: String,
    /// What follows it, continued lines joined.
    pub rest: String,
    /// From 1.
    pub line: usize,
    /// The last line it spans.
    pub last_line: usize,
}

/// Splits a Dockerfile. Comments and empty lines go, also between continued lines.
pub fn parse(text: &str) -> Vec<Instruction> {
    let text = text.trim_start_matches('\u{feff}');
    let escape = escape_character(text);
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut last = 0;
    for (index, line) in text.lines().enumerate() {
        let blank_or_comment = line.trim().is_empty() || line.trim_start().starts_with('#');
        if blank_or_comment {
            continue;
        }
        last = index + 1;
        let (start, mut joined) = open.take().unwrap_or((last, String::new()));
        match line.trim_end().strip_suffix(escape) {
            Some(continued) => {
                joined.push_str(continued);
                open = Some((start, joined));
            }
            None => {
                joined.push_str(line);
                found.extend(instruction(&joined, start, last));
            }
        }
    }
    if let Some((start, joined)) = open {
        found.extend(instruction(&joined, start, last));
    }
    found
}

/// The line of a `# syntax=` directive, which would make the engine fetch and run a frontend of
/// the author's choice.
pub fn syntax_line(text: &str) -> Option<usize> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .position(|line| {
            let line = line.trim_start();
            let comment = line.trim_start_matches(['#', '/', '{', '"', ' ', '\t']);
            let names_it = comment.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("syntax"));
            line.starts_with(['#', '/', '{']) && names_it && comment.contains(['=', ':'])
        })
        .map(|index| index + 1)
}

fn instruction(joined: &str, line: usize, last_line: usize) -> Option<Instruction> {
    let joined = joined.trim();
    let (keyword, rest) = joined.split_once(char::is_whitespace).unwrap_or((joined, ""));
    let keyword = keyword.to_ascii_uppercase();
    (!keyword.is_empty()).then(|| Instruction { keyword, rest: rest.trim().to_owned(), line, last_line })
}

/// `\`, or the backtick a `# escape=` directive at the top asks for.
fn escape_character(text: &str) -> char {
    for line in text.lines() {
        let Some(directive) = line.trim().strip_prefix('#') else { break };
        let Some((name, value)) = directive.split_once('=') else { break };
        if name.trim().eq_ignore_ascii_case("escape") {
            return if value.trim() == "`" { '`' } else { '\\' };
        }
    }
    '\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        let text = "# hi\nfrom a \\\n  # inner\n\n  as b\nRUN x\\\n  y\n";
        let found: Vec<_> =
            parse(text).into_iter().map(|i| (i.keyword, i.rest, i.line, i.last_line)).collect();
        assert_eq!(found, [("FROM".into(), "a   as b".into(), 2, 5), ("RUN".into(), "x  y".into(), 6, 7)]);
        assert_eq!(parse("# escape=`\nRUN a`\nb\\\nRUN c").len(), 2);
        assert_eq!(parse("").len(), 0);
    }

    #[test]
    fn a_frontend_of_their_own_is_seen() {
        assert_eq!(syntax_line("# a\n#  SYNTAX = x/y\nFROM a"), Some(2));
        assert_eq!(syntax_line("//syntax=x"), Some(1));
        assert_eq!(syntax_line("# the syntax is simple\nFROM a"), None);
    }
}
