//! What a platform may tell us about a generation. All of it is optional: what is missing is
//! detected from the files, and what is given wins over detection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Egress, GenerationId, Invalid, bounded};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parent_generation_id: Option<GenerationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Have a preview of it built, started and frozen for its owner as soon as it is stored, so that
    /// the launch finds it ready.
    pub prewarm: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// The start command, run without a shell: `uvicorn app.main:app`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
    /// The port the app listens on inside its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_type: Option<DatabaseType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_version: Option<String>,
    /// Absent means: what the code takes from its environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheType>,
    /// Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires_migrations: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration_command: Option<String>,
    pub seed_data_included: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed_command: Option<String>,
    /// Absent means `/health` is tried and any HTTP answer will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_endpoint: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_interval: Option<u32>,
    /// Used verbatim as the Dockerfile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_dockerfile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_image_name: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "bounded::map")]
    pub environment: BTreeMap<String, String>,
    /// Where the app may connect to, at most what the installation allows: `open`, `none`, or a
    /// list of public addresses, blocks and host names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub egress: Option<Egress>,
    /// Names of environment variables whose values are secret.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "bounded::list")]
    pub secrets: Vec<String>,
    /// Distribution packages the app needs at run time.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "bounded::list")]
    pub system_packages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Built, production server.
    #[default]
    Run,
    /// The framework's own hot-reloading server.
    Dev,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseType {
    #[default]
    None,
    Sqlite,
    Postgresql,
    /// MySQL's protocol; a server of ours is MariaDB.
    #[serde(alias = "mariadb")]
    Mysql,
    Mongodb,
}

/// What a preview has beside its database to keep things for a while, or to pass jobs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheType {
    None,
    Redis,
}

impl Metadata {
    /// Refuses every value that could be read as anything but data in a Dockerfile, an argv, a
    /// label or a host name. Called where metadata enters; all later code relies on it.
    pub fn validate(&self) -> Result<(), Invalid> {
        let texts: [(&str, &Option<String>, TextRule); 7] = [
            ("projectId", &self.project_id, TextRule::Id),
            ("name", &self.name, TextRule::Line),
            ("language", &self.language, TextRule::Word),
            ("framework", &self.framework, TextRule::Word),
            ("pythonVersion", &self.python_version, TextRule::Version),
            ("nodeVersion", &self.node_version, TextRule::Version),
            ("dbVersion", &self.db_version, TextRule::Version),
        ];
        for (field, value, rule) in texts {
            if let Some(value) = value {
                rule.check(field, value)?;
            }
        }
        for (field, value) in [
            ("entryPoint", &self.entry_point),
            ("migrationCommand", &self.migration_command),
            ("seedCommand", &self.seed_command),
        ] {
            if let Some(value) = value {
                TextRule::Command.check(field, value)?;
            }
        }
        if self.port == Some(0) {
            return Err(Invalid::new("port", "expected 1 to 65535"));
        }
        if let Some(path) = &self.health_check_endpoint {
            TextRule::UrlPath.check("healthCheckEndpoint", path)?;
        }
        if let Some(seconds) = self.health_check_interval
            && !(1..=3600).contains(&seconds)
        {
            return Err(Invalid::new("healthCheckInterval", "expected 1 to 3600 seconds"));
        }
        if let Some(text) = &self.generated_dockerfile {
            TextRule::Dockerfile.check("generatedDockerfile", text)?;
        }
        if let Some(image) = &self.docker_image_name {
            TextRule::ImageName.check("dockerImageName", image)?;
        }
        check_environment("environment", &self.environment)?;
        for (i, name) in self.secrets.iter().enumerate() {
            TextRule::EnvName.check(&format!("secrets[{i}]"), name)?;
        }
        if self.system_packages.len() > 200 {
            return Err(Invalid::new("systemPackages", "expected at most 200 packages"));
        }
        for (i, name) in self.system_packages.iter().enumerate() {
            TextRule::Package.check(&format!("systemPackages[{i}]"), name)?;
        }
        Ok(())
    }
}

/// Environment a caller gives, in metadata or with a launch.
pub(super) fn check_environment(field: &str, environment: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if environment.len() > 500 {
        return Err(Invalid::new(field, "expected at most 500 variables"));
    }
    for (name, value) in environment {
        let place = format!("{field}[{name:?}]");
        TextRule::EnvName.check(&place, name)?;
        if value.contains('\0') || value.len() > 32 * 1024 {
            return Err(Invalid::new(place, "expected a value of at most 32 KiB without NUL"));
        }
    }
    Ok(())
}

impl Metadata {
    /// The same rule for the `environment` of a launch.
    pub fn validate_environment(environment: &BTreeMap<String, String>) -> Result<(), Invalid> {
        check_environment("environment", environment)
    }
}

/// What one kind of text may be made of.
enum TextRule {
    Id,
    Line,
    Word,
    Version,
    Command,
    UrlPath,
    Dockerfile,
    ImageName,
    EnvName,
    Package,
}

