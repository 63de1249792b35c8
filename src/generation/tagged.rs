//! Tagged templates with type arguments, ``sql<User[]>`…` ``: TypeScript that the grammar does not
//! know. Blanked out, byte for byte, the rest of the file is read as it is.

use std::borrow::Cow;

/// Bytes of type arguments; what is longer is taken for something else.
const LONGEST: usize = 400;

/// What the parser is given instead of `source`: as long, with the same lines.
pub fn readable(source: &str) -> Cow<'_, str> {
    let spans: Vec<_> = source.match_indices(">`").filter_map(|(end, _)| arguments(source, end)).collect();
    if spans.is_empty() {
        return Cow::Borrowed(source);
    }
    let mut text = String::with_capacity(source.len());
    let mut done = 0;
    for (start, end) in spans.into_iter().filter(|(start, end)| start < end) {
        text.push_str(source.get(done..start).unwrap_or_default());
        let blanked = source.get(start.max(done)..end).unwrap_or_default();
        // One space for each byte, so that whatever follows stays where it is.
        text.extend(blanked.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        done = end;
    }
    text.push_str(source.get(done..).unwrap_or_default());
    Cow::Owned(text)
}

/// From `<`, right behind a name, to behind the `>` at `end`; `None` for what is no list of types.
fn arguments(source: &str, end: usize) -> Option<(usize, usize)> {
    let bytes = source.as_bytes();
    let mut depth = 0_usize;
    for at in (end.saturating_sub(LONGEST)..=end).rev() {
        match *bytes.get(at)? {
            // An arrow of a type of functions closes nothing.
            b'>' if at > 0 && bytes[at - 1] == b'=' => {}
            b'>' => depth += 1,
            b'<' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let before = *bytes.get(at.checked_sub(1)?)?;
                    let is_name = before.is_ascii_alphanumeric() || matches!(before, b'_' | b'$' | b')');
                    return is_name.then_some((at, end + 1));
                }
            }
            byte if byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() => {}
            b'_' | b'$' | b'.' | b',' | b':' | b';' | b'?' | b'|' | b'&' | b'=' | b'"' | b'\'' => {}
            b'[' | b']' | b'{' | b'}' | b'(' | b')' | b'-' => {}
            byte if !byte.is_ascii() => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_arguments_of_a_tag_are_blank_and_nothing_else_is() {
        for (source, seen) in [
            ("await sql<User[]>`SELECT 1`", "await sql        `SELECT 1`"),
            ("db.sql<{ a: Map<string, number> }>`x`", "db.sql                            `x`"),
            ("css<\n  Props\n>`x`", "css \n       \n `x`"),
            ("a<(x: A) => B>`x`; b<C>`y`", "a             `x`; b   `y`"),
        ] {
            assert_eq!(readable(source), seen, "{source}");
            assert_eq!(readable(source).len(), source.len());
        }
        for kept in [
            "a > `x`",
            "<p>`code`</p>",
            "if (a < b && c >`x`) {}",
            "x <b>`y`",
            ">`",
            "a>`b`",
            "`<`>`",
            "(a<b) =>`x`",
        ] {
            assert_eq!(readable(kept), kept);
        }
        let wide = "sql<{ größe: A }>`x`";
        assert_eq!((readable(wide).len(), &readable(wide)[wide.len() - 3..]), (wide.len(), "`x`"));
    }
}
