//! What texts of callers may be made of. A rule is a length and a regular expression, and the same
//! two are checked and published in the API's description, so that they cannot come to say
//! different things.
//!
//! Expressions keep to what Rust, ECMAScript and Python understand alike: no look-around, no classes
//! by name, `\xHH` for what cannot be shown.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use regex::Regex;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Invalid;

/// One kind of text.
pub struct Text {
    /// Of the whole text, from `^` to `$`.
    pattern: &'static str,
    /// Characters.
    length: RangeInclusive<usize>,
    /// In words, for who sent something else.
    expected: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Text {
    pub(super) const fn new(
        pattern: &'static str,
        length: RangeInclusive<usize>,
        expected: &'static str,
    ) -> Self {
        Self { pattern, length, expected, compiled: OnceLock::new() }
    }

    pub fn allows(&self, text: &str) -> bool {
        // Bytes first: what is far too long need not be counted.
        let most = *self.length.end();
        text.len() <= 4 * most && self.length.contains(&text.chars().count()) && self.matches(text)
    }

    pub fn check(&self, field: &str, text: &str) -> Result<(), Invalid> {
        match self.allows(text) {
            true => Ok(()),
            false => Err(Invalid::new(field, format!("expected {}", self.expected))),
        }
    }

    /// As the API's description says it.
    pub fn schema(&self) -> ObjectBuilder {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(*self.length.start()))
            .max_length(Some(*self.length.end()))
            .pattern(Some(self.pattern))
    }

    /// An expression that cannot be read, of which the test below tells, matches nothing.
    fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(self.pattern).ok());
        compiled.as_ref().is_some_and(|pattern| pattern.is_match(text))
    }
}

