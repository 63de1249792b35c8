//! From pieces of output, cut anywhere, to whole lines.

/// Longest piece of a line, bytes: no container makes us hold more of one that never ends.
const LINE_MAX: usize = 64 * 1024;

/// One line, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawLine {
    /// Without its newline; bytes that are not UTF-8 are replaced. Carriage returns stay.
    pub text: String,
    /// It was too long and goes on in the next piece of its stream.
    pub continues: bool,
}

/// The line of one stream that has not ended yet.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    pending: Vec<u8>,
}

impl Assembler {
    /// Gives the lines that `chunk` completes to `take`.
    pub(super) fn push(&mut self, chunk: &[u8], mut take: impl FnMut(RawLine)) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, more) = (&rest[..end], &rest[end + 1..]);
            rest = more;
            if self.pending.is_empty() && line.len() <= LINE_MAX {
                take(RawLine { text: text_of(line), continues: false });
                continue;
            }
            self.hold(line, &mut take);
            let whole = std::mem::take(&mut self.pending);
            take(RawLine { text: text_of(&whole), continues: false });
        }
        self.hold(rest, &mut take);
    }

    /// What was printed without a newline at the end.
    pub(super) fn finish(&mut self) -> Option<RawLine> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| RawLine { text: text_of(&rest), continues: false })
    }

    fn hold(&mut self, bytes: &[u8], take: &mut impl FnMut(RawLine)) {
        self.pending.extend_from_slice(bytes);
        while self.pending.len() > LINE_MAX {
            let rest = self.pending.split_off(cut_at(&self.pending));
            let piece = std::mem::replace(&mut self.pending, rest);
            take(RawLine { text: text_of(&piece), continues: true });
        }
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// At most [`LINE_MAX`], and not inside a character: UTF-8 continues with bytes `10xxxxxx`.
fn cut_at(bytes: &[u8]) -> usize {
    let starts_character = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    (LINE_MAX - 3..=LINE_MAX).rev().find(starts_character).unwrap_or(LINE_MAX)
}

/// All lines of an output that came in these pieces.
#[cfg(any(test, fuzzing))]
pub(super) fn assembled<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<RawLine> {
    let mut assembler = Assembler::default();
    let mut lines = Vec::new();
    pieces.into_iter().for_each(|piece| assembler.push(piece, |line| lines.push(line)));
    lines.extend(assembler.finish());
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assembled(chunks: &[&[u8]]) -> Vec<RawLine> {
        super::assembled(chunks.iter().copied())
    }

    #[test]
    fn an_endless_line_is_cut_between_characters_and_marked() {
        let long = "é".repeat(LINE_MAX);
        let chunks: Vec<_> = long.as_bytes().chunks(1000).chain([&b"\n"[..]]).collect();
        let lines = assembled(&chunks);
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<String>(), long);
        assert!(lines.iter().all(|line| line.text.len() <= LINE_MAX));
        assert_eq!(lines.iter().filter(|line| !line.continues).count(), 1);
        assert_eq!(assembled(&[long.as_bytes(), b"\n"]), lines, "whatever the chunks");
    }

    #[test]
    fn broken_utf8_is_replaced_and_empty_lines_are_lines() {
        let lines = assembled(&[b"a\xFFb\n\n", b"\n", b"end"]);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["a\u{FFFD}b", "", "", "end"]);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(
            text in "[ab\n é]{0,200}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let expected: Vec<_> = text.strip_suffix('\n').unwrap_or(&text).split('\n').collect();
            let expected = if text.is_empty() { Vec::new() } else { expected };
            let lines = assembled(&chunks);
            prop_assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}
