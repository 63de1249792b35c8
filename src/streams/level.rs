//! How grave a printed line is, read from the forms in which common loggers write it.

use serde_json::{Map, Value};

use crate::domain::LogLevel;

/// Characters in which a level is looked for: loggers put it in front.
const HEAD: usize = 300;

/// Words before a level in the longest of the known forms: time, zone, process, logger.
const MAX_PREFIX: usize = 8;

/// What a line says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub level: LogLevel,
    /// Of a JSON line that names one.
    pub trace_id: Option<String>,
}

/// Reads a line: of Python's logging, uvicorn, gunicorn, Node and its loggers, Go's, Rust's,
/// Java's, JSON and logfmt lines, PostgreSQL's and nginx's, of tracebacks and panics. What says
/// nothing is `Info`, on standard error too: many programs print all they have to say there. A
/// bare `error:` further inside a line counts only there.
pub(super) fn read(message: &str, stderr: bool) -> Reading {
    let message = message.trim_start();
    let head = head_of(message);
    let (from_json, trace_id) = json(message);
    let level = from_json
        .or_else(|| logfmt(head))
        .or_else(|| glog(head))
        .or_else(|| named(head))
        .or_else(|| leading(head))
        .or_else(|| raised(head))
        .or_else(|| stderr.then(|| inner(head)).flatten())
        .unwrap_or(LogLevel::Info);
    Reading { level, trace_id }
}

/// The first line, of which the first so many characters.
fn head_of(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.char_indices().nth(HEAD).map_or(line, |(end, _)| &line[..end])
}

/// What loggers call their levels, in any case.
fn word(text: &str) -> Option<LogLevel> {
    let mut lower = [0; 12];
    let lower = lower.get_mut(..text.len())?;
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"trace" | b"debug" | b"dbug" | b"trce" | b"verbose" | b"silly" | b"finest" | b"finer" => {
            Some(LogLevel::Debug)
        }
        b"info" | b"information" | b"informational" | b"notice" => Some(LogLevel::Info),
        b"warn" | b"warning" => Some(LogLevel::Warning),
        b"error" | b"err" | b"critical" | b"crit" | b"fatal" | b"severe" | b"panic" | b"dpanic"
        | b"alert" | b"emerg" | b"emergency" => Some(LogLevel::Error),
        _ => None,
    }
}

/// A line that is a JSON object, with its level as a word or as pino's or syslog's number.
fn json(message: &str) -> (Option<LogLevel>, Option<String>) {
    if !message.starts_with('{') {
        return (None, None);
    }
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(message) else { return (None, None) };
    (json_level(&object), json_trace(&object))
}

fn json_level(object: &Map<String, Value>) -> Option<LogLevel> {
    let direct = ["level", "severity", "levelname", "log.level", "lvl", "loglevel", "@l", "PRIORITY"];
    let level = direct
        .iter()
        .find_map(|key| object.get(*key))
        .or_else(|| object.get("log").and_then(|log| log.get("level")))?;
    match level {
        Value::String(text) => word(text),
        Value::Number(number) => Some(match number.as_u64()? {
            0..=3 | 50.. => LogLevel::Error,
            4 | 40..=49 => LogLevel::Warning,
            5 | 6 | 30..=39 => LogLevel::Info,
            7..=29 => LogLevel::Debug,
        }),
        _ => None,
    }
}

fn json_trace(object: &Map<String, Value>) -> Option<String> {
    let direct = ["trace_id", "traceId", "trace.id", "traceid", "dd.trace_id", "otelTraceID"];
    let id = direct.iter().find_map(|key| object.get(*key)).and_then(Value::as_str)?;
    let is_one = (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_one.then(|| id.to_owned())
}

/// `time=… level=warn msg="…"`.
fn logfmt(head: &str) -> Option<LogLevel> {
    head.split_ascii_whitespace().find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        matches!(key, "level" | "lvl" | "severity" | "levelname").then(|| word(value.trim_matches('"')))?
    })
}

