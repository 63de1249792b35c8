//! A Dockerfile split into instructions, as the engine's frontend splits it.

use std::mem;

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

/// Text that engines of different age would split differently, or that looks made to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// From 1.
    pub line: usize,
    pub message: &'static str,
}

/// Splits a Dockerfile. Comments and empty lines go, also between continued lines.
pub fn parse(text: &str) -> Result<Vec<Instruction>, Ambiguous> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = escape_character(text)?;
    let mut found = Vec::new();
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let (line, number) = (line.strip_suffix('\r').unwrap_or(line), index + 1);
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let refuse = |message| Err(Ambiguous { line: number, message });
        if line.contains('\r') {
            // One engine drops a single carriage return at the end of a line, another all.
            return refuse("a carriage return inside a line is not accepted");
        }
        // Only blanks and tabs may follow the escape: any other space keeps it from continuing.
        let Some(continued) = line.trim_end_matches([' ', '\t']).strip_suffix(escape) else {
            open.push((number, line));
            found.extend(instruction(&mem::take(&mut open))?);
            continue;
        };
        if continued.ends_with(escape) {
            return refuse("a line that ends in two escapes is continued by some engines only; not accepted");
        }
        open.push((number, continued));
    }
    found.extend(instruction(&open)?);
    Ok(found)
}

/// Of the pieces of one logical line, each with its number and without its escape.
fn instruction(pieces: &[(usize, &str)]) -> Result<Option<Instruction>, Ambiguous> {
    let (Some((line, _)), Some((last_line, _))) = (pieces.first(), pieces.last()) else { return Ok(None) };
    for (at, (number, piece)) in pieces.iter().enumerate().skip(1) {
        if could_use_an_image(piece) || could_use_an_image(&joined(&pieces[at..])) {
            let message = "a continued line reads like an instruction that names an image; not accepted";
            return Err(Ambiguous { line: *number, message });
        }
    }
    let joined = joined(pieces);
    let joined = joined.trim();
    let (keyword, rest) = joined.split_once(char::is_whitespace).unwrap_or((joined, ""));
    let keyword = keyword.to_ascii_uppercase();
    Ok((!keyword.is_empty()).then(|| Instruction {
        keyword,
        rest: rest.trim().to_owned(),
        line: *line,
        last_line: *last_line,
    }))
}

fn joined(pieces: &[(usize, &str)]) -> String {
    pieces.iter().map(|(_, piece)| *piece).collect()
}

/// The net under the rules above: what an engine that did not see the continuation would take for
/// a valid instruction that can name an image or mount. A hidden `COPY` or `RUN` without flags
/// does nothing a visible one may not, and `from a import b` in a Python one-liner is no valid
/// `FROM`, so these may stay.
fn could_use_an_image(line: &str) -> bool {
    let line = line.trim_start();
    let (keyword, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let mut words = rest.split_whitespace().skip_while(|word| word.starts_with("--"));
    match keyword.to_ascii_uppercase().as_str() {
        "FROM" => words.nth(1).is_none_or(|word| word.eq_ignore_ascii_case("as")),
        "COPY" | "ADD" | "RUN" => rest.trim_start().starts_with("--"),
        "ONBUILD" => true,
        _ => false,
    }
}

/// `\`, or the backtick a `# escape=` directive asks for. Engines read directives up to the first
/// line that is none, and differ in which names they know: only on line 1, where all agree, is
/// one taken; one that is anywhere else above the first instruction, or spelt oddly, is refused.
fn escape_character(text: &str) -> Result<char, Ambiguous> {
    let mut escape = '\\';
    let above = text.lines().take_while(|line| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with('#')
    });
    for (index, line) in above.enumerate() {
        let Some((name, _)) = line.trim_start().trim_start_matches('#').split_once('=') else { continue };
        if !name.trim().eq_ignore_ascii_case("escape") {
            continue;
        }
        escape = match plain_directive(line) {
            Some("`") if index == 0 => '`',
            Some("\\") if index == 0 => '\\',
            _ => {
                let message = "expected an escape directive on line 1: # escape=` or # escape=\\";
                return Err(Ambiguous { line: index + 1, message });
            }
        };
    }
    Ok(escape)
}

/// The value of a directive in the form every engine reads.
fn plain_directive(line: &str) -> Option<&str> {
    const BLANK: [char; 2] = [' ', '\t'];
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    name.trim_matches(BLANK).eq_ignore_ascii_case("escape").then(|| value.trim_matches(BLANK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        let text = "# hi\nfrom a \\\n  # inner\n\n  as b\nRUN x\\\n  y\n";
        let found: Vec<_> = parse(text)
            .expect("plain")
            .into_iter()
            .map(|i| (i.keyword, i.rest, i.line, i.last_line))
            .collect();
        assert_eq!(found, [("FROM".into(), "a   as b".into(), 2, 5), ("RUN".into(), "x  y".into(), 6, 7)]);
        assert_eq!(parse("# escape=`\nRUN a`\nb\\\nRUN c").expect("plain").len(), 2);
        assert_eq!(parse("# Escape = \\\r\nRUN a\\\r\nb\r\nRUN c").expect("plain").len(), 2);
        assert_eq!(parse("").expect("plain").len(), 0);
    }

    #[test]
    fn only_blanks_and_tabs_may_follow_the_escape() {
        for space in ['\u{a0}', '\u{2003}', '\u{b}', '\u{c}', '\u{85}'] {
            let found = parse(&format!("RUN a \\{space}\nFROM evil")).expect("plain");
            assert_eq!(found.last().map(|i| (i.keyword.as_str(), i.rest.as_str())), Some(("FROM", "evil")));
        }
        assert_eq!(parse("RUN a \\ \t\n b").expect("plain").len(), 1);
    }

    #[test]
    fn what_engines_split_differently_is_refused_by_line() {
        for (text, line) in [
            ("FROM a\nRUN a \\\\\nFROM evil", 2),
            ("FROM a\nRUN a \\\\\\ \t\nx", 2),
            ("FROM a\nRUN a \\\r\r\nx", 2),
            ("# foo-bar=1\n# escape=`\nFROM a", 2),
            ("# foo=1\n# escape=`\nFROM a", 2),
            ("# check=skip=all\n# escape=`\nFROM a", 2),
            ("\n# escape=`\nFROM a", 2),
            ("# escape=`\n# escape=\\\nFROM a", 2),
            ("#\u{a0}escape=`\nFROM a", 1),
            ("#\u{c}escape=`\nFROM a", 1),
            ("# escape=x\nFROM a", 1),
            ("FROM a\nRUN x \\\n  FROM evil", 3),
            ("FROM a\nRUN x \\\n# c\nfrom --platform=p evil As b", 4),
            ("FROM a\nRUN x \\\n FR\\\nOM evil", 3),
            ("FROM a\nRUN x \\\n copy --from=evil / /", 3),
            ("FROM a\nRUN x \\\n RUN --mount=from=evil,target=/x y", 3),
            ("FROM a\nRUN x \\\n ONBUILD \\\n COPY x y", 3),
        ] {
            assert_eq!(parse(text).expect_err(text).line, line, "{text}");
        }
    }

    #[test]
    fn ordinary_continued_lines_stay() {
        for text in [
            "RUN a && \\\n  copy x y && \\\n  run z",
            "RUN python -c \"\\\nfrom app import db; \\\ndb.create_all()\"",
            "RUN apt-get install \\\n  # tools\n  curl \\\n\n  add-apt-key",
            "# about escape = x\nRUN a",
        ] {
            assert_eq!(parse(text).expect(text).len(), 1, "{text}");
        }
    }
}
