//! What a command prints: aligned text for people, JSON for machines, nothing that could drive
//! the terminal.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use serde::Serialize;

use crate::domain::{LogLevel, Status};

type Sink = Box<dyn Write + Send>;

/// Stdout and stderr of one command. The locks keep lines whole and are never held across an
/// await.
pub struct Console {
    out: Mutex<Sink>,
    err: Mutex<Sink>,
    pub json: bool,
    pub out_colour: bool,
    /// Stdout is a terminal, so what was printed can be painted over.
    pub out_terminal: bool,
    /// Stderr is a terminal, so progress may move.
    pub err_terminal: bool,
}

/// The colours in use, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Busy,
    Bad,
    Faint,
}

/// One cell of a table; the tone does not count for its width.
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Console {
    pub fn new(json: bool) -> Self {
        let colour_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            out_colour: colour_wanted && io::stdout().is_terminal(),
            out_terminal: io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb"),
            err_terminal: io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb"),
            out: Mutex::new(Box::new(io::stdout())),
            err: Mutex::new(Box::new(io::stderr())),
            json,
        }
    }

    #[cfg(test)]
    pub fn to(out: Sink, err: Sink, json: bool) -> Self {
        let (out, err) = (Mutex::new(out), Mutex::new(err));
        Self { out, err, json, out_colour: false, out_terminal: false, err_terminal: false }
    }

    /// A line of result.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.write(format!("{text}\n").as_bytes())
    }

    /// Result as it is.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        out.write_all(bytes)?;
        out.flush()
    }

    /// One JSON document on one line.
    pub fn value(&self, value: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// A remark beside the result. A stderr that is gone is no reason to stop.
    pub fn note(&self, text: &str) {
        let mut err = self.err.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = err.write_all(format!("{text}\n").as_bytes()).and_then(|()| err.flush());
    }

    pub fn paint(&self, tone: Tone, text: &str) -> String {
        match self.out_colour {
            true => tone.paint(text),
            false => text.to_owned(),
        }
    }

    /// Columns as wide as their longest cell, two spaces apart, nothing behind the last.
    pub fn table(&self, heads: &[&str], rows: &[Vec<Cell>]) -> io::Result<()> {
        self.write(self.table_text(heads, rows).as_bytes())
    }

    /// What [`Console::table`] prints.
    pub fn table_text(&self, heads: &[&str], rows: &[Vec<Cell>]) -> String {
        let mut text = String::new();
        let head: Vec<Cell> = heads.iter().map(|head| Cell::new(*head)).collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                let cells = std::iter::once(&head).chain(rows).filter_map(|row| row.get(column));
                cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in std::iter::once(&head).chain(rows) {
            for (column, cell) in row.iter().enumerate() {
                text.push_str(&self.paint(cell.tone, &cell.text));
                if column + 1 < row.len() {
                    let gap = widths.get(column).unwrap_or(&0) - cell.text.chars().count() + 2;
                    text.extend(std::iter::repeat_n(' ', gap));
                }
            }
            text.push('\n');
        }
        text
    }
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()).into_owned(), tone: Tone::Plain }
    }

    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { tone, ..Self::new(text) }
    }
}

impl Tone {
    fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => 32,
            Self::Busy => 33,
            Self::Bad => 31,
            Self::Faint => 2,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Of a status as the API spells it.
    pub fn of_status(status: &str) -> Self {
        match serde_json::from_value(serde_json::Value::from(status)) {
            Ok(Status::Healthy | Status::Running) => Self::Good,
            Ok(Status::Launching | Status::Degraded | Status::Stopping) => Self::Busy,
            Ok(Status::Unhealthy | Status::Failed) => Self::Bad,
            Ok(Status::Paused | Status::Parked | Status::Stopped) => Self::Faint,
            Err(_) => Self::Plain,
        }
    }

    pub fn of_level(level: &str) -> Self {
        match level.parse() {
            Ok(LogLevel::Error) => Self::Bad,
            Ok(LogLevel::Warning) => Self::Busy,
            Ok(LogLevel::Debug) => Self::Faint,
            Ok(LogLevel::Info) | Err(_) => Self::Plain,
        }
    }
}

/// The text on one line, without anything a terminal would obey: escape sequences go, other
/// control characters become visible. Apps and builds print what they like.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => clean.push(c),
            '\x1b' if chars.peek() == Some(&'[') => {
                chars.next();
                // Parameters, then one final byte.
                while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                chars.next_if(|c| matches!(c, '@'..='~'));
            }
            c if c.is_control() => clean.extend(c.escape_default()),
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// [`clean`] for text that may have several lines.
pub fn clean_block(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// `12 B`, `3.4 kB`, `50.0 MB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1000 => format!("{count} B"),
        1000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// `1 file`, `2 files`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Whoever read our stdout has left.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::testing::captured;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let (console, out, _) = captured(false);
        let rows =
            [vec![Cell::new("a"), Cell::new("long")], vec![Cell::new("äöü"), Cell::toned("x", Tone::Bad)]];
        console.table(&["ID", "STATE"], &rows).expect("write");
        assert_eq!(out.text(), "ID   STATE\na    long\näöü  x\n");
    }

    #[test]
    fn colour_does_not_move_a_column() {
        let (mut console, out, _) = captured(false);
        console.out_colour = true;
        console.table(&["A", "B"], &[vec![Cell::toned("x", Tone::Good), Cell::new("y")]]).expect("write");
        assert_eq!(out.text(), "A  B\n\x1b[32mx\x1b[0m  y\n");
    }

    #[test]
    fn what_would_drive_the_terminal_is_shown_instead() {
        assert_eq!(clean("plain\ttext"), "plain\ttext");
        assert_eq!(clean("\x1b[31mred\x1b[0m\n"), "red");
        assert_eq!(clean("\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(clean("50%\r100%"), "50%\\r100%");
        assert_eq!(clean("\u{9b}31m"), "\\u{9b}31m");
    }

    proptest! {
        #[test]
        fn clean_text_has_no_control_characters(text in any::<String>()) {
            prop_assert!(!clean(&text).contains(|c: char| c.is_control() && c != '\t'));
        }
    }
}
