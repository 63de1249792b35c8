//! What ARG and ENV say, so far as a name of an image, a port or a command depends on it.

use std::collections::BTreeMap;

/// Of the stage that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    now: BTreeMap<String, String>,
    /// Those of before the first FROM, which FROM itself sees.
    globals: Option<BTreeMap<String, String>>,
}

impl Variables {
    pub fn begin_stage(&mut self) {
        let before = std::mem::take(&mut self.now);
        self.globals.get_or_insert(before);
    }

    /// `A=b C="d"` of ARG and ENV; only simple values matter.
    pub fn remember(&mut self, rest: &str) {
        let pairs = rest.split_whitespace().filter_map(|word| word.split_once('='));
        for (name, value) in pairs {
            let value = value.trim_matches(['"', '\'']);
            let value = self.expand(value).unwrap_or_default();
            self.now.insert(name.to_owned(), value);
        }
        if let Some((name, value)) = rest.split_once(' ').filter(|(name, _)| !name.contains('=')) {
            self.now.insert(name.to_owned(), value.trim().to_owned());
        } else if !rest.contains('=')
            && let Some(value) = self.globals.as_ref().and_then(|globals| globals.get(rest))
        {
            self.now.insert(rest.to_owned(), value.clone());
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.now.get(name).map(String::as_str)
    }

    /// Replaces `$A`, `${A}` and `${A:-b}`. `None` when a variable is not known, or a form is not.
    pub fn expand(&self, text: &str) -> Option<String> {
        expand(text, &self.now)
    }

    /// As FROM sees them.
    pub fn expand_global(&self, text: &str) -> Option<String> {
        expand(text, self.globals.as_ref().unwrap_or(&self.now))
    }
}

fn expand(text: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, default, after) = match rest.strip_prefix('{') {
            Some(inner) => {
                let (inside, after) = inner.split_once('}')?;
                let (name, default) = inside.split_once(":-").map_or((inside, None), |(n, d)| (n, Some(d)));
                (name, default, after)
            }
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (&rest[..end], None, &rest[end..])
            }
        };
        let known = variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
        out.push_str(known.or(default)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