impl TextRule {
    fn check(&self, field: &str, text: &str) -> Result<(), Invalid> {
        let (ok, expected) = match self {
            Self::Id => (
                within(text, 128) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
                "1 to 128 characters of A-Z a-z 0-9 . _ -",
            ),
            Self::Line => (
                within(text, 200) && !text.chars().any(char::is_control),
                "one line of at most 200 characters",
            ),
            Self::Word => (
                within(text, 40) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+#-".contains(c)),
                "a word of at most 40 characters of A-Z a-z 0-9 . _ + # -",
            ),
            Self::Version => (
                within(text, 20)
                    && text.starts_with(|c: char| c.is_ascii_digit())
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'),
                "a version such as 3.11 or 20",
            ),
            Self::Command => (
                within(text, 1000) && !text.chars().any(char::is_control) && !has_shell_syntax(text),
                "a program and its arguments on one line; it is run without a shell, so ; & | < > ` $( and newlines have no meaning",
            ),
            Self::UrlPath => (
                within(text, 500)
                    && text.starts_with('/')
                    && !text.starts_with("//")
                    && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#' && b != b'\\'),
                "a path that starts with one / and holds no spaces",
            ),
            Self::Dockerfile => (
                within(text, 256 * 1024) && !text.contains('\0') && !names_a_syntax(text),
                "at most 256 KiB of Dockerfile without NUL and without a \"# syntax=\" line",
            ),
            Self::ImageName => (
                is_image_name(text),
                "an image name such as name, user/name or host:5000/name:tag, in lower case",
            ),
            Self::EnvName => (
                within(text, 200)
                    && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "a name of A-Z a-z 0-9 _, the first not a digit",
            ),
            Self::Package => (
                within(text, 100)
                    && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                    && text
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c)),
                "a distribution package name such as libpq5",
            ),
        };
        match ok {
            true => Ok(()),
            false => Err(Invalid::new(field, format!("expected {expected}"))),
        }
    }
}

fn within(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest
}

fn has_shell_syntax(text: &str) -> bool {
    text.contains("$(") || text.contains("${") || text.contains([';', '&', '|', '<', '>', '`'])
}

/// A `# syntax=` line makes BuildKit fetch and run a frontend of the author's choice.
fn names_a_syntax(dockerfile: &str) -> bool {
    dockerfile.trim_start_matches('\u{feff}').lines().any(|line| {
        line.trim_start()
            .trim_start_matches(['#', '/'])
            .trim_start()
            .get(..6)
            .is_some_and(|word| word.eq_ignore_ascii_case("syntax"))
            && line.contains('=')
            && line.trim_start().starts_with(['#', '/'])
    })
}

/// The reference grammar of container images, without a digest: lower-case path components,
/// an optional host with a port in front, an optional tag behind.
fn is_image_name(text: &str) -> bool {
    if !within(text, 255) {
        return false;
    }
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    };
    let tag_ok = tag.is_none_or(|tag| {
        within(tag, 128)
            && !tag.starts_with(['.', '-'])
            && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    });
    let mut parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 1 && parts[0].contains([':', '.']) {
        let host = parts.remove(0);
        let (host, port) = host.split_once(':').unwrap_or((host, "1"));
        if port.parse::<u16>().is_err()
            || !host.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        {
            return false;
        }
    }
    let component_ok = |part: &&str| {
        !part.is_empty()
            && part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    tag_ok && parts.iter().all(component_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Metadata)) -> String {
        let mut metadata = Metadata::default();
        change(&mut metadata);
        metadata.validate().expect_err("accepted").field
    }

    #[test]
    fn syntax_of_shell_or_dockerfile_is_refused_by_field() {
        assert_eq!(refused(|m| m.python_version = Some("3.11\nRUN id".into())), "pythonVersion");
        assert_eq!(refused(|m| m.system_packages = vec!["curl".into(), "x;id".into()]), "systemPackages[1]");
        assert_eq!(refused(|m| m.entry_point = Some("python a.py; id".into())), "entryPoint");
        assert_eq!(refused(|m| m.migration_command = Some("a $(id)".into())), "migrationCommand");
        assert_eq!(refused(|m| m.health_check_endpoint = Some("//evil/x".into())), "healthCheckEndpoint");
        assert_eq!(refused(|m| m.docker_image_name = Some("Not An Image".into())), "dockerImageName");
        assert_eq!(
            refused(|m| m.generated_dockerfile = Some("#  SYNTAX = x/y\nFROM a".into())),
            "generatedDockerfile"
        );
        assert_eq!(
            refused(|m| {
                m.environment.insert("A B".into(), "x".into());
            }),
            "environment[\"A B\"]"
        );
    }

    #[test]
    fn image_names_follow_the_reference_grammar() {
        for good in ["app", "user/app:1.0", "host:5000/a/b:tag", "reg.example.com/a"] {
            assert!(is_image_name(good), "{good}");
        }
        for bad in ["", "App", "a//b", "a:b:c", "a/", "host:x/a", "a:-t", "a b", "../a"] {
            assert!(!is_image_name(bad), "{bad}");
        }
    }

    proptest::proptest! {
        /// What passes can be nothing but data where it is used: no line break, no shell syntax in what
        /// becomes an argv, no NUL anywhere.
        #[test]
        fn what_passes_is_only_data(
            field in proptest::sample::select(vec![
                "projectId", "name", "language", "framework", "entryPoint", "pythonVersion", "nodeVersion", "dbVersion",
                "migrationCommand", "seedCommand", "healthCheckEndpoint", "generatedDockerfile", "dockerImageName", "egress",
            ]),
            text in "(a|/|\\.\\./|\n|\r|\u{0}|;|\\$\\(id\\)|`|RUN id|# syntax=x|\"|'| |é|3|-|:|\u{2028}){0,12}",
        ) {
            let value = serde_json::json!({ field: text });
            let Ok(metadata) = serde_json::from_value::<Metadata>(value) else { return Ok(()) };
            if metadata.validate().is_ok() {
                proptest::prop_assert!(!text.contains('\0'), "{field}");
                let is_lines = field == "generatedDockerfile";
                proptest::prop_assert!(is_lines || !text.contains(['\n', '\r']), "{field}: {text:?}");
                let is_argv = ["entryPoint", "migrationCommand", "seedCommand"].contains(&field);
                proptest::prop_assert!(!is_argv || !text.contains([';', '`', '$']), "{field}: {text:?}");
            }
        }
    }
}
