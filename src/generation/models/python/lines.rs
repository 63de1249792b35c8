//! Python's logical lines: what the language takes for one statement, with its indentation.
//!
//! Classes of data are lists of such lines; reading them needs no more, and costs a tenth of a
//! syntax tree.

/// One statement, brackets and strings over several lines included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logical<'s> {
    /// Columns, a tab being eight.
    pub indent: usize,
    /// From 1.
    pub line: u32,
    /// Without the indentation and what follows.
    pub text: &'s str,
}

/// Splits a file. A bracket that is never closed ends where a statement clearly begins.
pub struct Lines<'s> {
    source: &'s str,
    at: usize,
    line: u32,
}

impl<'s> Lines<'s> {
    pub const fn of(source: &'s str) -> Self {
        Self { source, at: 0, line: 1 }
    }
}

impl<'s> Iterator for Lines<'s> {
    type Item = Logical<'s>;

    fn next(&mut self) -> Option<Logical<'s>> {
        let bytes = self.source.as_bytes();
        loop {
            let (indent, start) = indentation(bytes, self.at);
            let first = *bytes.get(start)?;
            if first == b'\n' || first == b'\r' {
                self.at = start + 1;
                self.line += u32::from(first == b'\n');
                continue;
            }
            if first == b'#' {
                self.at = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end);
                continue;
            }
            let line = self.line;
            let end = statement_end(bytes, start, &mut self.line);
            self.at = end;
            let text = self.source.get(start..end).unwrap_or_default().trim_end();
            return Some(Logical { indent, line, text });
        }
    }
}

/// Columns of white space, and where the text begins.
fn indentation(bytes: &[u8], from: usize) -> (usize, usize) {
    let mut columns = 0;
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\x0c' => columns += 1,
            b'\t' => columns = (columns / 8 + 1) * 8,
            _ => break,
        }
        at += 1;
    }
    (columns, at)
}

/// The byte of the line break that ends a statement, or the end of the file. Counts the lines
/// inside of it.
fn statement_end(bytes: &[u8], start: usize, line: &mut u32) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'#' => {
                at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                continue;
            }
            b'\'' | b'"' => {
                at = string_end(bytes, at, line);
                continue;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => {
                *line += 1;
                at += 1;
            }
            b'\n' if depth == 0 || begins_statement(&bytes[at + 1..]) => return at,
            b'\n' => *line += 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The byte after a string that begins at `at`. One in single quotes ends with its line at the
/// latest, whose break is left.
fn string_end(bytes: &[u8], at: usize, line: &mut u32) -> usize {
    let quote = bytes[at];
    let triple = bytes[at..].starts_with(&[quote, quote, quote]);
    let mut at = at + if triple { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => {
                *line += u32::from(bytes.get(at + 1) == Some(&b'\n'));
                at += 1;
            }
            b'\n' if !triple => return at,
            b'\n' => *line += 1,
            byte if *byte == quote && !triple => return at + 1,
            byte if *byte == quote && bytes[at..].starts_with(&[quote, quote, quote]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// At the margin, these words cannot be inside of brackets.
fn begins_statement(rest: &[u8]) -> bool {
    ["class ", "def ", "async def ", "import ", "from ", "@"]
        .iter()
        .any(|word| rest.starts_with(word.as_bytes()))
}

/// The parts of a text that a character outside of brackets and strings separates.
pub fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let (mut depth, mut from, mut at, mut line) = (0_usize, 0, 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\'' | b'"' => {
                at = string_end(bytes, at, &mut line);
                continue;
            }
            byte if char::from(*byte) == separator && depth == 0 => {
                parts.push(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

/// Comments taken out.
pub fn without_comments(text: &str) -> String {
    if !text.contains('#') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut from, mut at, mut line) = (0, 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => at = string_end(bytes, at, &mut line),
            b'#' => {
                out.push_str(text.get(from..at).unwrap_or_default());
                at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<(usize, u32, &str)> {
        Lines::of(source).map(|logical| (logical.indent, logical.line, logical.text)).collect()
    }

    #[test]
    fn statements_over_several_lines_are_one() {
        let source = "# c\nclass A(\n    B,\n):\n    '''Doc\n    class X: '''\n    a: int = f(1,\n        ')')  # x\n\n\tb = 'it\\'s' \\\n  + c\nd = 1";
        assert_eq!(
            lines(source),
            [
                (0, 2, "class A(\n    B,\n):"),
                (4, 5, "'''Doc\n    class X: '''"),
                (4, 7, "a: int = f(1,\n        ')')  # x"),
                (8, 10, "b = 'it\\'s' \\\n  + c"),
                (0, 12, "d = 1"),
            ]
        );
    }

    #[test]
    fn what_is_never_closed_ends_at_the_next_statement() {
        assert_eq!(
            lines("a = (1,\n  2\nclass B:\n  c: 'x\n  d: int\n"),
            [(0, 1, "a = (1,\n  2"), (0, 3, "class B:"), (2, 4, "c: 'x"), (2, 5, "d: int")]
        );
        assert_eq!(lines("'''never").len(), 1);
        assert_eq!(lines("\r\n\r\n a\r\n"), [(1, 3, "a")]);
    }

    #[test]
    fn separators_inside_of_brackets_and_strings_do_not_count() {
        assert_eq!(split_outside("a[x, y], 'b,', c(d, e)", ','), ["a[x, y]", " 'b,'", " c(d, e)"]);
        assert_eq!(without_comments("a = [ # one\n 'b#', # two\n]"), "a = [ \n 'b#', \n]");
    }
}
