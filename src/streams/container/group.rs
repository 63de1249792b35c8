//! Which lines belong together: a traceback is one message, and an error.
//!
//! Only lines that begin one are held back, until the first line that does not belong to it, or
//! until nothing came for a moment. Everything else passes at once.

/// A message that is being put together.
#[derive(Debug)]
pub(super) struct Group {
    pub lines: Vec<String>,
    form: Form,
    bytes: usize,
    /// The exception itself was named: what is not indented begins something else.
    named: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Python,
    /// Node's and Java's: a message, then `    at …`.
    Frames,
    Go,
    Rust,
}

impl Group {
    /// A group that is longer is given out and goes on as single lines.
    const MOST_LINES: usize = 500;
    const MOST_BYTES: usize = 64 * 1024;

    /// A group, when a line may begin one.
    pub(super) fn begin(line: &str) -> Option<Self> {
        let form = Form::of(line)?;
        Some(Self { bytes: line.len(), lines: vec![line.to_owned()], form, named: false })
    }

    /// Whether the line belongs here.
    pub(super) fn takes(&mut self, line: &str) -> bool {
        if self.lines.len() >= Self::MOST_LINES || self.bytes + line.len() > Self::MOST_BYTES {
            return false;
        }
        match self.form {
            Form::Python => self.takes_python(line),
            Form::Frames => is_frame(line),
            Form::Go => self.takes_go(line),
            Form::Rust => {
                self.lines.len() == 1
                    || line.starts_with("stack backtrace:")
                    || line.starts_with("note: ")
                    || line.starts_with("   ")
            }
        }
    }

    pub(super) fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push(line);
    }

    /// Whether it is more than a line that looked as if it began something.
    pub(super) fn is_traceback(&self) -> bool {
        self.lines.len() > 1
    }

    fn takes_python(&mut self, line: &str) -> bool {
        let is_bridge = line.starts_with("During handling of the above exception")
            || line.starts_with("The above exception was the direct cause")
            || line.starts_with("Traceback (most recent call last)")
            // Of exception groups.
            || line.trim_start().starts_with(['|', '+']);
        if is_bridge {
            self.named = false;
            return true;
        }
        if line.is_empty() || line.starts_with([' ', '\t']) {
            return !self.named || line.is_empty() || line.starts_with("    ");
        }
        // The first line at the margin names the exception.
        !std::mem::replace(&mut self.named, true)
    }

    fn takes_go(&mut self, line: &str) -> bool {
        let is_call = line.contains('(') && line.ends_with(')') && !line.starts_with(char::is_whitespace);
        line.is_empty()
            || line.starts_with('\t')
            || line.starts_with("goroutine ")
            || line.starts_with("created by ")
            || line.starts_with("[signal ")
            || line.starts_with("panic: ")
            || is_call
            || line.starts_with("exit status ")
    }
}

impl Form {
    fn of(line: &str) -> Option<Self> {
        // Cheap for almost every line: the first byte decides, or a word that is rare.
        let begins = |start: &str| line.starts_with(start);
        match line.as_bytes().first()? {
            b'T' if begins("Traceback (most recent call last)") => Some(Self::Python),
            b' ' if begins("  + Exception Group Traceback") => Some(Self::Python),
            b'p' if begins("panic: ") => Some(Self::Go),
            b'f' if begins("fatal error: ") => Some(Self::Go),
            b't' if begins("thread '") && line.contains("panicked at") => Some(Self::Rust),
            b'A'..=b'Z' | b'a'..=b'z' if names_error(line) => Some(Self::Frames),
            _ => None,
        }
    }
}

/// `TypeError: x is not a function`, `Uncaught Error`, `java.lang.IllegalStateException: x`.
fn names_error(line: &str) -> bool {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let line = line.strip_prefix("Exception in thread \"main\" ").unwrap_or(line);
    let end = line.find([':', ' ', '[']).unwrap_or(line.len());
    let name = &line[..end];
    (name.ends_with("Error") || name.ends_with("Exception"))
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
}

/// A line below the message of an error.
fn is_frame(line: &str) -> bool {
    let inner = line.trim_start();
    let is_indented = inner.len() < line.len();
    is_indented && (inner.starts_with("at ") || inner.starts_with("... "))
        || line.starts_with("Caused by: ")
        || line.starts_with("    [cause]: ")
        // The properties that Node prints after the frames.
        || line.starts_with("  ") && inner.contains(": ")
        || line == "}"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as they come out, lines joined by `|`.
    fn grouped(text: &str) -> Vec<String> {
        let (mut out, mut open): (Vec<String>, Option<Group>) = (Vec::new(), None);
        for line in text.lines() {
            if let Some(group) = &mut open {
                if group.takes(line) {
                    group.push(line.to_owned());
                    continue;
                }
                out.push(group.lines.join("|"));
                open = None;
            }
            match Group::begin(line) {
                Some(group) => open = Some(group),
                None => out.push(line.to_owned()),
            }
        }
        out.extend(open.map(|group| group.lines.join("|")));
        out
    }

    #[test]
    fn a_python_traceback_stays_together_with_what_it_was_raised_from() {
        let text = "INFO: before\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    \
                    f()\n    ~^^\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n\
                    Traceback (most recent call last):\n  File \"a.py\", line 3\nValueError: bad\nINFO: after\n  indented";
        let messages = grouped(text);
        assert_eq!(messages.len(), 4, "{messages:#?}");
        assert!(messages[1].starts_with("Traceback") && messages[1].ends_with("ValueError: bad"));
        assert_eq!(messages[2], "INFO: after");
    }

    #[test]
    fn node_java_go_and_rust() {
        for (text, groups) in [
            (
                "TypeError: x is not a function\n    at f (/app/a.js:1:2)\n    at node:internal:1\nlistening",
                2,
            ),
            ("Uncaught Error: boom\n    at f (a.js:1:2) {\n  code: 'E_X'\n}\nnext", 2),
            (
                "java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: y\n\t... 3 more\nnext",
                2,
            ),
            (
                "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:5 +0x1d\nexit status 2\nnext",
                2,
            ),
            (
                "thread 'main' (1) panicked at src/main.rs:2:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\nnext",
                2,
            ),
        ] {
            assert_eq!(grouped(text).len(), groups, "{:#?}", grouped(text));
        }
    }

    #[test]
    fn what_is_no_traceback_passes_alone() {
        let text =
            "ValueError: alone\nTypeError: alone too\nplain\n    indented\n  a: b\nErrors: 0\nno Error: here";
        assert_eq!(grouped(text).len(), 7);
    }

    #[test]
    fn a_group_has_an_end() {
        let text = format!("Traceback (most recent call last):\n{}", "    frame\n".repeat(5000));
        let messages = grouped(&text);
        assert_eq!(messages[0].split('|').count(), Group::MOST_LINES);
        assert_eq!(messages.len(), 1 + 5001 - Group::MOST_LINES);
    }
}
