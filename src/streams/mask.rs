//! Secrets that a line must not carry to where it is stored or sent.
//!
//! Two nets: the values this preview is known to hold (variables whose names say that they are
//! secret, passwords in connection strings, its tokens), and forms that are secret wherever they
//! stand (keys of known services, JSON Web Tokens, `Authorization`, `password=…`, private keys).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::values::{MASKED, Values};

/// Hides the secrets of one preview, and those anybody can tell.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    known: Option<Values>,
}

/// Whether the lines that come are inside of a private key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyBlock {
    /// Lines of it so far; a key without end must not hide the rest of a log.
    lines: u32,
}

impl Masker {
    /// One that knows the secret ones among these variables, and these further values.
    pub fn new<'a>(
        environment: &BTreeMap<String, String>,
        further: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut values: Vec<&str> = further.into_iter().collect();
        for (name, value) in environment {
            if is_secret_name(name) {
                values.push(value);
            }
            let passwords = URL.captures_iter(value).filter_map(|found| found.get(2));
            values.extend(passwords.map(|password| password.as_str()));
        }
        Self { known: Values::new(values) }
    }

    /// The text with every secret replaced.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = self.known.as_ref().map_or(Cow::Borrowed(text), |known| known.mask(text));
        if TRIGGER.is_match(&masked) {
            for (form, replacement) in FORMS.iter() {
                if form.is_match(&masked) {
                    masked = Cow::Owned(form.replace_all(&masked, *replacement).into_owned());
                }
            }
            if ASSIGNMENT.is_match(&masked) {
                masked = Cow::Owned(ASSIGNMENT.replace_all(&masked, unless_plain).into_owned());
            }
        }
        masked
    }

    /// The same for one of several lines, which may be part of a private key.
    pub(super) fn mask_line<'a>(&self, text: &'a str, block: &mut KeyBlock) -> Cow<'a, str> {
        if block.hides(text) { Cow::Borrowed(MASKED) } else { self.mask(text) }
    }
}

impl KeyBlock {
    /// No private key has as many lines.
    const LONGEST: u32 = 200;

    /// Whether the line belongs to the inside of a key.
    fn hides(&mut self, line: &str) -> bool {
        let is_inside = self.lines > 0;
        // Cheap for almost every line: no dash, no mark.
        let marked = line.contains("-----");
        if is_inside {
            let ends = marked && line.contains("-----END") || self.lines >= Self::LONGEST;
            self.lines = if ends { 0 } else { self.lines + 1 };
            return !ends;
        }
        if marked && line.contains("PRIVATE KEY-----") && line.trim_end().ends_with("PRIVATE KEY-----") {
            self.lines = u32::from(line.contains("-----BEGIN") && !line.contains("-----END"));
        }
        false
    }
}

/// Whether a variable of this name holds what nobody should see.
pub fn is_secret_name(name: &str) -> bool {
    const PARTS: [&str; 15] = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE",
        "CREDENTIAL",
        "DSN",
        "COOKIE",
        "SALT",
        "SIGNING",
        "ENCRYPTION",
    ];
    let name = name.to_ascii_uppercase();
    let words = || name.split(|c: char| !c.is_ascii_alphanumeric());
    PARTS.iter().any(|part| name.contains(part))
        || words().any(|word| matches!(word, "KEY" | "PWD" | "PW" | "AUTH"))
}

/// A regular expression of this file. One that does not compile matches nothing, and fails the
/// tests.
fn form(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|_| NOTHING.clone())
}

#[allow(clippy::unwrap_used, reason = "the class without members is a valid one")]
static NOTHING: LazyLock<Regex> = LazyLock::new(|| Regex::new("[^\\s\\S]").unwrap());

/// In front of everything else: a line without any of these has no form to look for.
static TRIGGER: LazyLock<Regex> = LazyLock::new(|| {
    form(
        "(?i)://|bearer|eyj|sk[-_]|rk_|gh[pousr]_|github_pat|glpat|xox|akia|asia|aiza|hf_|npm_|pypi-|sg\\.|\
         dop_v1|pv[tsk]_|pass|pwd|secret|token|key|auth|credential|cookie",
    )
});

static URL: LazyLock<Regex> =
    LazyLock::new(|| form("([A-Za-z][A-Za-z0-9+.-]*://[^\\s:/@\"']*:)([^\\s@/\"']+)@"));

static FORMS: LazyLock<[(Regex, &str); 6]> = LazyLock::new(|| {
    [
        (URL.clone(), "${1}[masked]@"),
        (form("\\beyJ[A-Za-z0-9_-]{5,}\\.[A-Za-z0-9_-]{5,}\\.[A-Za-z0-9_-]*"), MASKED),
        (
            form(
                "\\b(?:sk-[A-Za-z0-9_-]{16,}|[sr]k_(?:live|test)_[A-Za-z0-9]{8,}|gh[pousr]_[A-Za-z0-9]{20,}|\
                 github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|\
                 (?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|\
                 pypi-[A-Za-z0-9_-]{30,}|SG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{32,}|\
                 pv[tsk]_[A-Za-z0-9_-]{20,})",
            ),
            MASKED,
        ),
        (
            form(
                "(?i)((?:authorization|cookie)[\"']?\\s*[:=]\\s*[\"']?(?:(?:basic|bearer|token)\\s+)?)[^\\s\"',\\[][^\\s\"',]*",
            ),
            "${1}[masked]",
        ),
        (form("(?i)\\b(bearer\\s+)[A-Za-z0-9._~+/=-]{12,}"), "${1}[masked]"),
        (form("(?i)\\b(passw(?:or)?d:\\s+)[^\\s\\[]\\S*"), "${1}[masked]"),
    ]
});