/// `E0102 15:04:05.000000 …`: glog and klog.
fn glog(head: &str) -> Option<LogLevel> {
    let (letter, rest) = head.split_at_checked(1)?;
    let (date, time) = rest.split_once(' ')?;
    let is_glog = date.len() == 4
        && date.bytes().all(|b| b.is_ascii_digit())
        && time.trim_start().starts_with(|c: char| c.is_ascii_digit());
    match letter {
        _ if !is_glog => None,
        "I" => Some(LogLevel::Info),
        "W" => Some(LogLevel::Warning),
        "E" | "F" => Some(LogLevel::Error),
        _ => None,
    }
}

/// Forms with a name of their own.
fn named(head: &str) -> Option<LogLevel> {
    const NAMED: [(&str, LogLevel); 15] = [
        ("Traceback (most recent call last)", LogLevel::Error),
        ("panic: ", LogLevel::Error),
        ("fatal error: ", LogLevel::Error),
        ("Exception in thread ", LogLevel::Error),
        ("Uncaught ", LogLevel::Error),
        ("UnhandledPromiseRejection", LogLevel::Error),
        ("Segmentation fault", LogLevel::Error),
        ("npm ERR!", LogLevel::Error),
        ("npm error", LogLevel::Error),
        ("npm WARN", LogLevel::Warning),
        ("npm warn", LogLevel::Warning),
        ("npm notice", LogLevel::Info),
        ("⨯ ", LogLevel::Error),
        ("⚠ ", LogLevel::Warning),
        ("✓ ", LogLevel::Info),
    ];
    if head.starts_with("thread '") && head.contains("panicked at") {
        return Some(LogLevel::Error);
    }
    NAMED.iter().find(|(start, _)| head.starts_with(start)).map(|(_, level)| *level)
}

/// A level word in front, after nothing but times, numbers, brackets and a logger's name between
/// separators.
fn leading(head: &str) -> Option<LogLevel> {
    // `WARNING:root:text`: the word ends at its colon.
    if let Some((first, _)) = head.split_once(':')
        && let Some(level) = word(first.trim_end())
    {
        return Some(level);
    }
    let mut tokens = head.split_ascii_whitespace().take(MAX_PREFIX).peekable();
    let (mut before, mut is_first) = ("", true);
    while let Some(token) = tokens.next() {
        let separated = is_separator(before) || is_first;
        let next_separates = tokens.peek().is_some_and(|next| is_separator(next));
        if let Some(level) = decorated(token, separated && next_separates) {
            return Some(level);
        }
        let is_logger = separated && next_separates;
        if !is_logger && !is_decoration(token) {
            return None;
        }
        (before, is_first) = (token, false);
    }
    None
}

/// The level a token is: in capitals as it stands; in any case with brackets around it, a colon
/// behind it, or where `separated` says so.
fn decorated(token: &str, separated: bool) -> Option<LogLevel> {
    let bare = token.trim_matches(|c: char| c.is_ascii_punctuation());
    let capitals = !bare.bytes().any(|b| b.is_ascii_lowercase());
    let bracketed = token.starts_with(['[', '(', '<']) && token.ends_with([']', ')', '>', ':']);
    let marked = bracketed || token.ends_with(':');
    if capitals || marked || separated { word(bare) } else { None }
}

/// What may stand before a level: times and numbers, things in brackets, zones, separators.
fn is_decoration(token: &str) -> bool {
    let zone = token.len() <= 4 && token.bytes().all(|b| b.is_ascii_uppercase());
    zone || token.starts_with('[')
        || token.ends_with(']')
        || token.bytes().any(|b| b.is_ascii_digit()) && !token.starts_with(['/', '"'])
        || !token.chars().any(char::is_alphanumeric)
}

fn is_separator(token: &str) -> bool {
    matches!(token, "-" | "|" | "—" | "–" | "::")
}

