//! Values that one preview is known to hold and that no line may carry.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands in a secret's place.
pub const MASKED: &str = "[masked]";

/// A value that is shorter says nothing, and is part of too many other words.
const SHORTEST: usize = 6;

/// Bytes of a value that are looked for. Of a longer one the beginning tells that it comes, and
/// everything behind it on its line is hidden with it: what is looked for has to stay small.
const LONGEST: usize = 256;

/// All of them, found in one pass.
#[derive(Debug, Clone)]
pub(super) struct Values {
    found: AhoCorasick,
    /// Whether a value goes on after what is looked for, by its number.
    goes_on: Vec<bool>,
}

impl Values {
    /// None where there is nothing to hide.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut forms = BTreeMap::new();
        values.into_iter().for_each(|value| add(&mut forms, value));
        if forms.is_empty() {
            return None;
        }
        let (forms, goes_on): (Vec<String>, Vec<bool>) = forms.into_iter().unzip();
        // Of values that begin alike the longest is meant. It fails beyond two thousand million states.
        let found = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok()?;
        Some(Self { found, goes_on })
    }

    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = String::new();
        let mut from = 0;
        for found in self.found.find_iter(text) {
            if found.start() < from {
                // On a line that is hidden already.
                continue;
            }
            masked.push_str(&text[from..found.start()]);
            masked.push_str(MASKED);
            from = match self.goes_on.get(found.pattern().as_usize()) {
                Some(true) => text[found.end()..].find('\n').map_or(text.len(), |end| found.end() + end),
                _ => found.end(),
            };
        }
        if from == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(&text[from..]);
        Cow::Owned(masked)
    }
}

/// The value in the forms in which it is printed: as it is, line by line, in JSON, in a URL. Each with
/// whether it goes on after that.
fn add(forms: &mut BTreeMap<String, bool>, value: &str) {
    for line in value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST) {
        let json = serde_json::to_string(line).unwrap_or_default();
        let json = json.trim_matches('"');
        for form in [line, json, &percent_encoded(line)] {
            let end =
                (0..=LONGEST.min(form.len())).rev().find(|end| form.is_char_boundary(*end)).unwrap_or(0);
            // One value may be where another begins: then what follows is hidden.
            *forms.entry(form[..end].to_owned()).or_default() |= end < form.len();
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_meant_and_what_goes_on_is_hidden_to_the_end_of_its_line() {
        let long = "k".repeat(200) + &"v".repeat(200);
        let values = Values::new(["secret-one", "secret-one-more", &long[..LONGEST], long.as_str(), "abc"]);
        let values = values.expect("some");
        for (text, expected) in [
            ("a secret-one-more b secret-one.", "a [masked] b [masked].".to_owned()),
            ("nothing, abc", "nothing, abc".to_owned()),
            (&format!("x {long} secret-one\nnext secret-one"), "x [masked]\nnext [masked]".to_owned()),
        ] {
            assert_eq!(values.mask(text), expected);
        }
        assert!(Values::new(["abc", ""]).is_none());
    }

    #[test]
    fn as_much_as_an_environment_may_hold_is_still_hidden() {
        let all: Vec<String> = (0..500).map(|n| format!("{n:04}{}", "x/y".repeat(10_000))).collect();
        let values = Values::new(all.iter().map(String::as_str)).expect("some");
        assert_eq!(values.mask(&format!("it is {}", all[321])), "it is [masked]");
    }
}