/// `password=…`, `"apiKey": "…"`: name, then sign, then value.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    form(
        "(?i)([a-z0-9_.-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|\
         credential)[a-z0-9_]*)((?:=|[\"']\\s*[:=])\\s*[\"']?)([^\\s\"'&,;)}\\]\\[]+)",
    )
});

/// What stands for no value stays, and so do counts of tokens.
fn unless_plain(found: &Captures<'_>) -> String {
    let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
    let (name, sign, value) = (part(1), part(2), part(3));
    let is_none = ["none", "null", "nil", "true", "false", "undefined"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word));
    let counts =
        name.to_ascii_lowercase().contains("token") && value.bytes().all(|byte| byte.is_ascii_digit());
    match is_none || counts {
        true => format!("{name}{sign}{value}"),
        false => format!("{name}{sign}{MASKED}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_preview_holds_is_masked_in_every_form_it_is_printed_in() {
        let environment = environment(&[
            ("STRIPE_KEY", "very\"odd value"),
            ("DATABASE_URL", "postgres://ann:hunter-22@db:5432/app"),
            ("GREETING", "good morning"),
            ("PASSWORD", "abc"),
            ("SIGNING_PEM", "first-line-of-it\nsecond-line-of-it"),
        ]);
        let masker = Masker::new(&environment, ["pvt_of-this-preview"]);
        for (text, expected) in [
            ("starting with very\"odd value.", "starting with [masked]."),
            ("{\"key\":\"very\\\"odd value\"}", "{\"key\":\"[masked]\"}"),
            ("GET /?k=very%22odd%20value", "GET /?k=[masked]"),
            ("cannot log in as ann with hunter-22", "cannot log in as ann with [masked]"),
            ("second-line-of-it", "[masked]"),
            ("a pvt_of-this-preview b", "a [masked] b"),
            ("good morning, abc", "good morning, abc"),
        ] {
            assert_eq!(masker.mask(text), expected);
        }
    }

    #[test]
    fn forms_that_are_secret_anywhere_are_masked() {
        let masker = Masker::default();
        for (text, expected) in [
            ("at redis://:s3cret@cache:6379/0 now", "at redis://:[masked]@cache:6379/0 now"),
            ("postgresql+psycopg://me:p%40ss@db/app", "postgresql+psycopg://me:[masked]@db/app"),
            ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [masked]"),
            ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic [masked]"),
            ("sent bearer 0123456789abcdef", "sent bearer [masked]"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end", "jwt [masked] end"),
            ("AKIAIOSFODNN7EXAMPLE", "[masked]"),
            ("use sk-proj-0123456789abcdefghij", "use [masked]"),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "[masked]"),
            ("password=hunter2&x=1", "password=[masked]&x=1"),
            ("{\"apiKey\": \"0123\", \"a\": 1}", "{\"apiKey\": \"[masked]\", \"a\": 1}"),
            ("DB_PASSWORD='x y'", "DB_PASSWORD='[masked] y'"),
            ("GET /logs?token=pvt_x HTTP/1.1", "GET /logs?token=[masked] HTTP/1.1"),
            ("share pvs_0123456789abcdefghij and pvk_0123456789abcdefghij", "share [masked] and [masked]"),
            ("Password: hunter2", "Password: [masked]"),
        ] {
            assert_eq!(masker.mask(text), expected);
        }
    }

    #[test]
    fn plain_text_is_left_alone() {
        let masker = Masker::default();
        for text in [
            "Local: http://127.0.0.1:3000/@vite/client",
            "max_tokens=4096 total_tokens=17",
            "SyntaxError: unexpected token '<'",
            "Invalid token: expected a number",
            "token=None password=null",
            "Basic authentication is off, no secret here",
            "the bearer of news",
            "monkey=banana",
            "task-0123456789abcdefghij",
        ] {
            assert!(
                matches!(masker.mask(text), Cow::Borrowed(same) if same == text) || masker.mask(text) == text,
                "{text}"
            );
        }
    }

    #[test]
    fn a_private_key_is_hidden_to_its_end_and_no_further() {
        let (masker, mut block) = (Masker::default(), KeyBlock::default());
        let text = "before\n-----BEGIN RSA PRIVATE KEY-----\nMIIEowIB\nAAKCAQEA\n-----END RSA PRIVATE KEY-----\nafter\n\
                    -----BEGIN PUBLIC KEY-----\nMIIB";
        let masked: Vec<_> =
            text.lines().map(|line| masker.mask_line(line, &mut block).into_owned()).collect();
        assert_eq!(masked[2..4], [MASKED, MASKED]);
        assert_eq!((masked[0].as_str(), masked[5].as_str(), masked[7].as_str()), ("before", "after", "MIIB"));
        masker.mask_line("-----BEGIN PRIVATE KEY-----", &mut block);
        let hidden = (0..1000).filter(|_| masker.mask_line("x", &mut block) == MASKED).count();
        assert!(hidden <= KeyBlock::LONGEST as usize, "{hidden}");
    }

    #[test]
    fn names_tell_what_is_secret() {
        for name in
            ["API_KEY", "openai_api_key", "DB_PASSWORD", "SENTRY_DSN", "JWT_SECRET", "GITHUB_TOKEN", "KEY"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["PORT", "MONKEY", "LOG_LEVEL", "HOME", "DATABASE_URL"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn every_form_compiles() {
        let compiled = [&*TRIGGER, &*URL, &*ASSIGNMENT].into_iter().chain(FORMS.iter().map(|(form, _)| form));
        assert!(compiled.into_iter().all(|form| form.as_str() != NOTHING.as_str()));
    }
}