/// One number of an IPv4 address.
macro_rules! octet {
    () => {
        "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    };
}

/// A public address, one that is in none of [`super::CLOSED`].
macro_rules! address {
    () => {
        concat!(
            r"(?:(?:[1-9]|1[1-9]|[2-9][0-9]|10[1-9]|11[0-9]|12[0-689]|1[3-5][0-9]|16[0-8]|17[013-9]|18[0-9]|19[013-79]|20[0-9]|21[0-9]|22[0-3])\.", octet!(),
            r"|100\.(?:[1-5]?[0-9]|6[0-3]|12[89]|1[3-9][0-9]|2[0-4][0-9]|25[0-5])",
            r"|169\.(?:25[0-35]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])",
            r"|172\.(?:[0-9]|1[0-5]|3[2-9]|[4-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])",
            r"|192\.(?:[1-9]|[1-9][0-9]|1[0-57-9][0-9]|16[0-79]|2[0-4][0-9]|25[0-5])",
            r"|198\.(?:[0-9]|1[0-7]|[2-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])",
            r")(?:\.", octet!(), "){2}"
        )
    };
}

/// Its last label is no number.
macro_rules! host {
    () => {
        concat!(
            "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*",
            "(?:[0-9]{0,9}[A-Za-z](?:[A-Za-z0-9-]{0,50}[A-Za-z0-9])?|[0-9]{1,9}-[A-Za-z0-9-]{0,50}[A-Za-z0-9])"
        )
    };
}

pub(super) use {address, host, octet};

/// Types that stand for a kind of text in the description of the API, and the rule of each.
macro_rules! texts {
    ($($(#[doc = $doc:literal])* $name:ident = $pattern:expr, $length:expr, $expected:literal;)*) => {
        $(
            $(#[doc = $doc])*
            pub struct $name;

            impl $name {
                pub fn rule() -> &'static Text {
                    static RULE: Text = Text::new($pattern, $length, $expected);
                    &RULE
                }
            }

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    Self::rule().schema().into()
                }
            }

            impl ToSchema for $name {}
        )*

        #[cfg(test)]
        fn all() -> Vec<(&'static str, &'static Text)> {
            vec![$((stringify!($name), $name::rule())),*]
        }
    };
}

texts! {
    ProjectId = r"^[A-Za-z0-9._-]+$", 1..=128, "1 to 128 characters of A-Z a-z 0-9 . _ -";
    /// A name that people read.
    Line = r"^[^\x00-\x1f\x7f-\x9f]+$", 1..=200, "one line of at most 200 characters";
    /// The name of an API key.
    KeyName = r"^[^\x00-\x1f\x7f-\x9f]+$", 1..=100, "1 to 100 characters, none of them control characters";
    Word = r"^[A-Za-z0-9._+#-]+$", 1..=40, "a word of at most 40 characters of A-Z a-z 0-9 . _ + # -";
    Version = r"^[0-9][A-Za-z0-9.]*$", 1..=20, "a version such as 3.11 or 20";
    Command = r"^(?:[^\x00-\x1f\x7f-\x9f;&|<>`$]|\$+[^\x00-\x1f\x7f-\x9f;&|<>`$({])*\$*$", 1..=1000,
        "a program and its arguments on one line; it is run without a shell, so ; & | < > ` $( and newlines have no meaning";
    UrlPath = r"^/(?:[!\x22$-.0-\[\]-~][!\x22$-\[\]-~]*)?$", 1..=500, "a path that starts with one / and holds no spaces";
    Dockerfile = r"^[^\x00]+$", 1..=262144, "at most 256 KiB of Dockerfile without NUL and without a \"# syntax=\" line";
    /// The reference grammar of container images, without a digest: lower-case path components, an
    /// optional host in front, an optional tag behind.
    ImageName = r"^(?:[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9.-]*(?::[0-9]{1,5})?|:[0-9]{1,5})/)?[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$",
        1..=255, "an image name such as name, user/name or host:5000/name:tag, in lower case";
    EnvName = r"^[A-Za-z_][A-Za-z0-9_]*$", 1..=200, "a name of A-Z a-z 0-9 _, the first not a digit";
    /// Also at most 32 KiB: the kernel takes no longer ones.
    EnvValue = r"^[^\x00]*$", 0..=32768, "a value of at most 32 KiB without NUL";
    Package = r"^[a-z0-9][a-z0-9+.-]*$", 1..=100, "a distribution package name such as libpq5";
    /// One of [`super::FilePath`]; of its bounds on bytes the expression says those on characters.
    TreePath = r"^(?:\./)?(?:\.?[^\x00-\x1f\x7f-\x9f./\\][^\x00-\x1f\x7f-\x9f/\\]*|\.\.[^\x00-\x1f\x7f-\x9f/\\]+)(?:/(?:\.?[^\x00-\x1f\x7f-\x9f./\\][^\x00-\x1f\x7f-\x9f/\\]*|\.\.[^\x00-\x1f\x7f-\x9f/\\]+))*$",
        1..=1024, "a relative path that stays inside the tree";
    /// One question to a database.
    Question = r"^[^\x00]*[^\x00\x09-\x0d\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\x00]*$", 1..=65536,
        "one SELECT of at most 65536 bytes without NUL";
    /// Where events may be sent; that a name leads to the open network is seen when they are.
    WebAddress = concat!(r"^https?://(?:", address!(), "|", host!(), r")(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"),
        8..=2048, "http://HOST/… or https://HOST/…";
    Method = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", 1..=40, "an HTTP method";
    HeaderName = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", 1..=200, "a header name";
    HeaderValue = r"^[\x09 -~]*$", 0..=32768, "a header value";
    RequestPath = r"^/[!$-;=?-_a-z{|}~]*$", 1..=8000, "a path that starts with / and is percent-encoded";
    /// Octal.
    FileMode = r"^[0-7]+$", 1..=10, "octal digits such as 755";
    Base64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$", 0..=2147483647, "base64";
    /// Sources of log lines, with commas.
    Sources = r"^(?:app|system|build|startup|request|database|error|subprocess)(?:,(?:app|system|build|startup|request|database|error|subprocess)){0,20}$",
        3..=400, "any of app, system, build, startup, request, database, error, with commas";
    GenerationName = r"^[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*\.?$", 1..=100,
        "1 to 100 characters of A-Z a-z 0-9 . _ -, the first a letter or digit, and no two dots together";
    UserName = r"^[A-Za-z0-9](?:\.?[A-Za-z0-9_@:|+-])*\.?$", 1..=128,
        "1 to 128 characters of A-Z a-z 0-9 . _ - @ : | +, the first a letter or digit, and no two dots together";
}

/// Any text that a rule allows, but for its length.
#[cfg(test)]
pub(super) fn such_as(rule: &Text) -> impl proptest::strategy::Strategy<Value = String> + use<> {
    let inner = rule.pattern.trim_start_matches('^').strip_suffix('$').unwrap_or_default();
    proptest::string::string_regex(inner).unwrap_or_else(|error| unreachable!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_can_be_read_and_is_of_the_whole_text() {
        for (name, rule) in all() {
            assert!(Regex::new(rule.pattern).is_ok(), "{name}");
            assert!(rule.pattern.starts_with('^') && rule.pattern.ends_with('$'), "{name}");
            assert!(!rule.pattern.contains("(?=") && !rule.pattern.contains("(?!"), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_the_description_says_of_a_path_is_one(text in such_as(TreePath::rule())) {
            let fits = text.len() <= 1024 && text.split('/').all(|part| part.len() <= 255);
            proptest::prop_assert!(!fits || crate::domain::FilePath::parse(&text).is_ok(), "{text:?}");
        }

        #[test]
        fn a_path_is_what_the_description_says(text in "[a./\\\\ é\n\x00-]{1,12}") {
            let taken = crate::domain::FilePath::parse(&text).is_ok();
            proptest::prop_assert_eq!(TreePath::rule().allows(&text), taken, "{:?}", text);
        }
    }

    #[test]
    fn lengths_are_of_characters() {
        assert!(Line::rule().allows(&"é".repeat(200)));
        assert!(!Line::rule().allows(&"é".repeat(201)));
        assert!(!Line::rule().allows(""));
        assert!(EnvValue::rule().allows(""));
    }

    #[test]
    fn image_names_follow_the_reference_grammar() {
        let is_image_name = |text: &str| ImageName::rule().allows(text);
        for good in
            ["app", "user/app:1.0", "host:5000/a/b:tag", "reg.example.com/a", "r.example.com:443/a_b/c-d"]
        {
            assert!(is_image_name(good), "{good}");
        }
        for bad in ["", "App", "a//b", "a:b:c", "a/", "host:x/a", "a:-t", "a b", "../a", "a/b/", "-a", "a-"] {
            assert!(!is_image_name(bad), "{bad}");
        }
    }
}
