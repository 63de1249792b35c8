//! From what a program printed to lines fit to store and show: no terminal sequences, no control
//! characters, none too long.

use std::borrow::Cow;

/// Characters a line may have.
const MAX_CHARS: usize = 2000;

/// Marks where a line that was too long goes on, and came from.
pub const CONTINUED: &str = "…";

/// How far to look for the end of a sequence that carries text, such as a title or a link.
const MAX_SEQUENCE: usize = 4096;

/// The lines of a message, each at most 2,000 characters. Blank lines stay; lines that only
/// moved the cursor or cleared the screen go.
pub(super) fn lines(message: &str) -> Vec<String> {
    let message = message.strip_suffix('\n').unwrap_or(message);
    let mut lines = Vec::with_capacity(1);
    for raw in message.split('\n') {
        if let Some(text) = line(raw) {
            split(text.into_owned(), &mut lines);
        }
    }
    lines
}

/// One line without what is no text; `None` when it was nothing else. A blank one is text.
pub(super) fn line(raw: &str) -> Option<Cow<'_, str>> {
    let text = clean(raw);
    let was_blank = || raw.trim_end_matches('\r').is_empty();
    (!text.is_empty() || was_blank()).then_some(text)
}

fn clean(raw: &str) -> Cow<'_, str> {
    // Bytes first, which costs almost nothing: 0xC2 is what the control characters above ASCII
    // begin with, and little else.
    let may_be_unwanted = |byte: u8| byte < 0x20 && byte != b'\t' || byte == 0x7f || byte == 0xc2;
    if !raw.bytes().any(may_be_unwanted) || !raw.contains(is_unwanted) {
        return Cow::Borrowed(raw);
    }
    let mut text = last_state(&without_sequences(raw)).to_owned();
    text.retain(|c| !is_unwanted(c));
    Cow::Owned(text)
}

/// Tabs are text: tables are made of them.
fn is_unwanted(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// A carriage return begins the line anew: what was written last is what was to be seen.
fn last_state(text: &str) -> &str {
    text.rsplit('\r').find(|state| !state.trim().is_empty()).unwrap_or_default()
}

/// The text without escape sequences (ECMA-48), in either coding of their introducers.
fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '\u{1b}' || ('\u{80}'..='\u{9f}').contains(&c)) {
        out.push_str(&rest[..at]);
        rest = after_sequence(&rest[at..]);
    }
    out.push_str(rest);
    out
}

/// What follows the sequence that `text` begins with. Of one that is broken only the introducer
/// goes: it must not hide what was printed.
fn after_sequence(text: &str) -> &str {
    let mut chars = text.chars();
    let kind = match chars.next() {
        Some('\u{1b}') => chars.clone().next(),
        // The one-character introducers stand for ESC and the character 0x40 before.
        Some(c) => char::from_u32((c as u32).wrapping_sub(0x40)),
        None => None,
    };
    let introducer_only = chars.as_str();
    if text.starts_with('\u{1b}') {
        chars.next();
    }
    let rest = chars.as_str();
    match kind {
        Some('[') => after_control_sequence(rest),
        Some(']' | 'P' | 'X' | '^' | '_') => after_text_sequence(rest),
        Some(' '..='/') => {
            let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            rest.strip_prefix(|c| matches!(c, '0'..='~')).unwrap_or(rest)
        }
        Some('0'..='~') => rest,
        _ => introducer_only,
    }
}

/// Parameters, intermediates, one final character.
fn after_control_sequence(rest: &str) -> &str {
    let rest = rest.trim_start_matches(|c| matches!(c, '0'..='?'));
    let rest = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
    rest.strip_prefix(|c| matches!(c, '@'..='~')).unwrap_or(rest)
}

/// Anything up to BEL or ST.
fn after_text_sequence(rest: &str) -> &str {
    let mut before = ' ';
    for (at, c) in rest.char_indices().take_while(|(at, _)| *at < MAX_SEQUENCE) {
        if matches!(c, '\u{7}' | '\u{9c}') || (before, c) == ('\u{1b}', '\\') {
            return &rest[at + c.len_utf8()..];
        }
        before = c;
    }
    rest
}

/// Whether it fits into a line as it is.
pub(super) fn is_short(text: &str) -> bool {
    end_of(text, MAX_CHARS).is_none()
}