/// `ValueError: …`, `TypeError [ERR_X]: …`, `a/b.py:3: UserWarning: …`.
fn raised(head: &str) -> Option<LogLevel> {
    let mut tokens = head.split_ascii_whitespace().take(4);
    let first = tokens.next()?;
    let name = first.trim_end_matches(':');
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$'));
    let is_class = name.ends_with("Error") || name.ends_with("Exception");
    let rest = head.get(first.len()..).unwrap_or_default().trim_start();
    if is_name && is_class && (first.ends_with(':') || rest.is_empty() || rest.starts_with("[ERR_")) {
        return Some(LogLevel::Error);
    }
    let is_warning = |token: &str| token.ends_with("Warning:");
    (is_warning(first) || tokens.any(is_warning)).then_some(LogLevel::Warning)
}

/// `main.c:3:1: error: …`, `[vite] Internal server error: …`.
fn inner(head: &str) -> Option<LogLevel> {
    let marked = |token: &str| token.strip_suffix(':').and_then(word);
    head.split_ascii_whitespace().take(MAX_PREFIX).find_map(marked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level_of(line: &str, stderr: bool) -> LogLevel {
        read(line, stderr).level
    }

    #[test]
    fn a_json_line_may_name_its_trace() {
        let trace = |line: &str| read(line, false).trace_id;
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace(&format!(r#"{{"msg":"x","trace_id":"{id}"}}"#)).as_deref(), Some(id));
        assert_eq!(trace(r#"{"msg":"x","trace_id":"a b"}"#), None);
        assert_eq!(trace(&format!("trace_id={id}")), None);
    }

    #[track_caller]
    fn expect(level: LogLevel, lines: &[&str]) {
        for line in lines {
            assert_eq!(level_of(line, false), level, "{line}");
            assert_eq!(level_of(line, true), level, "{line} on standard error");
        }
    }

    #[test]
    fn python() {
        expect(
            LogLevel::Info,
            &[
                "INFO:root:started",
                "INFO:     127.0.0.1:52144 - \"GET /error HTTP/1.1\" 500 Internal Server Error",
                "[2026-01-02 10:11:12 +0000] [7] [INFO] Listening at: http://0.0.0.0:8000 (7)",
                "[02/Jan/2026 10:11:12] \"GET /error: HTTP/1.1\" 500 145",
                "INFO  [alembic.runtime.migration] Will assume transactional DDL.",
                "2026-01-02 10:11:12.345 | INFO     | app.main:run:12 - error: none",
            ],
        );
        expect(LogLevel::Debug, &["DEBUG:asyncio:Using selector", "2026-01-02 10:11:12,345 DEBUG text"]);
        expect(
            LogLevel::Warning,
            &[
                "WARNING:  Invalid HTTP request received.",
                "WARNING: This is a development server. Do not use it in a production deployment.",
                "2026-01-02 10:11:12,345 - my.app - WARNING - careful",
                "2026-01-02 10:11:12,345 - myapp - WARNING - careful",
                "/app/main.py:3: DeprecationWarning: old",
                "UserWarning: odd",
            ],
        );
        expect(
            LogLevel::Error,
            &[
                "ERROR:    Exception in ASGI application",
                "CRITICAL:root:gone",
                "[2026-01-02 10:11:12 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)",
                "[2026-01-02 10:11:12,345] ERROR in app: Exception on / [GET]",
                "2026-01-02 10:11:12 [ERROR] text",
                "Traceback (most recent call last):",
                "ValueError: bad",
                "sqlalchemy.exc.OperationalError: (psycopg.OperationalError)",
                "KeyboardInterruptError",
            ],
        );
    }

    #[test]
    fn node() {
        expect(
            LogLevel::Info,
            &[
                "info: up",
                "Server listening on 3000",
                "GET /error 500 12.3 ms - 20",
                " ✓ Ready in 2s",
                "event - x",
            ],
        );
        expect(
            LogLevel::Warning,
            &[
                "warn: careful",
                "(node:12) Warning: Setting X",
                "(node:12) [DEP0040] DeprecationWarning: The `punycode` module",
                "npm WARN deprecated x",
                " ⚠ Unsupported",
                "warn  - odd",
            ],
        );
        expect(
            LogLevel::Error,
            &[
                "Error: Cannot find module 'x'",
                "TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument",
                "Uncaught ReferenceError: x is not defined",
                "npm ERR! code 1",
                " ⨯ Error: nothing",
                "error: no longer coloured",
                "2026-01-02T10:11:12.345Z error: from a printf format",
                "error - ./pages/index.js",
            ],
        );
    }

    #[test]
    fn json_and_logfmt() {
        expect(LogLevel::Debug, &[r#"{"level":20,"msg":"x"}"#, "level=debug msg=x"]);
        expect(
            LogLevel::Info,
            &[r#"{"level":"info","error":"none"}"#, r#"{"level":30}"#, r#"{"a":1}"#, "{not json"],
        );
        expect(
            LogLevel::Warning,
            &[
                r#"{"severity":"WARNING"}"#,
                r#"{"log":{"level":"warn"}}"#,
                r#"time="x" level=warning msg="y""#,
            ],
        );
        expect(
            LogLevel::Error,
            &[
                r#"{"level":50,"msg":"x"}"#,
                r#"{"levelname":"CRITICAL"}"#,
                "time=2026-01-02T10:11:12Z level=ERROR msg=x",
                r#"ts=1 lvl="error""#,
            ],
        );
    }

    #[test]
    fn go_rust_java_and_servers() {
        expect(LogLevel::Info, &["2026/01/02 10:11:12 listening", "I0102 10:11:12.000000 1 main.go:5] x"]);
        expect(LogLevel::Info, &["2026-01-02 10:11:12.345 UTC [1] LOG:  database system is ready"]);
        expect(LogLevel::Debug, &["2026-01-02T10:11:12.345Z DEBUG app: x"]);
        expect(
            LogLevel::Warning,
            &["W0102 10:11:12.000000 1 main.go:5] x", "[2026-01-02T10:11:12Z WARN app] x"],
        );
        expect(
            LogLevel::Error,
            &[
                "panic: runtime error: index out of range",
                "E0102 10:11:12.000000 1 main.go:5] x",
                "2026-01-02T10:11:12.345Z\tERROR\tapp/main.go:5\tx",
                "thread 'main' (7) panicked at src/main.rs:3:5:",
                "2026-01-02T10:11:12.345Z ERROR app::x: failed",
                "2026/01/02 10:11:12 [error] 7#7: *1 open() failed",
                "2026-01-02 10:11:12.345 UTC [7] ERROR:  relation does not exist",
                "2026-01-02 10:11:12.345 ERROR 7 --- [main] o.s.boot.SpringApplication : failed",
                "Exception in thread \"main\" java.lang.RuntimeException: x",
            ],
        );
    }

    #[test]
    fn prose_about_errors_is_no_error() {
        expect(
            LogLevel::Info,
            &[
                "",
                "   ",
                "0 errors, 0 warnings",
                "No ERROR was found",
                "retrying after error",
                "errors: 0",
                "Errors are handled by x",
                "information: the ErrorBoundary is on",
                "    at Object.<anonymous> (/app/index.js:1:7)",
                "  File \"/app/error.py\", line 3, in error",
            ],
        );
    }

    #[test]
    fn an_inner_mark_counts_on_standard_error_only() {
        for line in ["main.c:3:1: error: expected ';'", "[vite] Internal server error: x"] {
            assert_eq!(level_of(line, true), LogLevel::Error, "{line}");
        }
        assert_eq!(level_of("the last error: none", false), LogLevel::Info);
        assert_eq!(level_of("plain text", true), LogLevel::Info);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "\u{1b}", "\u{9b}", "[", "]", "{", "}", ":", "=", "\"", " ", "\t", "\n", "é", "E0102", "ERROR",
                    "level=", "error", "-", "…",
                ]),
                0..200,
            ),
        ) {
            let text = parts.concat();
            level_of(&text, true);
        }
    }
}
