//! `# syntax=`: the frontend that shall read a Dockerfile, an image like any other.

use crate::generation::plan::{Notes, Place, Source};

/// The line of a `# syntax=` directive, which would make the engine fetch and run a frontend of
/// the author's choice.
pub fn syntax_line(text: &str) -> Option<usize> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .position(|line| {
            let line = line.trim_start();
            let comment = line.trim_start_matches(|c: char| c.is_whitespace() || "#/{\"".contains(c));
            let names_it = comment.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("syntax"));
            line.starts_with(['#', '/', '{']) && names_it && comment.contains(['=', ':'])
        })
        .map(|index| index + 1)
}

/// What is read instead of `text`, where that is another, with a decision that says so.
pub fn leave_out_the_usual(text: &str, file: Option<&str>, notes: &mut Notes) -> Option<String> {
    let plain = without_the_usual(text)?;
    let reason = "the engine's own frontend reads it: whatever image is named is not fetched";
    let place = file.and_then(|file| Place::line(file, 1));
    notes.decide("syntax line", "left out", Source::Default, reason, place);
    Some(plain)
}

/// The text without the line that asks for the usual frontend, of whatever version, on line 1, where
/// tools write it: the engine's own reads the same language, if an older state of it. Every other
/// line stays where it is.
fn without_the_usual(text: &str) -> Option<String> {
    const USUAL: [&str; 2] = ["docker/dockerfile", "docker.io/docker/dockerfile"];
    let (first, rest) = text.split_once('\n')?;
    let value = first.trim_end().strip_prefix('#')?.trim_start_matches(' ').strip_prefix("syntax")?;
    let image = value.trim_start_matches(' ').strip_prefix('=')?.trim_start_matches(' ');
    let (name, tag) = image.split_once(':').unwrap_or((image, "1"));
    let is_tag = tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    (USUAL.contains(&name) && is_tag).then(|| format!("#\n{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontend_of_their_own_is_seen() {
        assert_eq!(syntax_line("# a\n#  SYNTAX = x/y\nFROM a"), Some(2));
        assert_eq!(syntax_line("//syntax=x"), Some(1));
        assert_eq!(syntax_line("#\u{c}syntax=x\n"), Some(1));
        assert_eq!(syntax_line("#\u{a0}syntax=x\n"), Some(1));
        assert_eq!(syntax_line("# the syntax is simple\nFROM a"), None);
    }

    #[test]
    fn the_usual_one_is_left_out_and_no_other() {
        for usual in [
            "# syntax=docker/dockerfile:1",
            "#syntax = docker/dockerfile:1.7-labs\r",
            "# syntax=docker.io/docker/dockerfile",
        ] {
            assert_eq!(
                without_the_usual(&format!("{usual}\nFROM a\n")).as_deref(),
                Some("#\nFROM a\n"),
                "{usual}"
            );
        }
        for other in [
            "# syntax=evil/dockerfile:1",
            "# syntax=docker/dockerfile:1 x",
            "# Syntax=docker/dockerfile:1",
            "# a\n# syntax=docker/dockerfile:1",
            "# syntax=docker/dockerfile@sha256:00",
            "FROM a",
        ] {
            assert_eq!(without_the_usual(&format!("{other}\nFROM a\n")), None, "{other}");
        }
    }
}
