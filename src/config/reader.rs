//! Reads settings by name: the environment first, then the TOML file, then the default; keeps
//! what it took from where, and refuses what nobody asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

/// One setting as it is in force; `previewd config` prints these.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Effective {
    pub name: &'static str,
    /// Secrets are shown as `(redacted)`.
    pub value: String,
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    Environment,
    File,
    Default,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{name}={value:?}: expected {expected}")]
    Value { name: String, value: String, expected: String },
    #[error("there is no setting {name}{}", hint.as_ref().map(|h| format!("; did you mean {h}?")).unwrap_or_default())]
    Unknown { name: String, hint: Option<String> },
    #[error("{first} and {second} contradict each other: {why}")]
    Contradiction { first: &'static str, second: &'static str, why: String },
    #[error("cannot read the settings file {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("the settings file {path} is not TOML: {message}")]
    Syntax { path: String, message: String },
}

/// Settings not yet taken, by upper-case name.
pub struct Reader {
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    taken: Vec<Effective>,
    errors: Vec<ConfigError>,
}

/// Variables of the same prefix that the client commands read, or that name the file itself.
const NOT_OURS: [&str; 3] = ["PREVIEW_URL", "PREVIEW_TOKEN", "PREVIEW_CONFIG"];

impl Reader {
    pub fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let file = file.map(read_file).transpose()?.unwrap_or_default();
        Ok(Self {
            environment: environment.into_iter().collect(),
            file,
            taken: Vec::new(),
            errors: Vec::new(),
        })
    }

    /// The value of `name`, parsed. A value that does not parse is remembered as an error and
    /// the default is used for the rest of the reading, so that all errors show at once.
    pub fn take<T>(
        &mut self,
        name: &'static str,
        default: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.take_as(name, default, expected, false, parse)
    }

    /// The same for a value that is never shown.
    pub fn take_secret<T>(
        &mut self,
        name: &'static str,
        default: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.take_as(name, default, expected, true, parse)
    }

    fn take_as<T>(
        &mut self,
        name: &'static str,
        default: &str,
        expected: &str,
        secret: bool,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let (text, origin) = match (self.environment.get(name), self.file.get(name)) {
            (Some(text), _) => (text.clone(), Origin::Environment),
            (None, Some(text)) => (text.clone(), Origin::File),
            (None, None) => (default.to_owned(), Origin::Default),
        };
        let shown = if secret && !text.is_empty() { "(redacted)".to_owned() } else { text.clone() };
        self.taken.push(Effective { name, value: shown.clone(), origin });
        let value = parse(text.trim());
        if value.is_none() {
            self.errors.push(ConfigError::Value {
                name: name.into(),
                value: shown,
                expected: expected.into(),
            });
        }
        value.or_else(|| parse(default))
    }

    pub fn contradiction(&mut self, first: &'static str, second: &'static str, why: impl Into<String>) {
        self.errors.push(ConfigError::Contradiction { first, second, why: why.into() });
    }

    /// What was taken, unless something was wrong or left over.
    pub fn finish(mut self) -> Result<Vec<Effective>, Vec<ConfigError>> {
        let known: BTreeSet<&str> = self.taken.iter().map(|setting| setting.name).collect();
        let ours = self.environment.keys().filter(|name| name.starts_with("PREVIEW_"));
        for name in ours.chain(self.file.keys()) {
            if !known.contains(name.as_str()) && !NOT_OURS.contains(&name.as_str()) {
                let hint = nearest(name, &known).map(str::to_owned);
                self.errors.push(ConfigError::Unknown { name: name.clone(), hint });
            }
        }
        match self.errors.is_empty() {
            true => Ok(self.taken),
            false => Err(self.errors),
        }
    }
}

/// The variables that are text. Others are none of ours, or a mistake.
pub fn as_text(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, Vec<ConfigError>> {
    const OURS: [&str; 6] = ["PREVIEW_", "DATABASE_URL", "DOCKER_", "ENABLE_", "SNAPSHOT_", "CORS_ORIGINS"];
    let mut texts = Vec::new();
    let mut errors = Vec::new();
    for (name, value) in environment {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => texts.push((name, value)),
            (Ok(name), Err(_)) if OURS.iter().any(|ours| name.starts_with(ours)) => {
                errors.push(ConfigError::Value {
                    name,
                    value: "(broken text)".to_owned(),
                    expected: "text in UTF-8".to_owned(),
                });
            }
            _ => {}
        }
    }
    if errors.is_empty() { Ok(texts) } else { Err(errors) }
}

/// Keys are the variables' names in either case; tables and arrays are kept as JSON text.
fn read_file(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let shown = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: shown.clone(), source })?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| ConfigError::Syntax { path: shown, message: error.message().to_owned() })?;
    let as_text = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        toml::Value::Table(_) | toml::Value::Array(_) => serde_json::to_string(&value).unwrap_or_default(),
        other => other.to_string(),
    };
    Ok(table.into_iter().map(|(name, value)| (name.to_ascii_uppercase(), as_text(value))).collect())
}

/// The known name with the fewest letters to change, if that is a slip of the finger.
fn nearest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    known.iter().map(|other| (distance(name, other), *other)).min().filter(|(d, _)| *d <= 4).map(|(_, o)| o)
}

/// Levenshtein's distance between two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(environment: &[(&str, &str)]) -> Reader {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Reader::new(environment, None).expect("no file to read")
    }

    #[test]
    fn a_slip_of_the_finger_is_named_with_what_was_meant() {
        let mut settings = reader(&[("PREVIEW_PORT_MIM", "1")]);
        settings.take("PREVIEW_PORT_MIN", "3001", "a port", |text| text.parse::<u16>().ok());
        let errors = settings.finish().expect_err("accepted");
        assert_eq!(
            errors[0].to_string(),
            "there is no setting PREVIEW_PORT_MIM; did you mean PREVIEW_PORT_MIN?"
        );
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        std::fs::write(file.path(), "preview_port_min = 4000\npreview_port_max = 5000\n").expect("written");
        let environment = [("PREVIEW_PORT_MIN".to_owned(), "4100".to_owned())];
        let mut settings = Reader::new(environment, Some(file.path())).expect("read");
        let mut port =
            |name, default| settings.take(name, default, "a port", |text| text.parse::<u16>().ok());
        assert_eq!(port("PREVIEW_PORT_MIN", "3001"), Some(4100));
        assert_eq!(port("PREVIEW_PORT_MAX", "3100"), Some(5000));
        let taken = settings.finish().expect("all known");
        assert_eq!((taken[0].origin, taken[1].origin), (Origin::Environment, Origin::File));
    }

    #[test]
    fn broken_text_in_the_environment_matters_only_where_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;
        let broken = || OsString::from_vec(vec![0xff]);
        let read = |name: &str| as_text([(OsString::from(name), broken())]);
        assert_eq!(read("LESSKEY").expect("none of ours"), []);
        let errors = read("DATABASE_URL").expect_err("accepted");
        assert_eq!(errors[0].to_string(), "DATABASE_URL=\"(broken text)\": expected text in UTF-8");
    }

    #[test]
    fn a_value_that_does_not_parse_is_named_with_what_was_expected() {
        let mut settings = reader(&[("PREVIEW_PORT_MIN", "lots")]);
        settings.take("PREVIEW_PORT_MIN", "3001", "a port", |text| text.parse::<u16>().ok());
        let errors = settings.finish().expect_err("accepted");
        assert_eq!(errors[0].to_string(), "PREVIEW_PORT_MIN=\"lots\": expected a port");
    }
}