/// Adds `text`, in marked pieces when it is too long, cut after a newline where there is one in
/// the second half of a piece. Nothing of it is lost.
pub(super) fn split(text: String, lines: &mut Vec<String>) {
    if is_short(&text) {
        return lines.push(text);
    }
    let mut rest = text.as_str();
    let mut mark = "";
    loop {
        let room = MAX_CHARS - mark.chars().count();
        if end_of(rest, room).is_none() {
            return lines.push(format!("{mark}{rest}"));
        }
        let (piece, _) = rest.split_at(end_of(rest, room - 1).unwrap_or(rest.len()));
        let newline = piece.rfind('\n').map(|at| at + 1).filter(|at| *at > piece.len() / 2);
        let (piece, more) = rest.split_at(newline.unwrap_or(piece.len()));
        lines.push(format!("{mark}{piece}{CONTINUED}"));
        (rest, mark) = (more, CONTINUED);
    }
}

/// Where the first `chars` characters end; `None` when there are no more than that.
fn end_of(text: &str, chars: usize) -> Option<usize> {
    // No text has more characters than bytes.
    if text.len() <= chars {
        return None;
    }
    text.char_indices().nth(chars).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terminal_sequences_and_control_characters_go() {
        for (raw, expected) in [
            ("plain ü\ttext", "plain ü\ttext"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{9b}31mred\u{9b}m", "red"),
            ("\u{1b}[38:2::1:2:3mx\u{1b}[?25l\u{1b}[2 q", "x"),
            ("\u{1b}]0;a title\u{7}x", "x"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}Pq#0\u{1b}\\x", "x"),
            ("\u{1b}(Bx\u{1b}=y\u{1b}7z", "xyz"),
            ("a\u{0}b\u{8}c\u{7f}d\u{85}e", "abcde"),
            ("\u{1b}]0;never ends", "0;never ends"),
            ("x\u{1b}", "x"),
            ("x\u{1b}[", "x"),
            ("\u{1b}[31é", "é"),
            ("\u{1b}é", "é"),
        ] {
            assert_eq!(lines(raw), [expected], "{raw:?}");
        }
    }

    #[test]
    fn a_progress_bar_keeps_its_last_state() {
        assert_eq!(lines("10%\r50%\r100%"), ["100%"]);
        assert_eq!(lines("10%\r50%\r"), ["50%"]);
        assert_eq!(lines("10%\r\u{1b}[K50%\r\u{1b}[K"), ["50%"]);
        assert_eq!(lines("text\r\n"), ["text"]);
    }

    #[test]
    fn newlines_make_lines_and_blank_ones_stay() {
        assert_eq!(lines("a\n\nb\n"), ["a", "", "b"]);
        assert_eq!(lines(""), [""]);
        assert_eq!(lines("\r\n"), [""]);
        assert_eq!(lines("a\n\u{1b}[2K\u{1b}[1G\nb"), ["a", "b"]);
    }

    #[test]
    fn a_line_as_long_as_allowed_is_left_alone() {
        assert_eq!(lines(&"é".repeat(2000)), ["é".repeat(2000)]);
        let pieces = lines(&"é".repeat(2001));
        assert_eq!(pieces, [format!("{}…", "é".repeat(1999)), "…éé".to_owned()]);
    }

    #[test]
    fn a_long_text_of_several_lines_is_cut_between_them() {
        let text = format!("{}\n{}\n", "a".repeat(1500), "b".repeat(1500));
        let mut pieces = Vec::new();
        split(text.clone(), &mut pieces);
        assert_eq!(pieces, [format!("{}\n…", "a".repeat(1500)), format!("…{}\n", "b".repeat(1500))]);
    }

    /// The text that was split.
    fn joined(pieces: &[String]) -> String {
        let last = pieces.len() - 1;
        let inner = pieces.iter().enumerate().map(|(i, piece)| {
            let piece = if i > 0 { piece.strip_prefix(CONTINUED).expect("marked") } else { piece };
            if i < last { piece.strip_suffix(CONTINUED).expect("marked") } else { piece }
        });
        inner.collect()
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(text in "[a-zé… 🦀]{0,12}", times in 1..1500_usize) {
            let text = text.repeat(times);
            let pieces = lines(&text);
            prop_assert!(pieces.iter().all(|piece| piece.chars().count() <= MAX_CHARS));
            prop_assert_eq!(joined(&pieces), text);
        }

        #[test]
        fn whatever_comes_out_is_clean(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "\u{1b}", "\u{9b}", "\u{9d}", "\u{7}", "\u{9c}", "\r", "\n", "\0", "[", "]", "P", "\\", ";",
                    "0", "m", "(", " ", "é", "🦀", "text",
                ]),
                0..60,
            ),
        ) {
            for line in lines(&parts.concat()) {
                prop_assert!(!line.contains(is_unwanted), "{:?}", line);
                prop_assert!(line.chars().count() <= MAX_CHARS);
            }
        }
    }
}
